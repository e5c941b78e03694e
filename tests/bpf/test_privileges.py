# SPDX-License-Identifier: MIT
"""Which privileges it takes, and that none are kept."""

import os

import pytest

from support.kernel_reader import (
    BPF_READER,
    MISSING,
    NOBODY,
    READS_ONE_PROCESS,
    Reader,
    as_nobody,
    before_linux_6_1,
    process_status,
    processes_read,
    reader_for_all,
)


@pytest.fixture
def nobody(programs, host):
    """Starts the reader as another user with some capabilities."""

    def start(*capabilities):
        command = [reader_for_all(programs.directory), host.path]
        return Reader(programs.directory, *command, around=as_nobody(*capabilities))

    return start


def test_two_capabilities_are_enough(nobody, vmm, programs):
    reader = programs.keep(nobody("bpf", "perfmon"))
    vm = vmm("--vcpus", "0,1", "--guest", "once")
    assert reader.missing == 0, reader.text
    assert process_status(reader.pid)["CapEff"] == "000000c000000000"
    assert reader.rows(vm.pid) == vm.rows()
    reader.tell("drop")
    assert int(process_status(reader.pid)["CapPrm"], 16) == 0
    assert reader.rows(vm.pid) == vm.rows()


def test_no_capability_is_needed_after_the_start(reader, vmm):
    vm = vmm("--vms", 2, "--vcpus", "0,1", "--guest", "once")
    reader.tell("drop")
    status = process_status(reader.pid)
    assert status["Uid"].split() == [str(NOBODY)] * 4
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
    rows = vm.rows()
    assert reader.rows(vm.pid) == rows
    assert len([record for record in reader.kvm() if record["process"] == vm.pid]) == len(rows)
    another = vmm("--vcpus", "7")
    assert reader.rows(another.pid) == another.rows()
    threads = {record["thread"] for record in reader.ask("threads", vm.pid)}
    assert threads == {int(name) for name in os.listdir(f"/proc/{vm.pid}/task")}


def test_without_capabilities(nobody):
    reader = nobody()
    assert reader.missing == MISSING["cap_bpf"]
    assert "CAP_BPF and CAP_PERFMON" in reader.text
    assert "root" in reader.hint
    assert reader.wait() == 1


def test_without_one_of_them(nobody):
    reader = nobody("bpf")
    assert (reader.missing, reader.wait()) == (MISSING["cap_perfmon"], 1)
    assert reader.text.endswith("capability CAP_PERFMON")
    reader = nobody("perfmon")
    assert (reader.missing, reader.wait()) == (MISSING["cap_bpf"], 1)
    assert reader.text.endswith("capability CAP_BPF")


def test_capabilities_of_another_user_namespace(programs, host):
    """Faked: the emulated machine's command has a root of its own, from which no namespace starts."""
    host.write("proc/self/uid_map", "         0       1000          1\n")
    reader = Reader(programs.directory, BPF_READER, host.path)
    assert (reader.missing, reader.wait()) == (MISSING["host"], 1)


def test_a_device_that_may_not_be_opened(nobody, host):
    host.remove("dev/kvm")
    host.make_device(0o600)
    reader = nobody("bpf", "perfmon")
    assert (reader.missing, reader.wait()) == (MISSING["permission"], 1)
    assert "/dev/kvm can't be opened: Permission denied" in reader.text


@pytest.mark.parametrize("around", [[], before_linux_6_1()], ids=["one process", "the host"])
def test_one_process_among_others(programs, vmm, around):
    """Whether the kernel goes over it alone, or over all: to others it makes no difference."""
    reader = programs.keep(Reader(programs.directory, around=around))
    vms = vmm("--vcpus", "0,1", "--guest", "once"), vmm()
    reader.ask("drop")
    for vm in vms:
        assert reader.rows(vm.pid) == vm.rows()
    expected = {vms[1].pid} if READS_ONE_PROCESS and not around else set()
    assert processes_read(reader.pid) & {vm.pid for vm in vms} == expected
