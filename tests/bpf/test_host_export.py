# SPDX-License-Identifier: MIT
"""`vitals export` of all VMs of this host, of VMMs that know nothing of it."""

import json
import signal

import pytest

from support import exposition
from support.programs import wait_until
from support.stats_fds import values_of_files
from support.this_host import name_of, of_process, types_of_kvm, vitals


def export(*words, text_format="openmetrics", **options):
    result = vitals("export", "-o", text_format, "--host", *words, **options)
    assert result.returncode == 0, result.stderr
    return exposition.READERS[text_format](result.stdout)


def labels_of(found, name):
    return [labels for labels, _ in found.of(name)]


@pytest.mark.parametrize("text_format", exposition.READERS)
def test_each_value_is_that_of_the_statistics_files(programs, vmm, text_format):
    vm = vmm("--vcpus", "0,5", "--guest", "once")
    name, expected = name_of(vm.pid), values_of_files(programs, vm.pid, (0, 5))
    found = export("--preset", "full", "--provider", "kvm", text_format=text_format)
    exposition.check_values_of_kvm(found, name, expected, types_of_kvm())


def test_who_they_are(vmm):
    vm = vmm("--vms", 2)
    found = export()
    infos = {labels["vm"]: labels for labels in labels_of(found, "kvm_vm_info")}
    for listed in of_process(vm.pid):
        info = infos[listed["vm"]]
        assert (info["pid"], info["vmm"], info["way"]) == (str(vm.pid), "bare-vmm", "kernel")
        assert found.value("vitals_source_up", vm=listed["vm"], source="kernel") == "1"
    assert found.value("vitals_source_up", vm="", source="kernel") == "1"


def test_what_the_host_gives(vmm):
    """Of provider `sched`: seconds and bytes."""
    name = name_of(vmm("--guest", "spinning").pid)

    def ran():
        return float(export().value("sched_vcpu_run_seconds_total", vm=name, vcpu="0"))

    wait_until(lambda: ran() > 0.1, "it has run")
    found = export()
    assert float(found.value("sched_vcpu_steal_seconds_total", vm=name, vcpu="0")) >= 0
    assert int(found.value("sched_vm_resident_bytes", vm=name)) > 4096
    assert found.heads["sched_vm_resident_bytes", "UNIT"] == "bytes"


def test_a_vm_that_was_killed_is_gone(vmm):
    """And one that is stopped is read as the others are."""
    stopped, killed = vmm("--guest", "once"), vmm("--guest", "once")
    names = name_of(stopped.pid), name_of(killed.pid)
    stopped.process.send_signal(signal.SIGSTOP)
    try:
        before = {labels["vm"] for labels in labels_of(export(), "kvm_vcpu_exits_total")}
        assert before >= set(names)
        killed.kill()
        found = export()
        vms = {dict(labels).get("vm") for _, labels in found.samples}
        assert names[1] not in vms
        assert "kvm_vcpu_exits_total" in found.names() and names[0] in vms
        assert found.value("vitals_source_up", vm=names[0], source="kernel") == "1"
    finally:
        stopped.process.send_signal(signal.SIGCONT)


def test_a_vm_that_is_not_wanted(vmm):
    names = [name_of(vmm().pid) for _ in range(2)]
    found = export("--vm", names[0])
    assert {labels["vm"] for labels in labels_of(found, "kvm_vm_info")} == {names[0]}


def test_a_kernel_that_cant_be_read(programs):
    """The exposition says so, for whoever looks at nothing else."""
    result = programs.run_as_other("export", "--host")
    assert result.returncode == 1 and "can't be read" in result.stderr
    found = exposition.read_openmetrics(result.stdout)
    assert found.value("vitals_source_up", vm="", source="kernel") == "0"
    assert labels_of(found, "kvm_vm_info") == []


def test_what_it_would_cost(vmm):
    vm = vmm("--vms", 3, "--vcpus", "0,1")
    result = vitals("export", "--host", "--explain-cost", "--vm", f"bare-vmm-{vm.pid}*")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("VMs: 3, vCPUs: 6. ") and " 1000 VMS\n" in result.stdout
