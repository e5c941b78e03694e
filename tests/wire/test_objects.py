# SPDX-License-Identifier: MIT
"""Targets that a VMM names, such as its disks, which come and go, each with a group of its own."""

import json

import pytest

from support.introspection import Schema
from support.programs import run, stat
from support.qmp import QmpError

READS = stat("reads")
BYTES = stat("bytes", "cumulative", "bytes")
SIZES = stat("sizes", "log-hist", "bytes", count=3)
DISKS = ["/machine/peripheral/disk0", "/machine/peripheral/disk1"]


@pytest.fixture(params=["grouped", "flat"])
def dialect(request):
    return request.param


@pytest.fixture
def connect(programs, server, dialect):
    """Clients of one dialect, of what a socket shows."""

    def connect(*providers):
        path = programs.path(f"{dialect}{len(providers)}.sock")
        server.tell("listen", path, dialect, *([",".join(providers)] if providers else []))
        return programs.client(path)

    return connect


@pytest.fixture
def asked(connect):
    return connect()


def plug(server, i, *more):
    """A disk, with values of its own."""
    group = f"drive/block#{i}"
    server.tell("register", group, READS, BYTES, SIZES, *more)
    server.tell("object", group, DISKS[i], -1)
    server.tell("row", group, DISKS[i], *[100 * i + j for j in range(5 + len(more))])
    return group


def values(i, *more):
    numbers = [100 * i, 100 * i + 1, [100 * i + j for j in (2, 3, 4)]]
    return [("drive", name, value) for name, value in
            zip(("reads", "bytes", "sizes", *more), numbers + [100 * i + 5])]  # fmt: skip


def plain(value):
    return value["values"] if isinstance(value, dict) else value


def of_block(client, target="block", **arguments):
    """The objects in the order of the reply, each as (path, [(provider, name, value)])."""
    value = client.execute("query-stats", target=target, **arguments)
    if isinstance(value, dict):
        assert list(value) == [target]
        results = [(entry["path"], provider)
                   for entry in value[target] for provider in entry["providers"]]  # fmt: skip
    else:
        results = [(entry["qom-path"], entry) for entry in value]
    found = {}
    for path, result in results:
        found.setdefault(path, []).extend(
            (result["provider"], each["name"], plain(each["value"])) for each in result["stats"])  # fmt: skip
    return list(found.items())


def schemas_of(client, target="block"):
    value = client.execute("query-stats-schemas")
    if isinstance(value, list):
        value = {entry["target"]: [other for other in value if other["target"] == entry["target"]]
                 for entry in value}  # fmt: skip
    return {entry["provider"]: [each["name"] for each in entry["stats"]]
            for entry in value.get(target, [])}  # fmt: skip


def filtered(dialect, *names, provider="drive"):
    """The argument that chooses these statistics."""
    member = {"grouped": ("filters", "fields"), "flat": ("providers", "names")}[dialect]
    return {member[0]: [{"provider": provider, member[1]: list(names)}]}


def refused(client, **arguments):
    with pytest.raises(QmpError) as caught:
        client.execute("query-stats", **arguments)
    return caught.value.text


# ---- what comes and goes ------------------------------------------------------------------------


def test_disks_come_and_go(server, asked, dialect):
    server.tell("register", "mem/vm", stat("used"))
    assert refused(asked, target="block") == "Parameter 'target' does not accept value 'block'"
    plug(server, 0)
    assert of_block(asked) == [(DISKS[0], values(0))]
    group = plug(server, 1)
    both = [(DISKS[0], values(0)), (DISKS[1], values(1))]
    for _ in range(3):
        assert of_block(asked) == both
        assert schemas_of(asked) == {"drive": ["reads", "bytes", "sizes"]}
        server.tell("unregister", group)
        assert of_block(asked) == both[:1]
        plug(server, 1)
    server.tell("unregister", "drive/block#0")
    assert of_block(asked) == both[1:]
    plug(server, 0)
    assert of_block(asked) == both[::-1]
    for i in 0, 1:
        server.tell("unregister", f"drive/block#{i}")
    assert refused(asked, target="block") == "Parameter 'target' does not accept value 'block'"
    assert schemas_of(asked) == {}


def test_what_is_wanted(server, asked, dialect):
    for i in 0, 1:
        plug(server, i)
    assert of_block(asked, **filtered(dialect, "bytes")) == [
        (DISKS[i], values(i)[1:2]) for i in (0, 1)]  # fmt: skip
    assert of_block(asked, objects=[DISKS[1]]) == [(DISKS[1], values(1))]
    assert of_block(asked, objects=[DISKS[1], DISKS[0], DISKS[1]]) == [
        (DISKS[i], values(i)) for i in (0, 1)]  # fmt: skip
    assert of_block(asked, objects=[DISKS[1]], **filtered(dialect, "reads")) == [
        (DISKS[1], values(1)[:1])]  # fmt: skip
    for nothing in [], ["/machine"], [DISKS[0] + "/"], [""]:
        assert of_block(asked, objects=nothing) == []
    assert of_block(asked, **filtered(dialect)) == []


def test_only_what_is_wanted_is_read(server, asked):
    for i in 0, 1:
        plug(server, i)
    of_block(asked, objects=[DISKS[1]])
    assert [server.tell("rows", f"drive/block#{i}") for i in (0, 1)] == [0, 1]


def test_a_disk_with_more_statistics(server, asked):
    plug(server, 0)
    plug(server, 1, stat("flushes"))
    assert schemas_of(asked) == {"drive": ["reads", "bytes", "sizes", "flushes"]}
    assert of_block(asked) == [(DISKS[0], values(0)), (DISKS[1], values(1, "flushes"))]
    server.tell("unregister", "drive/block#0")
    assert of_block(asked) == [(DISKS[1], values(1, "flushes"))]
    plug(server, 0)
    assert schemas_of(asked) == {"drive": ["reads", "bytes", "sizes", "flushes"]}


def test_another_provider_of_the_same_disks(server, asked, dialect):
    for i in 0, 1:
        plug(server, i)
    server.tell("register", "cache/block", READS, stat("hits"))
    server.tell("row", "cache/block", DISKS[1], 7, 8)
    server.tell("row", "cache/block", "/cache", 9, 10)
    more = [("cache", "reads", 7), ("cache", "hits", 8)]
    alone = ("/cache", [("cache", "reads", 9), ("cache", "hits", 10)])
    assert of_block(asked) == [(DISKS[0], values(0)), (DISKS[1], values(1) + more), alone]
    assert of_block(asked, **filtered(dialect, "reads", provider="cache")) == [
        (DISKS[1], more[:1]), ("/cache", alone[1][:1])]  # fmt: skip
    assert schemas_of(asked) == {"drive": ["reads", "bytes", "sizes"], "cache": ["reads", "hits"]}


def test_a_disk_that_cant_be_read(server, asked):
    for i in 0, 1:
        plug(server, i)
    server.tell("fail", "drive/block#0", DISKS[0], 5)
    assert of_block(asked) == [(DISKS[1], values(1))]
    server.tell("break", "drive/block#1", 5)
    assert of_block(asked) == []
    server.tell("fail", "drive/block#0", DISKS[0], 0)
    assert of_block(asked) == [(DISKS[0], values(0))]


def entry_of(client, provider, **arguments):
    value = client.execute("query-stats-schemas", **arguments)
    if isinstance(value, dict):
        value = [entry for entries in value.values() for entry in entries]
    (entry,) = [entry for entry in value if entry["provider"] == provider]
    return entry


def test_why_nothing_of_a_provider_is_there(server, asked):
    """Of one that failed when somebody asked last; not of one without objects."""
    plug(server, 0)
    server.tell("register", "net/port", stat("packets"))
    assert of_block(asked, "port") == []
    server.tell("break", "drive/block#0", 5)
    assert "failure" not in entry_of(asked, "drive", failures=True)  # nobody has asked
    assert of_block(asked) == []
    assert entry_of(asked, "drive", failures=True)["failure"] == "Input/output error"
    assert "failure" not in entry_of(asked, "net", failures=True)
    for arguments in ({}, {"failures": False}, {"help": True}):
        assert "failure" not in entry_of(asked, "drive", **arguments)
    server.tell("break", "drive/block#0", 0)
    assert of_block(asked) == [(DISKS[0], values(0))]
    assert "failure" not in entry_of(asked, "drive", failures=True)


def test_verbs_say_why_nothing_is_there(server):
    """schemas what is known; doctor asks first."""
    plug(server, 0)
    server.tell("register", "net/port", stat("packets"))
    server.tell("register", "own/vm", stat("first"))
    server.tell("row", "own/vm", "vm", 1)

    def failures(*options):
        result = run("schemas", "--socket", server.path, "-o", "json", *options)
        assert (result.returncode, result.stderr) == (0, "")
        stats = json.loads(result.stdout)["stats"]
        return {stat["provider"]: stat["failure"] for stat in stats}

    def findings():
        result = run("doctor", "--socket", server.path, "--root", "/nothing", "-o", "json")
        checks = json.loads(result.stdout)["checks"]
        return [c for c in checks if c["check"] == "socket" and c["status"] == "warning"]

    assert findings() == []
    assert failures() == {"drive": None, "net": None, "own": None}
    assert "FAILURE" not in run("schemas", "--socket", server.path).stdout
    server.tell("break", "drive/block#0", 5)
    assert failures()["drive"] is None
    (finding,) = findings()
    assert "provider 'drive' has no values of target 'block': Input/output error" in str(finding)
    assert failures() == {"drive": "Input/output error", "net": None, "own": None}
    assert set(failures("--provider", "net").values()) == {None}
    lines = run("schemas", "--socket", server.path).stdout.splitlines()
    assert lines[0].endswith("FAILURE")
    assert {line.split()[1] for line in lines if line.endswith("Input/output error")} == {"drive"}
    server.tell("break", "drive/block#0", 0)
    assert findings() == []
    assert failures()["drive"] is None


def test_help_is_there_if_it_is_asked_for(server, asked):
    def schemas(arguments):
        asked.send(b'{"execute": "query-stats-schemas"' + arguments.encode() + b"}\n")
        return asked.read_line().decode()

    server.tell("register", "own/vm", stat("first", help_="One"), stat("second"))
    plain = schemas("")
    assert "help" not in plain
    assert schemas(', "arguments": {"help": false, "failures": true}') == plain
    helped = schemas(', "arguments": {"help": true}')
    assert helped != plain and helped.replace(', "help": "One"', "", 1) == plain


def test_several_targets(server, asked):
    """In the order in which they were registered, behind vCPUs and the VM."""
    server.tell("register", "net/port", stat("packets"))
    server.tell("row", "net/port", "/net0", 5)
    plug(server, 0)
    server.tell("register", "mem/vm", stat("used"))
    server.tell("register", "cpu/vcpu", stat("runs"))
    server.tell("register", "drive/port", stat("errors"))
    value = asked.execute("query-stats-schemas")
    if isinstance(value, dict):
        assert list(value) == ["vcpu", "vm", "port", "block"]
    else:
        assert [(entry["target"], entry["provider"]) for entry in value] == [
            ("vcpu", "cpu"), ("vm", "mem"), ("port", "net"), ("port", "drive"), ("block", "drive"),
        ]  # fmt: skip
    assert of_block(asked, "port") == [("/net0", [("net", "packets", 5)])]


def test_who_asks_only_for_vm_and_vcpus_sees_no_difference(server, programs, asked):
    server.tell("register", "mem/vm", stat("used"))
    server.tell("row", "mem/vm", "vm", 5)
    server.tell("register", "cpu/vcpu", stat("runs"))
    server.tell("row", "cpu/vcpu", DISKS[0], 6)
    texts = ['{"execute": "query-stats", "arguments": {"target": "%s"}}' % target
             for target in ("vm", "vcpu")]  # fmt: skip
    before = [asked.ask(text) for text in texts]
    for i in 0, 1:
        plug(server, i)
    assert [asked.ask(text) for text in texts] == before


# ---- what a socket shows ------------------------------------------------------------------------


def test_targets_of_providers_that_are_not_shown(server, connect):
    plug(server, 0)
    server.tell("register", "mem/vm", stat("used"))
    client = connect("mem")
    assert refused(client, target="block") == "Parameter 'target' does not accept value 'block'"
    assert schemas_of(client) == {}
    assert targets_of(client) == ["vm", "vcpu"]
    client = connect("mem", "drive")
    assert of_block(client) == [(DISKS[0], values(0))]
    assert targets_of(client) == ["vm", "vcpu", "block"]


# ---- what it says of itself ---------------------------------------------------------------------


def filter_of(client):
    schema = Schema(client.execute("query-qmp-schema"))
    return schema, schema.types[schema.commands["query-stats"]["arg-type"]]


def targets_of(client):
    schema, arguments = filter_of(client)
    (tag,) = [member for member in arguments["members"] if member["name"] == "target"]
    return schema.types[tag["type"]]["values"]


def test_the_schema_has_the_targets_of_the_moment(server, asked, dialect):
    assert targets_of(asked) == ["vm", "vcpu"]
    plug(server, 0)
    assert targets_of(asked) == ["vm", "vcpu", "block"]
    schema, arguments = filter_of(asked)
    members = {variant["case"]: [member["name"] for member in schema.types[variant["type"]]["members"]]
               for variant in arguments["variants"]}  # fmt: skip
    assert members == {"vm": [], "vcpu": ["vcpus"], "block": ["objects"]}
    if dialect == "grouped":
        returned = schema.types[schema.commands["query-stats"]["ret-type"]]
        assert [member["name"] for member in returned["members"]] == ["vcpus", "vm", "block"]
        assert all("default" in member for member in returned["members"])
    server.tell("unregister", "drive/block#0")
    assert targets_of(asked) == ["vm", "vcpu"]


# ---- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target, arguments, error",
    [
        ("block", {"vcpus": []}, "Parameter 'vcpus' is unexpected"),
        ("block", {"objects": "a"}, "Invalid parameter type for 'objects', expected: array"),
        ("block", {"objects": None}, "Invalid parameter type for 'objects', expected: array"),
        ("block", {"objects": ["a", 1]}, "Invalid parameter type for 'objects[1]', expected: string"),
        ("vm", {"objects": []}, "Parameter 'objects' is unexpected"),
        ("vcpu", {"objects": []}, "Parameter 'objects' is unexpected"),
        ("blocks", {}, "Parameter 'target' does not accept value 'blocks'"),
        ("vcpus", {}, "Parameter 'target' does not accept value 'vcpus'"),
        ("", {}, "Parameter 'target' does not accept value ''"),
    ],
)
def test_arguments_that_are_refused(server, asked, target, arguments, error):
    plug(server, 0)
    assert refused(asked, target=target, **arguments) == error


MESSAGE_MAX = 1 << 20
TOKENS_MAX = 1 << 16
TOKENS_AROUND = 32  # the message without its objects
OBJECTS = '{"execute":"query-stats","arguments":{"target":"block","objects":[%s]}}'


def paths_in(reply):
    entries = reply["return"]
    return [entry["path"] for entry in entries["block"]] if "block" in entries else [
        entry["qom-path"] for entry in entries]  # fmt: skip


def check_limit(client, good, bad, error):
    """The session goes on behind what is refused."""
    assert paths_in(client.ask(good)) == [DISKS[1]]
    assert client.error_of(bad) == error
    assert paths_in(client.ask(good)) == [DISKS[1]]


def test_the_longest_list_of_objects(server, asked):
    """As long as a message, and one byte longer."""
    for i in 0, 1:
        plug(server, i)
    text = OBJECTS % f'"{DISKS[1]}","%s"'
    room = MESSAGE_MAX - len(text % "")
    check_limit(asked, text % ("x" * room), text % ("x" * (room + 1)), "JSON token size limit exceeded")


def test_the_most_objects(server, asked):
    """As many as a message has tokens, two for each, and one more."""
    for i in 0, 1:
        plug(server, i)
    most = (TOKENS_MAX - TOKENS_AROUND) // 2
    many = [f'"{DISKS[1]}"'] + ['"/a"'] * most
    check_limit(asked, OBJECTS % ",".join(many[:most]), OBJECTS % ",".join(many), "JSON token count limit exceeded")
