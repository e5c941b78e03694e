# SPDX-License-Identifier: MIT
"""host.sock: the statistics of many VMs in one reply."""

import json
import os

import pytest

from support.programs import wait_until
from support.registrant import Registrant, Rows, Vm
from test_users import name_of

KVM = [{"provider": "kvm"}]  # CPU time goes on while the threads of a VMM rest
READS = [{"name": "disk_reads", "type": "cumulative", "help": "Reads."}]


@pytest.fixture
def path(daemon):
    return os.path.join(daemon.run_directory, "host.sock")


@pytest.fixture
def host(path, programs):
    return programs.client(path)


@pytest.fixture
def names(host, vmm):
    """Three VMs at rest, of two processes: what is read of them stays as it is."""
    several, one = vmm("--vms", 2, "--vcpus", "0,1"), vmm("--vcpus", "0,3", "--guest", "once")
    names = [name_of(several), f"{name_of(several)}@{several.pid}", name_of(one)]
    wait_until(lambda: set(names) <= sockets_of(host).keys(), "all are seen")
    return names


@pytest.fixture
def own(host, programs):
    """Asks VMs at their own sockets: what each of them says, by its name."""

    def ask(names, command, **arguments):
        sockets = sockets_of(host)
        return {name: programs.client(sockets[name]).execute_with(command, arguments) for name in names}

    return ask


@pytest.fixture
def registered(daemon, programs, name):
    """A VM with statistics of its own; its connection is where it can be changed."""
    client = programs.keep(Registrant(os.path.join(daemon.run_directory, "register.sock")).negotiate())
    client.register(programs.keep(Vm()), name)
    numbers = programs.keep(Rows(1, n=2))
    numbers.write(5)
    numbers.write(7, row=1)
    assert "return" in client.add_stats(numbers, "disk", "block", READS)
    client.do("add-objects", provider="disk", target="block", objects=[{"path": "sda", "row": 0}, {"path": "sdb", "row": 1}])
    daemon.wait_for(name)
    return client


def sockets_of(host):
    return {vm["name"]: vm["sockets"]["grouped"] for vm in host.execute("query-vms")}


def by_name(entries, member):
    return {entry["name"]: entry[member] for entry in entries}


# ---- what is told -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"target": "vm", "filters": KVM},
        {"target": "vcpu", "filters": KVM},
        {"target": "vcpu", "filters": [{"provider": "kvm", "fields": ["exits", "halt_poll_success_hist"]}]},
        {"target": "vcpu", "filters": [{"fields": ["exits", "no_such"]}], "vcpus": ["vcpu3", "vcpu0", "no_such"]},
        {"target": "vcpu", "filters": []},
        {"target": "vm", "filters": []},
    ],
)
def test_it_is_what_each_vm_says(host, names, own, arguments):
    told = host.execute_with("query-vms-stats", arguments | {"vms": names})
    assert sorted(entry["name"] for entry in told) == sorted(names)
    assert by_name(told, "stats") == own(names, "query-stats", **arguments)
    everything = by_name(host.execute_with("query-vms-stats", arguments), "stats")
    assert {name: everything[name] for name in names} == by_name(told, "stats")


def test_all_providers(host, names, own):
    """Where time goes on, the names are the same."""

    def shape(stats):
        return [(vcpu["path"], [(each["provider"], [stat["name"] for stat in each["stats"]]) for each in vcpu["providers"]])
                for vcpu in stats["vcpus"]]  # fmt: skip

    told = by_name(host.execute_with("query-vms-stats", {"target": "vcpu", "vms": names}), "stats")
    asked = own(names, "query-stats", target="vcpu")
    assert {name: shape(told[name]) for name in names} == {name: shape(asked[name]) for name in names}
    assert [provider for provider, _ in shape(told[names[2]])[0][1]] == ["kvm", "sched"]


def test_the_order_is_that_of_the_list(host, names):
    order = [vm["name"] for vm in host.execute("query-vms")]
    told = host.execute_with("query-vms-stats", {"target": "vm"})
    assert [entry["name"] for entry in told] == order
    told = host.execute_with("query-vms-stats", {"target": "vm", "vms": [*reversed(names), names[0]]})
    assert [entry["name"] for entry in told] == [name for name in order if name in names]


def test_values_are_those_of_now(host, vmm, own):
    vm = vmm("--guest", "halted")
    name = name_of(vm)
    arguments = {"target": "vcpu", "filters": [{"provider": "kvm", "fields": ["signal_exits"]}]}

    def exits(stats):
        return stats["vcpus"][0]["providers"][0]["stats"][0]["value"]

    def told():
        return exits(by_name(host.execute_with("query-vms-stats", arguments | {"vms": [name]}), "stats")[name])

    wait_until(lambda: name in {vm["name"] for vm in host.execute("query-vms")}, "it is seen")
    first = told()
    vm.tell("stop")
    now = told()
    assert first < now == exits(own([name], "query-stats", **arguments)[name])


def test_vcpus(host, names, own, registered, name):
    told = by_name(host.execute_with("query-vms-cpus-fast", {"vms": [*names, name]}), "cpus")
    assert told == own([*names, name], "query-cpus-fast")
    assert by_name(host.execute("query-vms-cpus-fast"), "cpus").items() >= told.items()


def test_a_vm_with_statistics_of_its_own(host, names, own, registered, name):
    told = by_name(host.execute_with("query-vms-stats", {"target": "block"}), "stats")
    assert told[names[0]] == {"block": []}
    assert told[name] == own([name], "query-stats", target="block")[name]
    assert len(told[name]["block"]) == 2
    arguments = {"target": "block", "objects": ["sdb"], "vms": [name]}
    ((entry),) = host.execute_with("query-vms-stats", arguments)
    assert [each["path"] for each in entry["stats"]["block"]] == ["sdb"]


def test_schemas_are_told_once(host, names, own, registered, name):
    for arguments in [{}, {"provider": "sched"}, {"help": True}]:
        told = host.execute_with("query-vms-stats-schemas", arguments | {"vms": [*names, name]})
        by_vm = {vm: entry["schemas"] for entry in told for vm in entry["names"]}
        assert sum(len(entry["names"]) for entry in told) == len(by_vm)
        assert by_vm == own([*names, name], "query-stats-schemas", **arguments)
        assert all(set(names) <= set(e["names"]) or not set(names) & set(e["names"]) for e in told)
    assert sorted(len(entry["names"]) for entry in told) == [1, 3]
    told = host.execute_with("query-vms-stats-schemas", {"provider": "disk", "vms": [*names, name]})
    by_vm = {vm: entry["schemas"] for entry in told for vm in entry["names"]}
    assert by_vm == {vm: {} for vm in names} | own([name], "query-stats-schemas", provider="disk")
    everything = host.execute("query-vms-stats-schemas")
    order = {vm["name"] for vm in host.execute("query-vms")}
    assert {vm for entry in everything for vm in entry["names"]} == order


def test_what_has_failed_is_of_each_vm(host, names, own):
    told = host.execute_with("query-vms-stats-schemas", {"failures": True, "vms": names})
    assert sorted(entry["names"] for entry in told) == sorted([name] for name in names)
    by_vm = {entry["names"][0]: entry["schemas"] for entry in told}
    assert by_vm == own(names, "query-stats-schemas", failures=True)


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, error",
    [
        ({}, "Parameter 'target' is missing"),
        ({"target": "vms"}, "Parameter 'target' does not accept value 'vms'"),
        ({"target": "vm", "vcpus": []}, "Parameter 'vcpus' is unexpected"),
        ({"target": "vm", "vms": "web1"}, "Invalid parameter type for 'vms', expected: array"),
        ({"target": "vm", "vms": ["no such"]}, "There is no VM of the name 'no such'"),
        ({"target": "vm", "filters": [{"provider": "kvm"}, {"provider": "xen"}]}, "Parameter 'provider' does not accept value 'xen'"),
    ],
)
def test_wrong_arguments(host, names, arguments, error):
    assert host.error_of(json.dumps({"execute": "query-vms-stats", "arguments": arguments})) == error


def test_no_such_vm(host, names):
    for command in ["query-vms-cpus-fast", "query-vms-stats-schemas"]:
        text = json.dumps({"execute": command, "arguments": {"vms": [*names, "ghost"]}})
        assert host.error_of(text) == "There is no VM of the name 'ghost'"


def test_nothing_is_chosen(host, names):
    assert host.execute_with("query-vms-stats", {"target": "vm", "vms": []}) == []
    assert host.execute_with("query-vms-stats-schemas", {"vms": []}) == []
    assert host.execute_with("query-vms-cpus-fast", {"vms": []}) == []
    arguments = {"target": "vm", "filters": [{"provider": "kvm", "fields": ["no_such"]}], "vms": names}
    assert by_name(host.execute_with("query-vms-stats", arguments), "stats") == {name: {"vm": []} for name in names}


# ---- long replies -------------------------------------------------------------------------------


def test_a_vm_that_ends_meanwhile(daemon, path, host, vmm, programs):
    """What is not written yet of it is left out; a reply under way keeps nothing of it."""
    vcpus = ",".join(map(str, range(64)))
    vms = [vmm("--vcpus", vcpus, "--vms", 4) for _ in range(4)]
    wait_until(lambda: {vm.pid for vm in vms} <= {told["pid"] for told in host.execute("query-vms")}, "all are seen")
    by_pid = [(told["pid"], told["name"]) for told in host.execute("query-vms")]
    mine = [name for pid, name in by_pid if pid in {vm.pid for vm in vms}]
    slow = programs.client(path)
    slow.send(json.dumps({"execute": "query-vms-stats", "arguments": {"target": "vcpu", "vms": mine}}))
    wait_until(lambda: not slow.is_silent(0), "the first part has come")
    for vm in vms[1:]:
        vm.kill()
    gone = [name for pid, name in by_pid if pid in {vm.pid for vm in vms[1:]}]
    wait_until(lambda: not {told["name"] for told in host.execute("query-vms")} & set(gone), "they are gone")
    told = [entry["name"] for entry in slow.read_message()["return"]]
    assert told == mine[: len(told)] and len(told) < len(mine)
    assert len(host.execute_with("query-vms-stats", {"target": "vcpu", "vms": mine[:4]})) == 4
