# SPDX-License-Identifier: MIT
"""The commands: all that there are, what their arguments may be, and that none changes a VM."""

import json

import pytest

from support import shapes, stats_file
from support.programs import stat

ARGUMENTS = {"query-stats": {"target": "vm"}}  # of those that need any


def names_of_commands(client):
    return [command["name"] for command in client.execute("query-commands")]


def test_query_commands_lists_what_is_served(client):
    """shapes.RETURNS has what the contract has. What is asked of a host is not at a VM's socket."""
    expected = [name for name in shapes.RETURNS if not name.startswith("query-vms")]
    assert sorted(names_of_commands(client)) == sorted(expected)


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


# ---- vCPUs --------------------------------------------------------------------------------------


def kvm_file(programs, name, id_):
    return programs.write(name, stats_file.build([stats_file.Stat("exits", values=[1])], id_))


def cpus(client):
    return [(cpu["qom-path"], cpu["cpu-index"], cpu["thread-id"])
            for cpu in client.execute("query-cpus-fast")]  # fmt: skip


@pytest.fixture
def vm(programs, server):
    """Three vCPUs, created by one thread."""
    server.tell("kvm", "-")
    for i in range(3):
        server.tell("vcpu", f"/cpu/{i}", kvm_file(programs, f"vcpu{i}", f"kvm-77/vcpu-{i}"))
    return server


def test_a_vcpu_keeps_its_number_when_others_go(programs, vm, client):
    assert cpus(client) == [("/cpu/0", 0, 77), ("/cpu/1", 1, 77), ("/cpu/2", 2, 77)]
    vm.tell("unplug", "/cpu/0")
    assert cpus(client) == [("/cpu/1", 1, 77), ("/cpu/2", 2, 77)]
    vm.tell("vcpu", "/new", kvm_file(programs, "new", "no id"))
    vm.tell("vcpu", "/cpu/0", kvm_file(programs, "back", "no id"))
    assert cpus(client) == [("/cpu/0", 0, -1), ("/cpu/1", 1, 77), ("/cpu/2", 2, 77), ("/new", 3, -1)]


def test_numbers_of_vcpus_are_those_of_kvm(programs, vm, client):
    vm.tell("vcpu", "/far", kvm_file(programs, "far", "kvm-78/vcpu-200"))
    vm.tell("vcpu", "/near", kvm_file(programs, "near", "kvm-79/vcpu-5"))
    assert cpus(client)[3:] == [("/near", 5, 79), ("/far", 200, 78)]


def test_threads_of_vcpus_are_those_that_the_vmm_told(vm, client):
    vm.tell("thread", "vcpu", "/cpu/1", 101)
    vm.tell("thread", "vcpu", "/cpu/2", 102)
    assert cpus(client) == [("/cpu/0", 0, 77), ("/cpu/1", 1, 101), ("/cpu/2", 2, 102)]
    vm.tell("thread", "vcpu", "/cpu/2", -1)
    assert cpus(client)[2] == ("/cpu/2", 2, -1)


def test_vcpus_of_another_provider(vm, client):
    vm.tell("register", "p/vcpu", stat("count"))
    vm.tell("object", "p/vcpu", "/cpu/1", -1)
    vm.tell("object", "p/vcpu", "/other", 9)
    vm.tell("unplug", "/cpu/1")
    assert [number for _, number, _ in cpus(client)] == [0, 1, 2, 9]
    vm.tell("gone", "p/vcpu", "/other")
    vm.tell("unregister", "p/vcpu")
    assert [number for _, number, _ in cpus(client)] == [0, 2]


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
        ("query-stats", {"target": "vm", "objects": []}, UNEXPECTED("objects")),
        ("query-stats", {"target": "vcpu", "objects": []}, UNEXPECTED("objects")),
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
