# SPDX-License-Identifier: MIT
"""What VMs of this host are called by a stranger's command line."""

import os

import pytest

from support.kernel_reader import BareVmm, process_status
from support.programs import wait_until
from support.this_host import listed, name_of, of_process, vitals

NAMED = f"named-{os.getpid()}"


@pytest.fixture
def disguised(programs):
    """Starts the bare VMM with this command line; its own options stand before."""

    def start(program, *words, options=()):
        around = ["bash", "-c", 'exec -a "$0" "$@"', program]
        return programs.keep(BareVmm(programs.directory, *options, "--", *words, around=around))

    return start


def test_names_of_other_vmms(disguised):
    qemu = disguised("/usr/bin/qemu-system-x86_64", "-name", f"guest={NAMED},debug-threads=on")
    (vm,) = of_process(qemu.pid)
    assert (vm["vm"], vm["vmm"]) == (NAMED, "qemu")
    firecracker = disguised("firecracker", f"--id={NAMED}-f")
    (vm,) = of_process(firecracker.pid)
    assert (vm["vm"], vm["vmm"]) == (f"{NAMED}-f", "firecracker")


def test_the_older_of_two_keeps_its_name(disguised):
    older = disguised("firecracker", "--id", NAMED)
    newer = disguised("firecracker", "--id", NAMED)
    taker = disguised("firecracker", "--id", f"{NAMED}@{newer.pid}")
    assert name_of(older.pid) == NAMED
    assert name_of(newer.pid) == f"{NAMED}@{newer.pid}"
    assert name_of(taker.pid) == f"{NAMED}@{newer.pid}@{taker.pid}"


@pytest.mark.parametrize("text, shown", [
    ("../../etc", "../../etc"),
    ("a\x1b[2Jb\nc\x7f", "a?[2Jb?c?"),
    ("\u202eabc", "?abc"),
    ("'\"\\,{}", "'\"\\,{}"),
    ("\udcff", "?"),
    (" ", " "),
    ("n" * 200, "n" * 127),
])  # fmt: skip
def test_hostile_names(disguised, text, shown):
    vm = disguised("firecracker", "--id", text)
    assert name_of(vm.pid) == shown
    lines = vitals("list").stdout.splitlines()
    assert len([line for line in lines if f" {vm.pid} " in line and line.startswith(shown)]) == 1


@pytest.mark.parametrize("text", ["", "\x1b[1m", "/", "x" * 4000])
def test_hostile_programs(disguised, text):
    vm = disguised(text, "-name", "x")
    (seen,) = of_process(vm.pid)
    assert seen["vm"] == f"{seen['vmm']}-{vm.pid}"
    assert seen["vmm"].isprintable() and 0 < len(seen["vmm"]) < 32


def test_a_command_line_of_a_mebibyte(disguised):
    words = ["x" * 65536] * 16
    vm = disguised("firecracker", *words, "--id", "behind")
    assert name_of(vm.pid) == f"firecracker-{vm.pid}"
    before = disguised("firecracker", "--id", NAMED, *words)
    assert name_of(before.pid) == NAMED


def test_a_command_line_that_changes(disguised):
    vm = disguised("firecracker", "--id", NAMED, "room for another one")
    vm.tell("line", f"qemu-kvm -name {NAMED}-2")
    (seen,) = of_process(vm.pid)
    assert (seen["vm"], seen["vmm"]) == (f"{NAMED}-2", "qemu")


def test_a_command_line_of_no_bytes(disguised):
    """As of a process whose main thread has ended."""
    vm = disguised("firecracker", "--id", NAMED, options=["--main-ends"])
    wait_until(lambda: process_status(vm.pid)["State"].startswith("Z"), "the main thread ends")
    with open(f"/proc/{vm.pid}/cmdline", "rb") as file:
        assert file.read() == b""
    (seen,) = of_process(vm.pid)
    assert (seen["vm"], seen["vmm"]) == (f"bare-vmm-{vm.pid}", "bare-vmm")


def test_many_vms_of_one_name(disguised):
    """The first of each process has no suffix but its number."""
    vms = [disguised("firecracker", "--id", NAMED, options=["--vms", "50"]) for _ in range(2)]
    names = [[vm["vm"] for vm in listed() if vm["pid"] == started.pid] for started in vms]
    for started, found, first in zip(vms, names, (NAMED, f"{NAMED}@{vms[1].pid}")):
        assert len(found) == len(set(found)) == 50
        assert first in found
        assert set(found) - {NAMED, f"{NAMED}@{started.pid}"} == {
            f"{NAMED}@{started.pid}.{i}" for i in range(2, 50 if started is vms[0] else 51)
        }
