# SPDX-License-Identifier: MIT
"""`vitals serve`: the sockets of each VM of this host, as long as it lives."""

import os
import pathlib
import signal

from support.programs import wait_until
from support.stats_fds import StatsFds, by_name, values_of_files
from support.this_host import answer, by_object


def values_at(path, name):
    """{None or the vCPU: {statistic: its value or values}} of the VM at a socket."""
    return by_object(answer("stats", "--socket", path)["stats"], name)


def bare_name(vm):
    return f"bare-vmm-{vm.pid}"


# ---- VMs of any VMM -----------------------------------------------------------------------------


def test_vms_that_run_already(start, vmm):
    vm = vmm()
    daemon = start()
    assert daemon.has(bare_name(vm))  # before it says that it is ready


def test_vms_that_start_later(daemon, programs, vmm, qemu, name):
    vm, demo = vmm(), programs.demo("--name", name + "-demo")
    qemu(name)
    daemon.wait_for(bare_name(vm), name + "-demo", name)
    assert demo.pid
    for each in (bare_name(vm), name + "-demo", name):
        for file, dialect in ("qmp.sock", "grouped"), ("qemu.sock", "flat"):
            (listed,) = answer("list", "--socket", daemon.socket(each, file))["vms"]
            assert (listed["vm"], listed["dialect"]) == (each, dialect)


def test_a_vm_of_qemu_has_its_uuid_and_vcpus(daemon, qemu, programs, name):
    uuid = "4a1c1e6a-0000-4000-8000-00000000c0de"
    qemu(name, "-smp", "3", "-uuid", uuid)
    daemon.wait_for(name)
    client = programs.client(daemon.socket(name))
    assert client.execute("query-uuid") == {"UUID": uuid}
    wait_until(lambda: len(client.execute("query-cpus-fast")) == 3, "all vCPUs are made")


def test_each_value_is_that_of_the_statistics_files(daemon, programs, vmm):
    vm = vmm("--vcpus", "0,5", "--guest", "once")
    name = bare_name(vm)
    daemon.wait_for(name)
    expected = values_of_files(programs, vm.pid, (0, 5))
    assert any(value for value in expected[5].values())
    for file in ("qmp.sock", "qemu.sock"):
        assert values_at(daemon.socket(name, file), name) == expected


def test_clients_of_qemu_see_one_provider(daemon, programs, vmm):
    """libvirt drops all values of a VM where there are others."""
    name = bare_name(vmm("--guest", "spinning"))
    daemon.wait_for(name)
    grouped, flat = (programs.client(daemon.socket(name, file)) for file in ("qmp.sock", "qemu.sock"))
    wait_until(lambda: len(grouped.execute("query-stats", target="vm")["vm"]) == 2, "both are there")
    assert {each["provider"] for each in flat.execute("query-stats", target="vm")} == {"kvm"}
    assert {each["provider"] for each in flat.execute("query-stats-schemas")} == {"kvm"}


def test_values_are_not_older_than_the_request(daemon, programs, vmm):
    """A pass follows each request: whoever has stopped a guest sees all that it did."""
    vm = vmm("--guest", "halted")
    name = bare_name(vm)
    daemon.wait_for(name)
    client = programs.client(daemon.socket(name))
    client.execute("query-stats", target="vcpu")
    vm.tell("stop")
    expected = values_of_files(programs, vm.pid, (0,))
    (vcpu,) = client.execute("query-stats", target="vcpu")["vcpus"]
    (stats,) = [p["stats"] for p in vcpu["providers"] if p["provider"] == "kvm"]
    values = {stat["name"]: stat["value"] for stat in stats}
    for each, value in expected[0].items():
        got = values[each]
        assert (got["values"] if isinstance(got, dict) else got) == value


def test_no_vcpu_is_disturbed(daemon, programs, vmm):
    vm = vmm("--guest", "spinning")
    daemon.wait_for(bare_name(vm))
    files = programs.keep(StatsFds(vm.pid))
    client = programs.client(daemon.socket(bare_name(vm)))
    before = by_name(files.read_vcpu(0))["signal_exits"]
    for _ in range(50):
        assert client.execute("query-stats", target="vcpu")["vcpus"]
    assert by_name(files.read_vcpu(0))["signal_exits"] == before


def test_a_vm_that_has_not_run_yet(daemon, programs, vmm):
    never = vmm()
    daemon.wait_for(bare_name(never))
    client = programs.client(daemon.socket(bare_name(never)))
    assert client.execute("query-status")["status"] == "prelaunch"
    spinning = vmm("--guest", "spinning")
    daemon.wait_for(bare_name(spinning))
    client = programs.client(daemon.socket(bare_name(spinning)))
    wait_until(lambda: client.execute("query-status")["status"] == "running", "it is seen to run")


# ---- how long they live -------------------------------------------------------------------------


def test_a_vm_that_is_killed_leaves_nothing(daemon, programs, vmm):
    vms = vmm("--vms", 3)
    names = {bare_name(vms), *(f"{bare_name(vms)}_40{vms.pid}{n}" for n in ("", ".2"))}
    daemon.wait_for(*names)
    client = programs.client(daemon.socket(bare_name(vms)))
    vms.kill()
    daemon.wait_without(*names)
    assert client.read_line() == b""


def test_a_daemon_that_ends_removes_its_sockets(daemon, vmm):
    vm = vmm()
    daemon.wait_for(bare_name(vm))
    daemon.stop()
    assert daemon.names() == set()


def test_a_daemon_that_was_killed_leaves_nothing_to_the_next_one(daemon, start, vmm):
    vms = vmm("--vms", 2), vmm()
    names = [bare_name(vms[0]), f"{bare_name(vms[0])}_40{vms[0].pid}", bare_name(vms[1])]
    daemon.wait_for(*names)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    assert set(names) <= daemon.names()
    vms[1].kill()
    for left in ("a/.vitals-0123456789abcdef/qmp.sock", "b/file", "c"):
        path = daemon.directory(left)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
    again = start("--user", "root", "--group", "root")
    assert all(again.has(each) for each in names[:2])
    assert not again.names() & {names[2], "a", "b", "c"}


def test_what_was_sent_before_the_end_is_answered(daemon, programs, vmm):
    vm = vmm()
    daemon.wait_for(bare_name(vm))
    client = programs.client(daemon.socket(bare_name(vm)))
    daemon.send_signal(signal.SIGSTOP)
    client.send(b'{"execute": "query-name"}\n')
    daemon.send_signal(signal.SIGTERM)
    daemon.send_signal(signal.SIGCONT)
    assert client.read_message()["return"] == {"name": bare_name(vm)}
    daemon.stop()
    assert not [path for path in pathlib.Path(daemon.run_directory).rglob("*") if path.is_socket()]


# ---- names --------------------------------------------------------------------------------------


def test_names_that_would_lead_elsewhere(daemon, programs, name):
    demos = {
        f"../../{name}": f"_2e._2f.._2f{name}",
        f"{name}/x y": f"{name}_2fx_20y",
        f".{name}": f"_2e{name}",
    }
    for each in demos:
        programs.demo("--name", each)
    daemon.wait_for(*demos.values())
    for each, directory in demos.items():
        assert programs.client(daemon.socket(directory)).execute("query-name") == {"name": each}


def test_a_long_name_is_cut(daemon, programs, name):
    long = name + 100 * "x"
    programs.demo("--name", long)
    wait_until(lambda: any(each.startswith(name) for each in daemon.names()), "it has a directory")
    (directory,) = [each for each in daemon.names() if each.startswith(name)]
    daemon.wait_for(directory)
    assert len(directory) <= 64
    assert len(os.fsencode(daemon.socket(directory, "qemu.sock"))) <= 107
    assert programs.client(daemon.socket(directory)).execute("query-name") == {"name": long}


def test_vms_leave_files_to_passes(start, programs, vmm):
    """However many there are: passes see them end, and their files come back."""
    daemon = start("--user", "root", "--group", "root", around=["prlimit", "--nofile=128:128"])
    vm = vmm("--vms", 128)
    wait_until(lambda: "not all sockets of this VM can be made" in daemon.log(), "there are no files for more")
    vm.kill()
    wait_until(lambda: not any(name.startswith(bare_name(vm)) for name in daemon.names()), "they are seen to end")
    assert "can't be read" not in daemon.log()
    later = vmm()
    daemon.wait_for(bare_name(later))
    assert programs.client(daemon.socket(bare_name(later))).execute("query-name") == {"name": bare_name(later)}


def test_a_name_stays_with_its_vm(daemon, programs, name):
    first = programs.demo("--name", name)
    daemon.wait_for(name)
    second = programs.demo("--name", name)
    other = f"{name}_40{second.pid}"
    daemon.wait_for(other)
    pids = {each: programs.client(daemon.socket(each)).execute("query-cpus-fast")[0]["thread-id"]
            for each in (name, other)}  # fmt: skip
    first.stop()
    daemon.wait_without(name)
    cpus = programs.client(daemon.socket(other)).execute("query-cpus-fast")
    assert cpus[0]["thread-id"] == pids[other] != pids[name]
    programs.demo("--name", name)
    daemon.wait_for(name)
    assert daemon.has(other)
