# SPDX-License-Identifier: MIT
"""Whose VM it is, whoever else has its files open."""

import pytest

from support.kernel_reader import BPF_READER, Reader, children, process_status
from support.namespaces import with_own_mounts
from support.programs import wait_until

IN_A_NAMESPACE = with_own_mounts("--pid", "--fork", "--mount-proc", "--kill-child")


def of_vms(records):
    return [(r["process"], r["is_owner"]) for r in records if r["kind"] == "vm"]


def test_a_vm_made_by_a_thread_that_has_ended(reader, vmm):
    vm = vmm("--vcpus", "0", "--creator-ends")
    records = reader.kvm(vm.pid)
    assert of_vms(records) == [(vm.pid, 1)]
    assert vm.pid not in {record["creator"] for record in records}


def test_a_process_whose_main_thread_has_ended(reader, vmm):
    vm = vmm("--vcpus", "0,1", "--guest", "once", "--main-ends")
    wait_until(lambda: process_status(vm.pid)["State"].startswith("Z"), "the main thread ends")
    assert reader.rows(vm.pid) == vm.rows()
    of_all = [record for record in reader.kvm() if record["process"] == vm.pid]
    assert len(of_all) == 3
    assert all(record["is_owner"] for record in of_all)


def test_files_that_another_process_holds_too(reader, vmm):
    vm = vmm("--vcpus", "0")
    ((_, child),) = [line.split() for line in vm.tell("hold")]
    held = reader.kvm(int(child))
    assert of_vms(held) == [(int(child), 0)]
    ours = [r for r in reader.kvm() if r["vm"] == held[0]["vm"]]
    assert of_vms(ours)[-1] == (vm.pid, 1)
    vm.tell("forget")
    ours = [r for r in reader.kvm() if r["vm"] == held[0]["vm"]]
    assert of_vms(ours) == [(int(child), 0)]


def test_a_file_that_is_open_often_comes_once(reader, vmm):
    vm = vmm("--vcpus", "0,1")
    before = reader.rows(vm.pid)
    vm.tell("copy", 200)
    assert reader.rows(vm.pid) == before
    assert len([record for record in reader.kvm() if record["process"] == vm.pid]) == len(before)


def test_a_vmm_in_a_pid_namespace(reader, vmm):
    vm = vmm("--vcpus", "0,1", "--guest", "once", around=IN_A_NAMESPACE)
    (inside,) = children(vm.pid)
    records = reader.kvm(inside)
    assert {(k, v, tuple(row)) for (k, _), (v, _, row) in vm.rows().items()} == {
        (r["kind"], r["vcpu_id"], tuple(r["row"])) for r in records
    }
    assert of_vms(records) == [(inside, 1)]
    assert all(record["creator"] == inside for record in records)


def test_a_reader_in_a_pid_namespace_sees_that_one_only(programs, vmm):
    vm = vmm("--vcpus", "0")
    inside = programs.keep(Reader(programs.directory, BPF_READER, around=IN_A_NAMESPACE))
    assert inside.missing == 0, inside.text
    assert not [record for record in inside.kvm() if record["process"] == vm.pid]


@pytest.mark.parametrize("guest", ["none", "once"])
def test_a_vmm_in_a_chroot(reader, vmm, programs, guest):
    vm = vmm("--vcpus", "0", "--guest", guest, "--chroot", programs.directory)
    assert reader.rows(vm.pid) == vm.rows()
