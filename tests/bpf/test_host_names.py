# SPDX-License-Identifier: MIT
"""What VMs of this host are called by a stranger's command line."""

import csv
import json
import os
import time
import uuid

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


UUID = str(uuid.uuid4())
ORIGIN = ("vmm", "pid", "uid", "way", "uuid")


@pytest.fixture
def with_uuid(disguised):
    return disguised("/usr/bin/qemu-system-x86_64", "-name", NAMED, "-uuid", UUID)


def origin_of(vm):
    return tuple(vm[member] for member in ORIGIN)


def test_whose_a_vm_is(with_uuid):
    expected = ("qemu", with_uuid.pid, 0, "kernel", UUID)
    for verb in ("list", "stats", "hist", "schemas", "snap"):
        words = [verb] if verb == "snap" else [verb, "--json"]
        (vm,) = json.loads(vitals(*words, "--vm", NAMED).stdout)["vms"]
        assert (origin_of(vm), vm["socket"]) == (expected, None)
    for verb in ("list", "stats", "hist", "schemas"):
        lines = list(csv.DictReader(vitals(verb, "--vm", NAMED, "-o", "csv").stdout.splitlines()))
        assert {origin_of(line) for line in lines} == {tuple(map(str, expected))}
        assert {line["socket"] for line in lines} == {""}


def test_a_vm_by_its_uuid(with_uuid):
    for verb in ("list", "stats", "snap"):
        words = [verb] if verb == "snap" else [verb, "--json"]
        assert [vm["vm"] for vm in json.loads(vitals(*words, "--vm", UUID).stdout)["vms"]] == [NAMED]
    result = vitals("stats", "--vm", UUID, "--stat", "exits", "-i", "0.1", "-n", "2", "--json")
    for line in result.stdout.splitlines():
        assert {stat["vm"] for stat in json.loads(line)["stats"]} == {NAMED}
    other = "0" if UUID[-1] == "1" else "1"
    result = vitals("list", "--vm", UUID[:-1] + other)
    assert result.returncode == 3 and UUID in result.stderr


def test_whose_a_vm_was(with_uuid, tmp_path):
    """Also of snapshots that do not say so, as older ones."""
    before, after, old = (tmp_path / name for name in ("before", "after", "old"))
    for path in (before, after):
        assert vitals("snap", "--vm", NAMED, "-f", path).returncode == 0
        time.sleep(0.01)
    expected = ("qemu", with_uuid.pid, 0, "kernel", UUID)
    found = json.loads(vitals("diff", "--all", "--vm", UUID, before, after, "--json").stdout)
    assert [origin_of(vm) for vm in found["vms"]] == [expected]
    assert {stat["socket"] for stat in found["stats"]} == {None}
    lines = vitals("diff", "--all", before, after, "-o", "csv").stdout.splitlines()
    assert {origin_of(line) for line in csv.DictReader(lines)} == {tuple(map(str, expected))}
    snapshot = json.loads(after.read_text())
    for vm in snapshot["vms"]:
        for member in ORIGIN:
            del vm[member]
    old.write_text(json.dumps(snapshot))
    result = vitals("diff", "--all", before, old, "--json")
    assert result.returncode == 0, result.stderr
    assert [origin_of(vm) for vm in json.loads(result.stdout)["vms"]] == [(None,) * 5]
    for member, wrong in (("pid", "1"), ("uid", -1), ("vmm", 1), ("way", {}), ("uuid", [])):
        snapshot["vms"][0][member] = wrong
        old.write_text(json.dumps(snapshot))
        result = vitals("diff", before, old)
        assert result.returncode == 1
        assert "VM 1 lacks a member, or has a wrong one" in result.stderr
        del snapshot["vms"][0][member]
