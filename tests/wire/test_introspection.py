# SPDX-License-Identifier: MIT
"""query-qmp-schema: it is whole, it is right about each command, and what checks all replies of
these tests by it finds fault with a wrong one."""

import itertools
import json
import re

import pytest

from support.introspection import Schema
from support.programs import ROOT, stat
from support.shapes import ShapeError

DIALECTS = ["grouped", "flat"]
PATH = "/machine/unattached/device[0]"


@pytest.fixture(params=DIALECTS)
def any_client(programs, server, request):
    """A client of a VM with two providers, in each dialect."""
    for target, stat_object in (("vm", "vm"), ("vcpu", PATH)):
        for provider in ("one", "two"):
            histogram = stat(f"{provider}_hist", "log-hist", "seconds", 10, -9, count=3)
            server.tell("register", f"{provider}/{target}", stat(f"{provider}_stat"), histogram)
            server.tell("row", f"{provider}/{target}", stat_object, 5, 1, 2, 3)
    path = programs.path("other.sock")
    server.tell("listen", path, request.param)
    client = programs.client(path)
    client.dialect = request.param
    return client


@pytest.fixture
def schema(any_client):
    return Schema(any_client.execute("query-qmp-schema"))


# ---- the schema itself --------------------------------------------------------------------------


def references(entry):
    """The names of the types that an entry uses."""
    names = [entry.get(key) for key in ("arg-type", "ret-type", "element-type")]
    for member in [*entry.get("members", []), *entry.get("variants", [])]:
        names.append(member.get("type"))
    return {name for name in names if name}


def test_the_dialect_is_the_one_that_was_asked_for(any_client, schema):
    assert schema.dialect == any_client.dialect


def test_it_has_the_commands_of_query_commands(any_client, schema):
    commands = [entry["name"] for entry in any_client.execute("query-commands")]
    assert sorted(commands) == sorted(schema.commands)


def test_each_type_is_there_and_is_used(server, any_client):
    """Some are of targets that only some VMs have."""
    server.tell("register", "one/block", stat("reads"))
    schema = Schema(any_client.execute("query-qmp-schema"))
    used = set().union(*map(references, schema.entries))
    assert used == set(schema.types)
    assert len(schema.entries) == len(schema.types) + len(schema.commands)


def test_names_of_types_mean_nothing(schema):
    """A client must not depend on them; those of built-in types and lists are QEMU's."""
    builtins = {"str": "string", "bool": "boolean", "int": "int", "any": "value"}
    for name, entry in schema.types.items():
        kind = entry["meta-type"]
        if kind == "builtin":
            assert entry["json-type"] == builtins[name]
        elif kind == "array":
            assert name == f"[{entry['element-type']}]"
        else:
            assert name.isdigit(), entry
    assert schema.types["0"] == {"name": "0", "members": [], "meta-type": "object"}


def test_values_of_an_enum_are_told_twice(schema):
    for entry in schema.types.values():
        if entry["meta-type"] == "enum":
            assert entry["values"] == [member["name"] for member in entry["members"]]


def test_a_union_has_a_variant_for_each_value_of_its_tag(schema):
    unions = [entry for entry in schema.types.values() if "tag" in entry]
    assert unions
    for union in unions:
        (tag,) = [member for member in union["members"] if member["name"] == union["tag"]]
        assert "default" not in tag
        cases = [variant["case"] for variant in union["variants"]]
        assert sorted(cases) == sorted(schema.types[tag["type"]]["values"])


def test_providers_are_those_of_the_moment(server, any_client):
    def providers():
        schema = Schema(any_client.execute("query-qmp-schema"))
        arguments = schema.types[schema.commands["query-stats-schemas"]["arg-type"]]
        return set(schema.types[arguments["members"][0]["type"]]["values"])

    assert providers() == {"one", "two"}
    server.tell("register", "three/vm", stat("three_stat"))
    assert providers() == {"one", "two", "three"}
    server.tell("unregister", "one/vm")
    assert providers() == {"one", "two", "three"}  # it still has vCPUs
    server.tell("unregister", "one/vcpu")
    assert providers() == {"two", "three"}


# ---- each command, as QEMU's qmp-cmd-test has it ------------------------------------------------


def mandatory_members(schema, command):
    arguments = schema.types[schema.commands[command]["arg-type"]]
    return [member["name"] for member in arguments["members"] if "default" not in member]


def test_each_query_works_without_arguments_or_says_which_is_missing(any_client, schema):
    for command in schema.commands:
        missing = mandatory_members(schema, command)
        if not command.startswith("query-"):
            continue
        reply = any_client.ask(json.dumps({"execute": command}))  # the return is checked there
        if missing:
            error = {"class": "GenericError", "desc": f"Parameter '{missing[0]}' is missing"}
            assert reply == {"error": error}
        else:
            assert "return" in reply


def test_no_command_overtakes_others(schema):
    for entry in schema.commands.values():
        assert not entry.get("allow-oob", False)


# ---- arguments: what the schema allows is accepted, and nothing else ----------------------------

GOOD_STRINGS = ["", PATH, "one_stat"]
WRONG = [None, True, 7, 1.5, "no such value", [], {}, [None], {"no-such-member": 1}]
MEMBERS_MAX = 3


class Samples:
    """Values for a type, made by rule: good ones, and ones that differ in one place."""

    def __init__(self, schema):
        self.schema = schema

    def good(self, name):
        entry = self.schema.types[name]
        return getattr(self, "good_" + entry["meta-type"])(entry)

    def good_builtin(self, entry):
        return {"string": GOOD_STRINGS, "int": [0, 1], "boolean": [True]}[entry["json-type"]]

    def good_enum(self, entry):
        return [member["name"] for member in entry["members"]]

    def good_array(self, entry):
        elements = self.good(entry["element-type"])
        return [[], *([element] for element in elements), elements]

    def good_alternate(self, entry):
        return [value for member in entry["members"] for value in self.good(member["type"])]

    def good_object(self, entry):
        """Each set of optional members, and each value of each member."""
        objects = [{}]
        for member in entry["members"]:
            values = self.good(member["type"])
            added = [{**o, member["name"]: v} for o, v in itertools.product(objects, values)]
            objects = added if "default" not in member else objects + added
        return [whole for o in objects for whole in self.with_variant(entry, o)]

    def with_variant(self, entry, value):
        if "tag" not in entry:
            return [value]
        (type_,) = [v["type"] for v in entry["variants"] if v["case"] == value[entry["tag"]]]
        return [{**value, **more} for more in self.good(type_)]

    def wrong(self, name):
        """Most are wrong; what is not is for the schema to say."""
        for value in self.good(name):
            yield from changed(value)


def changed(value):
    """The value with one part of it replaced, added or removed."""
    yield from WRONG
    if isinstance(value, list):
        for i, element in enumerate(value):
            for other in changed(element):
                yield [*value[:i], other, *value[i + 1 :]]
    elif isinstance(value, dict):
        yield {**value, "no-such-member": None}
        for name, member in value.items():
            yield {n: m for n, m in value.items() if n != name}
            for other in changed(member):
                yield {**value, name: other}


def distinct(values):
    return {json.dumps(value): value for value in values}.values()


def test_good_arguments_are_accepted(any_client, schema):
    samples, count = Samples(schema), 0
    for command, entry in schema.commands.items():
        if command == "qmp_capabilities":
            continue
        for arguments in distinct(samples.good(entry["arg-type"])):
            schema.check_arguments(command, arguments)
            any_client.execute_with(command, arguments)
            count += 1
    print(f"{count} good arguments")
    assert count > 100


def test_wrong_arguments_are_refused(any_client, schema):
    """An object of arguments is what the message itself wants: others are an error of its form."""
    samples, count = Samples(schema), 0
    for command, entry in schema.commands.items():
        for arguments in distinct(samples.wrong(entry["arg-type"])):
            if not isinstance(arguments, dict):
                continue
            request = {"execute": command, "arguments": arguments}
            reply = any_client.ask(json.dumps(request))
            accepted = schema.accepts(arguments, entry["arg-type"])
            if command == "qmp_capabilities":  # it was executed before
                assert "error" in reply
            else:
                assert accepted == ("return" in reply), (request, reply)
            count += not accepted
    print(f"{count} wrong arguments")
    assert count > 1000


# ---- the words that fuzzers know ----------------------------------------------------------------


def words_of(schema, name):
    """Names of members and values that a type's values can hold; providers have any name."""
    entry = schema.types[name]
    yield from (member["name"] for member in entry.get("members", []) if "name" in member)
    for inside in references(entry):
        yield from words_of(schema, inside)


def test_the_dictionary_of_the_fuzzers_is_whole(schema):
    text = (ROOT / "fuzz" / "qmp.dict").read_text("ascii")
    known = set(re.findall(r'\\"([\w-]+)\\"', text))
    words = set(schema.commands)
    for command in schema.commands.values():
        words.update(words_of(schema, command["arg-type"]))
    assert words - known == {"one", "two"}


# ---- the check of all replies -------------------------------------------------------------------


def reply_of(client, command):
    arguments = {"target": "vcpu"} if command == "query-stats" else {}
    return client.execute_with(command, arguments)


def parts_of(value):
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def places(value, path=()):
    """The way to each part of a value."""
    yield path
    for key, part in parts_of(value):
        yield from places(part, (*path, key))


def replaced(value, path, change):
    """A copy in which the part at the place is changed."""
    if not path:
        return change(value)
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], change)
    return copy


def part_of(value, path):
    for key in path:
        value = value[key]
    return value


class Impossible:
    """Of no type that JSON has."""


STATS_COMMANDS = ["query-stats", "query-stats-schemas", "query-status", "query-qmp-schema"]


@pytest.mark.parametrize("command", STATS_COMMANDS)
def test_a_wrong_value_is_found_at_each_place(any_client, schema, command):
    value = reply_of(any_client, command)
    found = 0
    for path in places(value):
        if path[-1:] == ("default",):  # of type 'any'
            continue
        with pytest.raises(ShapeError):
            schema.check_return(command, replaced(value, path, lambda _: Impossible()))
        found += 1
    assert found > 3


@pytest.mark.parametrize("command", STATS_COMMANDS)
def test_a_member_too_many_is_found_in_each_object(any_client, schema, command):
    value = reply_of(any_client, command)
    for path in places(value):
        if isinstance(part_of(value, path), dict):
            with pytest.raises(ShapeError):
                schema.check_return(command, replaced(value, path, lambda o: {**o, "extra": 1}))


OPTIONAL = {"grouped": {"vcpus", "vm", "vcpu"}, "flat": {"qom-path", "unit", "base"}}


def objects_without_a_member(value):
    """(the member's name, the value without it), for each member of each object."""
    for path in places(value):
        part = part_of(value, path)
        for name in part if isinstance(part, dict) else ():
            less = {n: m for n, m in part.items() if n != name}
            yield name, replaced(value, path, lambda _, less=less: less)


@pytest.mark.parametrize("command", STATS_COMMANDS[:3])
def test_a_member_that_is_missing_is_found(any_client, schema, command):
    for name, less in objects_without_a_member(reply_of(any_client, command)):
        if name in OPTIONAL[any_client.dialect]:
            schema.check_return(command, less)
        else:
            with pytest.raises(ShapeError):
                schema.check_return(command, less)


def test_members_of_another_variant_are_found(schema):
    command = {"name": "x", "meta-type": "command", "arg-type": "0", "ret-type": "0"}
    schema.check_return("query-qmp-schema", [command])
    for wrong in ("enum", "builtin", "event", "no-such-case"):
        with pytest.raises(ShapeError):
            schema.check_return("query-qmp-schema", [{**command, "meta-type": wrong}])


def test_a_boolean_is_no_number_and_a_number_no_boolean(schema):
    version = {"qemu": {"major": True, "minor": 0, "micro": 0}, "package": ""}
    with pytest.raises(ShapeError):
        schema.check_return("query-version", version)
    with pytest.raises(ShapeError):
        schema.check_return("query-kvm", {"enabled": 1, "present": True})


def test_a_client_checks_what_it_reads(any_client):
    """The hook of the client is there, and sees a wrong return, and a wrong verdict."""
    with pytest.raises(ShapeError):
        any_client.check_return_of("query-kvm", {}, {"enabled": True})
    good = reply_of(any_client, "query-stats")
    with pytest.raises(ShapeError):
        any_client.check_return_of("query-stats", {"target": "moon"}, good)
    with pytest.raises(ShapeError):
        any_client.check_error_of("query-stats", {"target": "vm"}, "Parameter 'x' is unexpected")
