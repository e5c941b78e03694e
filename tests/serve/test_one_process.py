# SPDX-License-Identifier: MIT
"""A query at a VM's socket has the VM's process read, and no other; or the whole host, where it must be."""

import contextlib
import json
import os
import pathlib

import pytest

from support.kernel_reader import READS_ONE_PROCESS, before_linux_6_1, children, processes_read
from support.namespaces import with_own_mounts
from support.programs import wait_until
from support.stats_fds import values_of_files
from support.this_host import answer, by_object

ONE, ALL = "one process", "the host"
IN_A_NAMESPACE = with_own_mounts("--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.fixture(params=[ONE, ALL])
def reads(request):
    return request.param


@pytest.fixture
def daemon(start, reads):
    daemon = start("--user", "root", "--group", "root", around=before_linux_6_1() if reads == ALL else ())
    assert daemon.ready, daemon.log()
    return daemon


def name_of(pid, n=0):
    return f"bare-vmm-{pid}" + ("", f"_40{pid}", f"_40{pid}.{n}")[min(n, 2)]


def client_of(daemon, programs, pid, n=0):
    daemon.wait_for(name_of(pid, n))
    return programs.client(daemon.socket(name_of(pid, n)))


def value(client, stat, provider="kvm", target="vcpu"):
    """Of the first vCPU, or of the VM."""
    return value_in(client.execute("query-stats", target=target), stat, provider, target)


def value_in(reply, stat, provider="kvm", target="vcpu"):
    providers = reply["vcpus"][0]["providers"] if target == "vcpu" else reply[target]
    (stats,) = [each["stats"] for each in providers if each["provider"] == provider]
    return next(each["value"] for each in stats if each["name"] == stat)


def send(client, **arguments):
    client.send(json.dumps({"execute": "query-stats", "arguments": arguments}).encode() + b"\n")


def assert_is_closed(client):
    """Its VM was there a moment ago, and nobody has told the daemon yet that it is gone."""
    with contextlib.suppress(ConnectionError):
        send(client, target="vm")
        assert client.read_line() == b""


def test_which_process_is_read(daemon, programs, vmm, reads):
    """One that has taken long alone is read with the host, until that is forgotten."""
    asked, other = vmm("--guest", "once"), vmm()
    client, beside = client_of(daemon, programs, asked.pid), client_of(daemon, programs, other.pid)
    before = value(client, "exits")

    def read_when_asked():
        assert value(client, "exits") == before
        return processes_read(daemon.pid) & {asked.pid, other.pid}

    if reads == ONE and READS_ONE_PROCESS:
        wait_until(lambda: read_when_asked() == {asked.pid}, "it is read alone")
    else:
        assert read_when_asked() == set()
    assert beside.execute("query-stats", target="vm")


def test_each_vm_of_a_process_has_its_own_values(daemon, programs, vmm):
    vms = vmm("--vms", 3, "--vcpus", "0,5", "--guest", "halted")
    clients = [client_of(daemon, programs, vms.pid, n) for n in range(3)]
    first = [value(client, "signal_exits") for client in clients]
    vms.tell("stop")
    assert all(value(client, "signal_exits") > before for client, before in zip(clients, first))


def test_values_are_those_of_now(daemon, programs, vmm):
    vm = vmm("--vcpus", "0,1", "--guest", "halted")
    client = client_of(daemon, programs, vm.pid)
    client.execute("query-stats", target="vcpu")
    vm.tell("stop")
    expected = values_of_files(programs, vm.pid, (0, 1))
    name = name_of(vm.pid)
    assert by_object(answer("stats", "--socket", daemon.socket(name))["stats"], name) == expected


def test_time_on_a_cpu_is_that_of_now(daemon, programs, vmm):
    vm = vmm("--guest", "spinning")
    client = client_of(daemon, programs, vm.pid)
    wait_until(lambda: len(client.execute("query-stats", target="vm")["vm"]) == 2, "provider sched is there")
    before = value(client, "run_ns", "sched")
    wait_until(lambda: value(client, "run_ns", "sched") > before, "it runs")
    assert value(client, "threads", "sched", "vm") == len(os.listdir(f"/proc/{vm.pid}/task"))


def test_a_vmm_in_a_pid_namespace(daemon, programs, vmm):
    vm = vmm("--vcpus", "0,5", "--guest", "once", around=IN_A_NAMESPACE)
    (inside,) = children(vm.pid)
    client = client_of(daemon, programs, inside)
    assert value(client, "exits")
    assert [vcpu["path"] for vcpu in client.execute("query-stats", target="vcpu")["vcpus"]] == ["/kvm/vcpu[0]", "/kvm/vcpu[5]"]


def test_a_process_whose_main_thread_has_ended(daemon, programs, vmm):
    vm = vmm("--vcpus", "0,1", "--guest", "once", "--main-ends")
    client = client_of(daemon, programs, vm.pid)
    assert value(client, "exits")
    assert len(client.execute("query-stats", target="vcpu")["vcpus"]) == 2


def of_this_process(vms, pid):
    return sorted(vm["name"] for vm in vms if vm.get("pid") == pid)


def test_while_others_come_and_go(daemon, programs, vmm):
    """A pass over all has many parts, and each of these may come between any two."""
    stays, changes = vmm("--vms", 150, "--vcpus", "0,1", "--guest", "once"), vmm()
    client = client_of(daemon, programs, stays.pid)
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    wait_until(lambda: len(of_this_process(host.execute("query-vms"), stays.pid)) == 150, "all are there")
    expected = of_this_process(host.execute("query-vms"), stays.pid)
    exits = 0
    for _ in range(10):
        changes.tell("close", 0)
        for _ in range(20):
            exits, before = value(client, "exits"), exits
            assert exits >= before
        assert not of_this_process(host.execute("query-vms"), changes.pid)
        changes.tell("make")
        assert of_this_process(host.execute("query-vms"), stays.pid) == expected
        assert len(of_this_process(host.execute("query-vms"), changes.pid)) == 1


# ---- what is not as it was ----------------------------------------------------------------------


@pytest.mark.parametrize("change", [["close", 0], ["exec", "/bin/cat"]])
def test_a_vm_that_is_gone(daemon, programs, vmm, change):
    vm = vmm()
    client = client_of(daemon, programs, vm.pid)
    client.execute("query-stats", target="vm")
    vm.tell(*change)
    if change[0] == "exec":
        wait_until(lambda: pathlib.Path(f"/proc/{vm.pid}/comm").read_text("ascii") == "cat\n", "it is cat")
    assert_is_closed(client)
    daemon.wait_without(name_of(vm.pid))


def test_a_vm_that_only_another_process_holds(daemon, programs, vmm):
    vm = vmm()
    client = client_of(daemon, programs, vm.pid)
    vm.tell("hold")
    client.execute("query-stats", target="vm")
    vm.tell("forget")
    assert_is_closed(client)


def test_one_vm_after_the_other(daemon, programs, vmm):
    """The kernel often gives the second one the memory of the first."""
    vm = vmm()
    for _ in range(5):
        client = client_of(daemon, programs, vm.pid)
        client.execute("query-stats", target="vm")
        vm.tell("close", 0)
        assert_is_closed(client)
        daemon.wait_without(name_of(vm.pid))
        vm.tell("make")


def test_many_that_ask_at_once(daemon, programs, vmm):
    """They share a pass, and none is forgotten."""
    vms = [vmm("--vms", 8, "--guest", "halted") for _ in range(4)]
    clients = [client_of(daemon, programs, vm.pid, n) for vm in vms for n in range(8)]
    before = [value(client, "signal_exits") for client in clients]
    for vm in vms:
        vm.tell("stop")
    for client in clients:
        send(client, target="vcpu")
    for client, exits in zip(clients, before):
        assert value_in(client.read_message()["return"], "signal_exits") > exits
