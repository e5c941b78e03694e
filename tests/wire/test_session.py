# SPDX-License-Identifier: MIT
"""How a session goes: greeting, negotiation, ids, and clients that behave as clients may."""

import contextlib
import json
import os
import resource

import pytest

from support import shapes
from support.programs import memory_bound, stat, wait_until

CAPABILITIES = '{"execute": "qmp_capabilities"}\n'
VERSION = '{"execute": "query-version"}\n'
NEGOTIATION_NEEDED = "Expecting capabilities negotiation with 'qmp_capabilities'"
ALREADY_NEGOTIATED = "Capabilities negotiation is already complete, command ignored"


# ---- greeting -----------------------------------------------------------------------------------


def test_the_greeting_is_one_line(programs, server):
    line = programs.connect(server).read_line()
    assert line.endswith(b"\r\n") and line.count(b"\n") == 1 and line.isascii()
    greeting = json.loads(line)
    shapes.check_greeting(greeting)
    assert greeting["QMP"]["capabilities"] == []
    assert greeting["QMP"]["version"]["qemu"] == {"major": 7, "minor": 0, "micro": 0}
    assert greeting["QMP"]["version"]["package"].startswith("vitals ")


def test_nothing_comes_unasked(programs, server):
    client = programs.connect(server)
    client.read_line()
    assert client.is_silent()


def test_every_client_has_a_session_of_its_own(programs, server):
    first, second = programs.client(server), programs.connect(server)
    shapes.check_greeting(second.read())
    assert second.error_of(VERSION) == NEGOTIATION_NEEDED
    first.assert_alive()


def test_a_client_may_speak_before_the_greeting(programs, server):
    client = programs.connect(server)
    client.send(CAPABILITIES + VERSION)
    shapes.check_greeting(client.read())
    assert client.read() == {"return": {}}
    shapes.check_return("query-version", {}, client.read()["return"])


# ---- negotiation --------------------------------------------------------------------------------


@pytest.fixture
def greeted(programs, server):
    """A client that has not negotiated."""
    client = programs.connect(server)
    shapes.check_greeting(client.read())
    return client


@pytest.mark.parametrize(
    "command",
    ["query-version", "query-stats", "quit", "no-such-command", ""],
)
def test_commands_wait_for_the_negotiation(greeted, command):
    error = greeted.ask(json.dumps({"execute": command}))["error"]
    assert error == {"class": "CommandNotFound", "desc": NEGOTIATION_NEEDED}


def test_the_form_is_checked_before_the_negotiation(greeted):
    assert greeted.error_of("[]") == "QMP input must be a JSON object"
    assert greeted.error_of('{"execute": 5}') == "QMP input member 'execute' must be a string"
    assert greeted.error_of("{%}") == "JSON parse error, stray '%'"


def test_negotiation_happens_once(greeted):
    assert greeted.ask(CAPABILITIES) == {"return": {}}
    error = greeted.ask(CAPABILITIES)["error"]
    assert error == {"class": "CommandNotFound", "desc": ALREADY_NEGOTIATED}
    greeted.assert_alive()


@pytest.mark.parametrize("arguments", [{}, {"enable": []}])
def test_nothing_needs_to_be_enabled(greeted, arguments):
    request = {"execute": "qmp_capabilities", "arguments": arguments}
    assert greeted.ask(json.dumps(request)) == {"return": {}}


@pytest.mark.parametrize(
    "enable, text",
    [
        (["bogus"], "Parameter 'null' does not accept value 'bogus'"),
        ("oob", "Invalid parameter type for 'enable', expected: array"),
        ([1], "Invalid parameter type for 'enable[0]', expected: string"),
        (None, "Invalid parameter type for 'enable', expected: array"),
        (["oob"], "Capability oob not available"),
    ],
)
def test_a_failed_negotiation_can_be_repeated(greeted, enable, text):
    request = {"execute": "qmp_capabilities", "arguments": {"enable": enable}}
    error = greeted.ask(json.dumps(request))["error"]
    assert error == {"class": "GenericError", "desc": text}
    assert greeted.error_of(VERSION) == NEGOTIATION_NEEDED
    assert greeted.ask(CAPABILITIES) == {"return": {}}
    greeted.assert_alive()


def test_arguments_of_a_second_negotiation_are_checked_first(client):
    request = {"execute": "qmp_capabilities", "arguments": {"enable": "oob"}}
    text = "Invalid parameter type for 'enable', expected: array"
    assert client.error_of(json.dumps(request)) == text


def test_out_of_band_commands_are_unexpected(greeted):
    text = "QMP input member 'exec-oob' is unexpected"
    assert greeted.error_of('{"exec-oob": "qmp_capabilities"}') == text
    greeted.execute("qmp_capabilities")
    assert greeted.error_of('{"exec-oob": "query-version"}') == text


# ---- the form of a message ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, error",
    [
        ("[]", "QMP input must be a JSON object"),
        ("42 ", "QMP input must be a JSON object"),
        ('"execute" ', "QMP input must be a JSON object"),
        ("null ", "QMP input must be a JSON object"),
        ("{}", "QMP input lacks member 'execute'"),
        ('{"arguments": {}}', "QMP input lacks member 'execute'"),
        ('{"execute": 1}', "QMP input member 'execute' must be a string"),
        ('{"execute": null}', "QMP input member 'execute' must be a string"),
        ('{"execute": ["query-version"]}', "QMP input member 'execute' must be a string"),
        (
            '{"execute": "query-version", "arguments": []}',
            "QMP input member 'arguments' must be an object",
        ),
        (
            '{"execute": "query-version", "arguments": null}',
            "QMP input member 'arguments' must be an object",
        ),
        ('{"execute": "query-version", "extra": 1}', "QMP input member 'extra' is unexpected"),
        ('{"Execute": "query-version"}', "QMP input member 'Execute' is unexpected"),
    ],
)
def test_the_form_of_a_message(client, text, error):
    reply = client.ask(text)
    assert reply == {"error": {"class": "GenericError", "desc": error}}
    client.assert_alive()


@pytest.mark.parametrize(
    "name", ["no-such-command", "", "QUERY-VERSION", "query-version ", '\u00fc\n"\\']
)
def test_an_unknown_command(client, name):
    error = client.ask(json.dumps({"execute": name}))["error"]
    assert error == {"class": "CommandNotFound", "desc": f"The command {name} has not been found"}


def test_a_command_with_a_nul_in_its_name(client):
    """It is another name, not the one in front of the NUL."""
    assert client.ask('{"execute": "query-version\\u0000"}')["error"]["class"] == "CommandNotFound"


# ---- ids ----------------------------------------------------------------------------------------

IDS = [
    "0",
    "-1",
    "1.5",
    "0.1",
    "-0.0",
    "1e300",
    str(-(2**63)),
    str(2**63),
    str(2**64 - 1),
    str(2**64),
    "true",
    "false",
    "null",
    '""',
    '"text"',
    r'"\b\f\n\r\t\"\\\/"',
    '"\u00fcn\u00efcode \U0001f600 \u007f"',
    r'"\u00fc\ud83d\ude00\u0000end"',
    "[]",
    "{}",
    '[1, "two", [3], {"four": [null, true]}]',
    '{"b": 1, "a": {"": [], "\u00fc": "\\u0001"}}',
]


@pytest.mark.parametrize("text", IDS)
def test_any_id_is_echoed(client, text):
    expected = json.loads(text)
    for command, outcome in [("query-version", "return"), ("quit", "error")]:
        reply = client.ask(f'{{"execute": "{command}", "id": {text}}}')
        assert set(reply) == {"id", outcome}
        assert reply["id"] == expected  # a number may come back in another form: 1.0 as 1
        assert isinstance(reply["id"], bool) == isinstance(expected, bool)


def test_an_id_is_echoed_in_every_kind_of_error(client):
    for message in [
        '{"id": 7}',
        '{"id": 7, "execute": 1}',
        '{"execute": "query-version", "id": 7, "extra": 1}',
        '{"execute": "query-version", "arguments": [], "id": 7}',
        '{"execute": "query-stats", "arguments": {}, "id": 7}',
        '{"execute": "query-stats", "arguments": {"target": "foo"}, "id": 7}',
        '{"execute": "qmp_capabilities", "id": 7}',
    ]:
        reply = client.ask(message)
        assert set(reply) == {"id", "error"} and reply["id"] == 7


def test_an_id_before_the_negotiation(greeted):
    assert greeted.ask('{"id": "x", "execute": "query-version"}')["id"] == "x"
    assert greeted.ask('{"id": "y", "execute": "qmp_capabilities"}') == {"return": {}, "id": "y"}


def test_an_id_is_not_echoed_by_the_next_reply(client):
    client.ask('{"execute": "query-version", "id": 1}')
    assert "id" not in client.ask(VERSION)


# ---- bytes in any pieces ------------------------------------------------------------------------


@pytest.mark.parametrize("separator", ["", "\n", "\r\n", " \t\n\n"])
def test_several_commands_in_one_write(client, separator):
    commands = [json.dumps({"execute": "query-version", "id": i}) for i in range(100)]
    client.send(separator.join(commands))
    assert [client.read()["id"] for _ in commands] == list(range(100))


def test_a_command_byte_by_byte(client):
    message = '{"execute": "query-version", "id": ["\u00fc\\u00fc", -1.5e3, {"a": null}]}'
    for byte in message.encode():
        client.send(bytes([byte]))
    assert client.read()["id"] == ["\u00fc\u00fc", -1500.0, {"a": None}]


def test_pieces_that_end_anywhere(client):
    message_id = '["\\ud83d\\ude00", "\U0001f600", 12.5e-1, true]'
    message = f'{{"execute": "query-version", "id": {message_id}}}'.encode()
    for cut in range(1, len(message)):
        client.send(message[:cut])
        client.send(message[cut:])
        assert client.read()["id"] == ["\U0001f600", "\U0001f600", 1.25, True]


def test_the_order_of_replies_is_that_of_the_commands(client):
    commands = ['{"execute": "query-version", "id": 1}', "{}", '{"execute": "quit", "id": 2}', "[]"]
    client.send("".join(commands) + '{"execute": "query-name", "id": 3}')
    replies = [client.read() for _ in range(5)]
    assert [reply.get("id") for reply in replies] == [1, None, 2, None, 3]
    assert ["error" in reply for reply in replies] == [False, True, True, True, False]


# ---- the end of a connection --------------------------------------------------------------------


def test_a_half_closed_client_is_answered(client):
    client.send("".join(json.dumps({"execute": "query-version", "id": i}) for i in range(50)))
    client.end()
    assert [client.read()["id"] for _ in range(50)] == list(range(50))
    assert client.read_line() == b""


def test_a_client_that_half_closes_at_once_is_greeted(programs, server):
    client = programs.connect(server)
    client.end()
    shapes.check_greeting(client.read())
    assert client.read_line() == b""


def test_half_a_message_at_the_end_is_an_error(client):
    client.send('{"execute": "query-version"')
    client.end()
    assert client.read()["error"]["desc"].startswith("JSON parse error")
    assert client.read_line() == b""


def test_half_a_message_and_a_close_harm_nobody(programs, server, client):
    halves = ['{"execute": "que', '{"execute": "query-version"', *'["\\-\xff', "tru"]
    for text in halves:
        other = programs.client(server)
        other.send(text)
        other.close()
    client.assert_alive()


def test_a_reset_of_the_connection_harms_nobody(programs, server, client):
    """The client goes while replies are under way."""
    for _ in range(20):
        other = programs.client(server)
        other.send(VERSION * 100)
        other.close()
    client.assert_alive()


def test_a_closed_client_leaves_nothing_behind(programs, server, client):
    def count_fds():
        client.assert_alive()
        return len(os.listdir(f"/proc/{server.pid}/fd"))

    before = count_fds()
    for _ in range(100):
        other = programs.client(server)
        other.send('{"execute": "query-')
        other.close()
    assert count_fds() == before


# ---- clients that do not read -------------------------------------------------------------------


def fill(server, objects, buckets):
    server.tell("register", "p/vcpu", stat("hist", "log-hist", count=buckets))
    values = [2**64 - 1] * buckets
    for i in range(objects):
        server.tell("row", "p/vcpu", f"/machine/unattached/device[{i}]", *values)


STATS = '{"execute": "query-stats", "arguments": {"target": "vcpu"}}\n'


def test_a_reply_of_megabytes(server, client):
    fill(server, objects=200, buckets=1000)
    reply = client.execute("query-stats", target="vcpu")
    assert len(reply["vcpus"]) == 200
    for vcpu in reply["vcpus"]:
        (only,) = vcpu["providers"][0]["stats"]
        assert only["value"]["values"] == [2**64 - 1] * 1000


def test_a_client_that_does_not_read_is_not_read_from(programs, server, client):
    """It gets all its replies in the end, and meanwhile it costs one request and one reply."""
    fill(server, objects=20, buckets=20)
    client.execute("query-stats", target="vcpu")
    before = server.memory()
    silent = programs.client(server)
    silent.socket.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        while sent < 1_000_000:
            sent += silent.socket.send(STATS.encode() * 10)
    assert sent < 1_000_000
    for _ in range(20):
        client.execute("query-stats", target="vcpu")
    assert server.memory() - before < memory_bound(2 * 1024)
    silent.socket.setblocking(True)
    for _ in range(sent // len(STATS)):
        shapes.check_return("query-stats", {"target": "vcpu"}, silent.read()["return"])
    silent.send(STATS.encode()[sent % len(STATS) :])
    silent.read()
    silent.assert_alive()


def test_queries_keep_no_memory(server, client):
    fill(server, objects=20, buckets=20)

    def ask(times):
        for _ in range(times // 50):
            client.send(STATS * 50)
            for _ in range(50):
                client.read_line()

    ask(100)
    before = server.memory()
    ask(5000)
    assert server.memory() - before < memory_bound(256)


# ---- limits of a server -------------------------------------------------------------------------


def test_one_client_too_many_is_told_so(programs):
    server = programs.server(clients_max=3)
    clients = [programs.client(server) for _ in range(3)]
    refused = programs.connect(server)
    error = {"class": "GenericError", "desc": "Too many clients, at most 3"}
    assert json.loads(refused.read_line()) == {"error": error}
    assert refused.read_line() == b""
    clients.pop().close()
    clients[0].assert_alive()
    programs.client(server).assert_alive()


def ends_long_message(client, message_id):
    """Whether the client is there yet, and gets its reply."""
    try:
        client.send('"}')
        reply = client.read_line()
    except (BrokenPipeError, ConnectionResetError):
        return False
    return reply != b"" and json.loads(reply)["id"] == message_id


def test_clients_that_hold_the_most_memory_are_closed(programs):
    server = programs.server(memory_max=4 << 20)
    small = programs.client(server)
    small.send('{"execute": "query-version", "id": "')
    long_id = "x" * 900_000
    large = [programs.client(server) for _ in range(8)]
    for client in large:
        client.send('{"execute": "query-version", "id": "')
    for client in large:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(long_id)
    kept = sum(ends_long_message(client, long_id) for client in large)
    assert 1 <= kept <= 4
    small.send('x"}')
    assert small.read()["id"] == "x"
    small.assert_alive()
    programs.client(server).assert_alive()


def test_a_server_without_fds_tells_new_clients_by_a_close(programs):
    """They are not left waiting, and those that are there are served."""
    server = programs.server()
    client = programs.client(server)
    limit = len(os.listdir(f"/proc/{server.pid}/fd"))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, 1024))
    others = [programs.connect(server) for _ in range(10)]
    assert [other.read_line() for other in others] == [b""] * 10
    client.assert_alive()
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    programs.client(server).assert_alive()


@pytest.mark.parametrize("limit, left", [(64, 16), (1024, 256), (1200, 256)])
def test_clients_leave_files_to_their_process(programs, limit, left):
    """A quarter of those that it may have, and at most 256."""
    server = programs.server()
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, limit))
    here = len(os.listdir(f"/proc/{server.pid}/fd"))
    last = limit - left - here
    clients = [programs.connect(server) for _ in range(last + 1)]
    greetings = [client.read_line() for client in clients]
    assert all(b"QMP" in greeting for greeting in greetings[:last])
    error = {"class": "GenericError"}
    error["desc"] = "Too many clients, its process can have no more open files"
    assert json.loads(greetings[last]) == {"error": error}
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) == limit - left, "it is closed")
    clients[0].close()
    wait_until(lambda: b"QMP" in programs.connect(server).read_line(), "room for one")
