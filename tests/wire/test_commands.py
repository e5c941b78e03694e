# SPDX-License-Identifier: MIT
"""The commands: all that there are, what their arguments may be, and that none changes a VM."""

import json

import pytest

from support import shapes

ARGUMENTS = {"query-stats": {"target": "vm"}}  # of those that need any


def names_of_commands(client):
    return [command["name"] for command in client.execute("query-commands")]


def test_query_commands_lists_what_is_served(client):
    """shapes.RETURNS has what the contract has."""
    assert sorted(names_of_commands(client)) == sorted(shapes.RETURNS)


def test_every_command_that_is_listed_works(client):
    for name in names_of_commands(client):
        if name != "qmp_capabilities":  # it worked when the session began
            client.execute_with(name, ARGUMENTS.get(name))


@pytest.mark.parametrize(
    "name",
    """add_client balloon block_resize blockdev-add chardev-add client_migrate_info cont device_add
    device_del dump-guest-memory eject exit getfd human-monitor-command inject-nmi memsave migrate
    netdev_add object-add object-del pmemsave qom-set quit screendump send-key set_link set_password
    stop system_powerdown system_reset system_wakeup transaction vnc watchdog-set-action
    x-exit-preconfig""".split(),
)
def test_nothing_can_be_changed(client, name):
    error = client.ask(json.dumps({"execute": name}))["error"]
    assert error == {"class": "CommandNotFound", "desc": f"The command {name} has not been found"}
    assert client.execute("query-status")["running"] is True


def test_query_version_says_what_the_greeting_said(programs, server):
    client = programs.connect(server)
    greeting = client.read()
    client.execute("qmp_capabilities")
    assert client.execute("query-version") == greeting["QMP"]["version"]


def test_query_name(programs):
    assert programs.client(programs.server()).execute("query-name") == {}
    name = "w\u00fcb-1\U0001f5a5"
    assert programs.client(programs.server(name=name)).execute("query-name") == {"name": name}


def test_query_status(server, client):
    running = {"status": "running", "singlestep": False, "running": True}
    paused = {"status": "paused", "singlestep": False, "running": False}
    assert client.execute("query-status") == running
    server.tell("running", 0)
    assert client.execute("query-status") == paused
    server.tell("running", 1)
    assert client.execute("query-status") == running


# ---- arguments ----------------------------------------------------------------------------------

ARRAY = "Invalid parameter type for '{}', expected: array".format
STRING = "Invalid parameter type for '{}', expected: string".format
UNEXPECTED = "Parameter '{}' is unexpected".format


@pytest.mark.parametrize(
    "command, arguments, error",
    [
        ("query-stats", {}, "Parameter 'target' is missing"),
        ("query-stats", {"target": 7}, STRING("target")),
        ("query-stats", {"target": None}, STRING("target")),
        ("query-stats", {"target": "foo"}, "Parameter 'target' does not accept value 'foo'"),
        ("query-stats", {"target": "VM"}, "Parameter 'target' does not accept value 'VM'"),
        ("query-stats", {"target": "vm", "foo": 1}, UNEXPECTED("foo")),
        ("query-stats", {"target": "vm", "vcpus": []}, UNEXPECTED("vcpus")),
        ("query-stats", {"target": "vm", "filters": {}}, ARRAY("filters")),
        ("query-stats", {"target": "vm", "filters": None}, ARRAY("filters")),
        (
            "query-stats",
            {"target": "vm", "filters": [{}, 7]},
            "Invalid parameter type for 'filters[1]', expected: object",
        ),
        (
            "query-stats",
            {"target": "vm", "filters": [{"provider": 5}]},
            STRING("filters[0].provider"),
        ),
        (
            "query-stats",
            {"target": "vm", "filters": [{"provider": "foo"}]},
            "Parameter 'provider' does not accept value 'foo'",
        ),
        ("query-stats", {"target": "vm", "filters": [{"fields": "a"}]}, ARRAY("filters[0].fields")),
        (
            "query-stats",
            {"target": "vm", "filters": [{}, {"fields": ["a", 5]}]},
            STRING("filters[1].fields[1]"),
        ),
        ("query-stats", {"target": "vm", "filters": [{"foo": 1}]}, UNEXPECTED("filters[0].foo")),
        ("query-stats", {"target": "vcpu", "vcpus": "a"}, ARRAY("vcpus")),
        ("query-stats", {"target": "vcpu", "vcpus": None}, ARRAY("vcpus")),
        ("query-stats", {"target": "vcpu", "vcpus": ["a", 1]}, STRING("vcpus[1]")),
        ("query-stats-schemas", {"provider": 5}, STRING("provider")),
        ("query-stats-schemas", {"provider": None}, STRING("provider")),
        (
            "query-stats-schemas",
            {"provider": "foo"},
            "Parameter 'provider' does not accept value 'foo'",
        ),
        ("query-stats-schemas", {"target": "vm"}, UNEXPECTED("target")),
        ("query-version", {"foo": 1}, UNEXPECTED("foo")),
        ("query-commands", {"foo": 1}, UNEXPECTED("foo")),
        ("query-name", {"foo": 1}, UNEXPECTED("foo")),
        ("query-status", {"foo": 1}, UNEXPECTED("foo")),
        # The order: target, filters, vcpus, what is unexpected.
        ("query-stats", {"foo": 1, "filters": 5}, "Parameter 'target' is missing"),
        (
            "query-stats",
            {"filters": 5, "target": "foo"},
            "Parameter 'target' does not accept value 'foo'",
        ),
        ("query-stats", {"vcpus": 5, "filters": 5, "target": "vcpu"}, ARRAY("filters")),
        ("query-stats", {"foo": 1, "vcpus": 5, "target": "vcpu"}, ARRAY("vcpus")),
    ],
)
def test_the_errors_of_arguments(client, command, arguments, error):
    request = {"execute": command, "arguments": arguments, "id": 1}
    expected = {"id": 1, "error": {"class": "GenericError", "desc": error}}
    assert client.ask(json.dumps(request)) == expected
    client.assert_alive()


def test_arguments_may_be_missing_where_none_are_needed(client):
    for name in names_of_commands(client):
        if name == "query-stats":
            assert client.error_of('{"execute": "query-stats"}') == "Parameter 'target' is missing"
        elif name != "qmp_capabilities":
            assert client.execute_with(name) == client.execute_with(name, {})


def test_a_value_with_a_nul_is_another_value(client):
    reply = client.ask('{"execute": "query-stats", "arguments": {"target": "vm\\u0000"}}')
    assert reply["error"]["desc"] == "Parameter 'target' does not accept value 'vm\0'"
