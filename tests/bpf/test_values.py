# SPDX-License-Identifier: MIT
"""What is read from the kernel is what the VMM's own statistics files say."""

import os
import time

import pytest

from support.kernel_reader import NOBODY
from support.programs import EMULATED, wait_until
from support.stats_fds import StatsFds
from support.this_host import vitals

NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def start_ticks(pid):
    """Field 22 of /proc/PID/stat: the name before it may hold spaces."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return int(file.read().rpartition(")")[2].split()[19])


@pytest.mark.parametrize("guest", ["none", "once"])
def test_each_value_is_that_of_the_statistics_files(reader, vmm, guest):
    vm = vmm("--vms", 3, "--vcpus", "0,5,2", "--guest", guest)
    rows = vm.rows()
    assert len(rows) == 3 + 9
    assert reader.rows(vm.pid) == rows
    of_all = {(r["kind"], r["fd"]): r["row"] for r in reader.kvm() if r["process"] == vm.pid}
    assert of_all == {key: values for key, (_, _, values) in rows.items()}


def test_more_than_the_kernel_gives_at_a_time(reader, vmm):
    """It gives 32 KiB, and begins again with what did not fit."""
    vm = vmm("--vms", 100, "--vcpus", "0,1")
    rows = vm.rows()
    assert len(rows) == 300
    assert reader.rows(vm.pid) == rows
    assert len([record for record in reader.kvm() if record["process"] == vm.pid]) == len(rows)


def vms_of(records, pid):
    """The addresses of its VMs, each as often as its own file has a record."""
    return sorted(r["vm"] for r in records if r["process"] == pid and r["kind"] == "vm")


def test_a_pass_in_parts(reader, vmm):
    """Between any two of them VMs come and go, and a process is read alone."""
    first, later = (vmm("--vms", 100, "--vcpus", "0,1") for _ in range(2))
    before = [vms_of(reader.kvm(), vm.pid) for vm in (first, later)]
    assert reader.ask("begin", first.pid)[0]["is_more"]
    assert reader.kvm(later.pid)
    later.tell("close", 0)
    later.tell("make")
    records = reader.ask("rest", later.pid)
    assert vms_of(records, first.pid) == before[0]
    assert len({r["fd"] for r in records if r["process"] == first.pid}) == 300
    if later.pid > first.pid:
        now = vms_of(records, later.pid)
        assert set(now) == set(vms_of(reader.kvm(), later.pid))
        assert len(set(now)) == 100


@pytest.mark.parametrize("guest", ["spinning", "halted"])
def test_values_after_a_guest_was_stopped(reader, vmm, guest):
    vm = vmm("--vcpus", "3,1", "--guest", guest)
    wait_until(lambda: all(r["thread"] for r in reader.kvm(vm.pid) if r["kind"] == "vcpu"), "runs")
    vm.tell("stop")
    rows = vm.rows()
    assert reader.rows(vm.pid) == rows
    assert any(any(values) for _, _, values in rows.values())


@pytest.mark.parametrize("guest", ["spinning", "halted"])
def test_a_vcpu_in_its_guest_is_in_kvm_run(reader, vmm, guest):
    vm = vmm("--vcpus", "0,1", "--guest", guest)

    def in_kvm_run():
        return [r["in_kvm_run"] for r in reader.kvm(vm.pid) if r["kind"] == "vcpu"]

    wait_until(lambda: in_kvm_run() == [1, 1], "both vCPUs run")
    vm.tell("stop")
    wait_until(lambda: in_kvm_run() == [0, 0], "both vCPUs are left")


def test_a_vcpu_that_never_ran_has_no_thread(reader, vmm):
    vm = vmm("--vcpus", "0,63")
    assert [(r["vcpu_id"], r["thread"], r["in_kvm_run"]) for r in reader.kvm(vm.pid)] == [
        (0, 0, 0),
        (0, 0, 0),
        (63, 0, 0),
    ]


def test_what_is_known_of_the_process(reader, vmm):
    vm = vmm("--vcpus", "0", "--uid", NOBODY)
    for record in reader.kvm(vm.pid):
        assert record["process"] == record["creator"] == vm.pid
        assert record["uid"] == NOBODY
        assert record["is_owner"] == 1
        assert record["row_error"] == 0
        assert record["start_time"] // NS_PER_TICK == start_ticks(vm.pid)


def test_vcpus_have_the_address_of_their_vm(reader, vmm):
    vm = vmm("--vms", 2, "--vcpus", "0,1")
    by_fd = sorted(reader.kvm(vm.pid), key=lambda r: r["fd"])
    addresses = [record["vm"] for record in by_fd]
    assert addresses == [addresses[0]] * 3 + [addresses[3]] * 3
    assert addresses[0] != addresses[3]


def test_vms_come_and_go(reader, vmm):
    vm = vmm("--vms", 2, "--vcpus", "0,1")
    vm.tell("close", 0)
    assert reader.rows(vm.pid) == vm.rows()
    assert len(vm.rows()) == 3
    vm.tell("make")
    assert reader.rows(vm.pid) == vm.rows()
    assert len(vm.rows()) == 6
    vm.stop()
    assert not [r for r in reader.kvm() if r["process"] == vm.pid]


def test_a_process_that_is_not_there(reader):
    assert reader.kvm(4194303) == []


PASSES = 1000 if EMULATED else 10000
PASSES_AT_ONCE = 100  # of a busy machine with many VMs, in far less than the time that an answer is waited for


def by_name(stats):
    return {stat.name: stat.values for stat in stats}


def pass_often(reader, pid):
    """Over the whole host, and over one process."""
    for of_whom in (0, pid):
        for _ in range(PASSES // 2 // PASSES_AT_ONCE):
            reader.ask("time", PASSES_AT_ONCE, of_whom)


def settled(vm):
    """Its rows once they stay. KVM wakes all vCPUs when it sets their clocks, 0.1 s after the start."""
    rows = None
    while rows != vm.rows():
        rows = vm.rows()
        time.sleep(1)
    return rows


def test_halted_guests_are_not_disturbed(programs, reader, vmm):
    vm = vmm("--vcpus", "0,1", "--guest", "halted")
    files = programs.keep(StatsFds(vm.pid))
    wait_until(lambda: by_name(files.read_vcpu(1))["blocking"] == [1], "both guests have halted")
    before = settled(vm)
    pass_often(reader, vm.pid)
    assert vitals("stats", "-i", "0.001", "-n", "200").returncode == 0
    assert vm.rows() == before


def test_spinning_guests_are_not_disturbed(programs, reader, vmm):
    """They leave for the host's own interrupts; if each pass made them leave, that would double."""
    vm = vmm("--vcpus", "0", "--guest", "spinning")
    files = programs.keep(StatsFds(vm.pid))

    def exits_of(doing):
        before, begin = by_name(files.read_vcpu(0)), time.monotonic()
        doing()
        after, duration = by_name(files.read_vcpu(0)), time.monotonic() - begin
        assert after["signal_exits"] == before["signal_exits"]
        return after["exits"][0] - before["exits"][0], duration

    with_passes, duration = exits_of(lambda: pass_often(reader, vm.pid))
    without, _ = exits_of(lambda: time.sleep(duration))
    assert with_passes - without < PASSES // 2
