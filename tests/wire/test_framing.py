# SPDX-License-Identifier: MIT
"""Bytes that are no message: each is answered by errors, and the session goes on."""

import json
import random
import sys

import pytest

from support.programs import memory_bound

MESSAGE_MAX = 1 << 20
NESTING_MAX = 1024
TOKENS_MAX = 1 << 16
OBJECT_TOKENS = 8  # which takes as much memory

TOO_LARGE = "JSON token size limit exceeded"
TOO_DEEP = "JSON nesting depth limit exceeded"
TOO_MANY = "JSON token count limit exceeded"
MEMBERS_MAX = 256
TOO_LARGE_OBJECT = "JSON member count limit exceeded"
DUPLICATE = "JSON parse error, duplicate key"


def read_until(client, marker):
    """The replies before the one with this id."""
    replies = []
    while (reply := client.read()).get("id") != marker:
        replies.append(reply)
    assert "return" in reply
    return replies


def errors_before_good_command(client, data):
    """Sends the data, then a good command, and returns the descriptions of the errors."""
    client.send(data)
    client.send('{"execute": "query-version", "id": "good"}\n')
    return [reply["error"]["desc"] for reply in read_until(client, "good")]


# ---- QEMU's dialect of JSON ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, value",
    [
        ("'single'", "single"),
        (r"'don\'t'", "don't"),
        ("'say \"hi\"'", 'say "hi"'),
        ('"don\'t"', "don't"),
        (r'"\/"', "/"),
        (r'"\u00FC\u00fc"', "\u00fc\u00fc"),
        (r'"\uD83D\uDE00"', "\U0001f600"),
        ('"\x7f"', "\x7f"),
        ("0.0e5", 0),
        ("1E5", 100000),
        ("1.5e-3", 0.0015),
        ("-0", 0),
        ("[\t1\r\n, 2 ]", [1, 2]),
    ],
)
def test_json_that_is_accepted(client, text, value):
    assert client.ask(f"{{'execute': 'query-version', 'id': {text}}}")["id"] == value


def test_a_nul_may_be_written_in_two_ways(client):
    assert client.ask(b'{"execute": "query-version", "id": "\xc0\x80"}')["id"] == "\0"
    assert client.ask(rb'{"execute": "query-version", "id": "\u0000"}')["id"] == "\0"


@pytest.mark.parametrize(
    "text, error",
    [
        ("%p", "stray '%'"),
        ("+1", "stray '+'"),
        (".5", "stray '.'"),
        ("/* comment */ 1", "stray '/'"),
        ("NaN", "stray 'N'"),
        ("Infinity", "stray 'I'"),
        ("nan", "invalid keyword 'nan'"),
        ("truee", "invalid keyword 'truee'"),
        (r'"\x41"', "invalid escape sequence in string"),
        (r'"\ud83d"', r"\ud83d is not a valid Unicode character"),
        (r'"\ud83dx"', r"\ud83d is not a valid Unicode character"),
        (r'"\ude00"', r"\ude00 is not a valid Unicode character"),
        (r'"\uffff"', r"\uffff is not a valid Unicode character"),
        (b'"\xc3"', "invalid UTF-8 sequence in string"),
        (b'"\xed\xa0\x80"', "invalid UTF-8 sequence in string"),
        (b'"\xf5\x80\x80\x80"', "invalid UTF-8 sequence in string"),
        (b'"\xc1\x81"', "invalid UTF-8 sequence in string"),
        ("1 2", "expected separator in dict"),
        ("[1 2]", "expected separator in list"),
        ("{1: 2}", "key is not a string in object"),
        ('{"a" 2}', "missing : in object pair"),
        ("", "expecting value"),
        ("[1, ]", "expecting value"),
        ('{"a": 1, "a": 2}', "duplicate key"),
    ],
)
def test_json_that_is_refused(client, text, error):
    data = text if isinstance(text, bytes) else text.encode()
    message = b'{"execute": "query-version", "id": ' + data + b"}\n"
    assert errors_before_good_command(client, message) == [f"JSON parse error, {error}"]


@pytest.mark.parametrize(
    "text", ["1.", "01", "0x10", "0e5", "1e", "--1", "1e400", '"\t"', '"\0"', "]"]
)
def test_more_json_that_is_refused(client, text):
    errors = errors_before_good_command(client, f'{{"execute": "query-version", "id": {text}}}\n')
    assert errors and all(error.startswith(("JSON parse error", "QMP input")) for error in errors)


@pytest.mark.parametrize(
    "message",
    [
        '{"execute": "query-version", "execute": "query-version"}',
        '{"execute": "query-version", "id": 1, "id": 1}',
        '{"execute": "query-stats", "arguments": {"target": "vm", "target": "vm"}}',
        '{"execute": "query-version", "id": [{"a": {"b": 1, "b": 1}}]}',
        r'{"execute": "query-version", "id": {"a": 1, "\u0061": 1}}',
    ],
)
def test_duplicate_keys(client, message):
    assert errors_before_good_command(client, message) == [DUPLICATE]


def test_an_error_is_ascii_whatever_was_sent(client):
    for text in ["#", "{#}", '{"execute": "#"}', '{"#": 1}', '{"id": #}']:
        for character in "\u00fc\U0001f600":
            client.send(text.replace("#", character) + "\n")  # read() checks every line
    assert read_until_good(client)


def read_until_good(client):
    client.send('{"execute": "query-version", "id": "good"}\n')
    return read_until(client, "good")


# ---- finding back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "half",
    [
        b'{"execute": "que',
        b'{"execute": "query-version"',
        b"[[[{",
        b'"\\',
        b'"\\u12',
        b"-",
        b'"\xe2\x82',
        b"tru",
        b"",
    ],
)
@pytest.mark.parametrize("reset", [b"\xff", b"\xfe", b"\x01"])
def test_a_byte_that_is_in_no_message_resets_the_session(client, half, reset):
    client.send(half + reset)
    assert client.read()["error"]["desc"].startswith("JSON parse error, stray")
    client.assert_alive()


def test_a_line_that_is_no_json(client):
    for line in ["hello", "GET / HTTP/1.1", "}", "]]", ",", ":", "QUIT", "\\", "'''", "%%%%"]:
        errors = errors_before_good_command(client, line + "\n")
        assert errors, line


def test_an_unclosed_string_ends_with_its_line(client):
    errors = errors_before_good_command(client, '{"execute": "query-version}\n')
    assert len(errors) == 1 and errors[0].startswith("JSON parse error, stray")


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes(client, seed):
    noise = random.Random(seed).randbytes(300)
    errors = errors_before_good_command(client, noise + b"\xff")
    assert errors


@pytest.mark.parametrize("seed", range(8))
def test_random_tokens(client, seed):
    """Bytes that mean something, in any order."""
    tokens = [*"\"'{}[],:1-e\\\n", ".5", "\\u", "true"]
    generator = random.Random(seed)
    noise = "".join(generator.choice(tokens) for _ in range(300))
    client.send(noise + "\xff")
    client.send(b"\xff")
    read_until_good(client)


def test_random_changes_of_a_good_command(client):
    good = b'{"execute": "query-stats", "arguments": {"target": "vm", "filters": [{}]}, "id": 1}'
    generator = random.Random(1)
    for _ in range(300):
        message = bytearray(good)
        for _ in range(generator.randrange(1, 4)):
            message[generator.randrange(len(message))] = generator.randrange(256)
        client.send(bytes(message) + b"\xff\n")
        client.send('{"execute": "query-version", "id": "good"}')
        read_until(client, "good")


# ---- limits -------------------------------------------------------------------------------------


def message_of_size(size):
    start, end = b'{"execute": "query-version", "id": "', b'"}'
    return start + b"x" * (size - len(start) - len(end)) + end


def test_the_largest_message(client):
    reply = client.ask(message_of_size(MESSAGE_MAX))
    assert len(reply["id"]) > MESSAGE_MAX - 100 and set(reply["id"]) == {"x"}
    client.assert_alive()


def test_a_message_one_byte_too_large(client):
    assert errors_before_good_command(client, message_of_size(MESSAGE_MAX + 1)) == [TOO_LARGE]


def test_space_around_messages_does_not_count(client):
    assert client.ask(b" \n" * MESSAGE_MAX + message_of_size(MESSAGE_MAX))["id"]
    assert errors_before_good_command(client, b"\r\n\t " * MESSAGE_MAX) == []


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_message_of_2_mib(server, client, end):
    before = server.memory()
    message = message_of_size(2 * MESSAGE_MAX) + end.encode()
    for _ in range(3):
        assert errors_before_good_command(client, message) == [TOO_LARGE]
    assert server.memory() - before < memory_bound(6 * 1024)


def test_spaces_inside_a_message_of_2_mib(client):
    message = b'{"execute":' + b" " * 2 * MESSAGE_MAX + b'"query-version"}'
    assert errors_before_good_command(client, message) == [TOO_LARGE]


@pytest.fixture
def deep_json():
    """json.loads() recurses."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * NESTING_MAX)
    yield
    sys.setrecursionlimit(limit)


def nested(depth):
    """A message in which so many brackets are open at a time."""
    inside = "[" * (depth - 1) + "]" * (depth - 1)
    return f'{{"execute": "query-version", "id": {inside}}}'


def test_the_deepest_message(client, deep_json):
    message = nested(NESTING_MAX)
    assert client.ask(message)["id"] == json.loads(message)["id"]
    objects = '{"execute": "query-version", "id": ' + '{"a": ' * 1023 + "1" + "}" * 1023 + "}"
    assert client.ask(objects)["id"] == json.loads(objects)["id"]
    client.assert_alive()


def test_a_message_one_level_too_deep(client):
    assert errors_before_good_command(client, nested(NESTING_MAX + 1)) == [TOO_DEEP]
    objects = '{"execute": "query-version", "id": ' + '{"a": ' * 1024 + "1" + "}" * 1024 + "}"
    assert errors_before_good_command(client, objects) == [TOO_DEEP]


def test_a_hundred_thousand_brackets(client):
    opening, closing = "[" * 100_000, "]" * 100_000
    assert errors_before_good_command(client, opening + "\n") == [TOO_DEEP]
    assert errors_before_good_command(client, opening + closing) == [TOO_DEEP]
    assert errors_before_good_command(client, "{" * 100_000 + "\n") == [TOO_DEEP]
    assert errors_before_good_command(client, '[{"a":' * 100_000 + "\n") == [TOO_DEEP]


def message_of_tokens(count):
    """The tokens of: {"execute": "query-version", "id": [[], 0, 0, ...]}"""
    head = '{ "execute" : "query-version" , "id" : ['.split()
    room = count - len(head) - 2 - (OBJECT_TOKENS - 1)
    elements = ["[", "]"] if room % 2 == 0 else ["0"]
    while len(elements) < room:
        elements += [",", "0"]
    tokens = head + elements + ["]", "}"]
    assert len(tokens) + OBJECT_TOKENS - 1 == count
    return "".join(tokens)


def test_the_most_tokens(client):
    assert len(client.ask(message_of_tokens(TOKENS_MAX))["id"]) > TOKENS_MAX / 2 - 10
    assert len(client.ask(message_of_tokens(TOKENS_MAX - 1))["id"]) > TOKENS_MAX / 2 - 10


def test_a_fraction_counts_as_eight_tokens(client):
    """It takes as long: 7279 of them with commas, ten tokens around and the object's own are 65527."""
    fractions = ",".join(["0.5"] * 7279)
    reply = client.ask('{"execute": "query-name", "id": [%s,0,0,0,[]]}' % fractions)
    assert len(reply["id"]) == 7283
    reply = client.ask('{"execute": "query-name", "id": [%s,0,0,0,0,0]}' % fractions)
    assert reply["error"]["desc"] == "JSON token count limit exceeded"


def test_one_token_too_many(client):
    assert errors_before_good_command(client, message_of_tokens(TOKENS_MAX + 1)) == [TOO_MANY]
    assert errors_before_good_command(client, message_of_tokens(TOKENS_MAX + 2)) == [TOO_MANY]


def test_the_most_members(client):
    many = {str(number): number for number in range(MEMBERS_MAX)}
    message = {"execute": "query-version", "id": [many, {"a": many}]}
    assert client.ask(json.dumps(message))["id"] == [many, {"a": many}]


def test_one_member_too_many(client):
    many = {str(number): number for number in range(MEMBERS_MAX + 1)}
    message = json.dumps({"execute": "query-version", "id": [{"a": many}]})
    assert errors_before_good_command(client, message) == [TOO_LARGE_OBJECT]
    arguments = json.dumps({"execute": "query-stats", "arguments": many})
    assert errors_before_good_command(client, arguments) == [TOO_LARGE_OBJECT]


def test_many_filters_and_names(client):
    """Long requests, within the limits."""
    fields = [f"name{i}" for i in range(10_000)]
    filters = [{"fields": ["a"]}] * 4_000
    assert client.execute("query-stats", target="vm", filters=[{"fields": fields}]) == {"vm": []}
    assert client.execute("query-stats", target="vm", filters=filters) == {"vm": []}
    assert client.execute("query-stats", target="vcpu", vcpus=fields) == {"vcpus": []}


# ---- noise --------------------------------------------------------------------------------------


def test_noise_does_not_keep_the_server_from_others(programs, server, client):
    """Who sends nothing but errors is read slowly, until a command is good."""
    noisy = programs.client(server)
    noisy.send(b"\xff" * 100)
    for _ in range(50):
        client.assert_alive()
    assert len(read_until_good(noisy)) == 100
    noisy.send(b"\xff" * 20)
    assert len(read_until_good(noisy)) == 20
