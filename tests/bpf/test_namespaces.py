# SPDX-License-Identifier: MIT
"""Processes have another number in each pid namespace. The numbers that are shown are those of the
reader's own /proc, and nothing that is looked up by a number is another process's."""

import json
import os
import signal

import pytest

from support.batch import top
from support.kernel_reader import children, process_status
from support.namespaces import with_own_mounts
from support.programs import wait_until
from support.this_host import answer, of_process, vitals

IN_A_NAMESPACE = with_own_mounts("--pid", "--fork", "--mount-proc", "--kill-child")


def nsenter(pid, *namespaces):
    """The words before a command. The root of mounts may be another directory than that of a chroot."""
    root = ["--root"] if "--mount" in namespaces else []
    return ["nsenter", f"--target={pid}", *namespaces, *root]


class Container:
    """A VMM that is the first process of a pid namespace, with a /proc of its own."""

    def __init__(self, vmm, name=None):
        disguise = ["bash", "-c", 'exec -a "$0" "$@"', "firecracker"] if name else []
        words = ["--", f"--id={name}"] if name else []
        self.vmm = vmm("--vcpus", "0,5", "--guest", "spinning", *words, around=[*IN_A_NAMESPACE, *disguise])
        (self.pid,) = children(self.vmm.pid)  # for the host

    def words(self, *namespaces):
        return nsenter(self.pid, *namespaces)

    def vitals(self, *words):
        """Beside the VMM, as in another container of its pod."""
        return vitals(*words, around=self.words("--pid", "--mount"))

    def answer(self, *words):
        result = self.vitals(*words, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def threads(self):
        """{number in the namespace: number for the host}"""
        threads = map(int, os.listdir(f"/proc/{self.pid}/task"))
        return {int(process_status(t)["NSpid"].split()[-1]): t for t in threads}


@pytest.fixture
def container(vmm):
    return Container(vmm)


def test_whose_a_vm_is_to_a_reader_in_its_namespace(container, vmm):
    vmm()  # outside
    (vm,) = container.answer("list")["vms"]
    assert (vm["vm"], vm["pid"], vm["vmm"]) == ("bare-vmm-1", 1, "bare-vmm")


def test_a_list_says_that_it_sees_one_namespace(container):
    result = container.vitals("list")
    assert result.returncode == 0 and "bare-vmm-1" in result.stdout
    first, hint = result.stderr.splitlines()
    assert first == "vitals list: only the VMs of this pid namespace are seen"
    assert "hostPID: true" in hint
    result = container.vitals("list", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert vitals("list").stderr == ""


@pytest.mark.parametrize("around, status", [((), "ok"), (("unshare", "--pid", "--fork"), "warning")])
def test_the_doctor_says_whose_vms_are_seen(around, status):
    result = vitals("doctor", "--json", around=around)
    (check,) = [c for c in json.loads(result.stdout)["checks"] if c["check"] == "pid namespace"]
    assert (check["status"], bool(check["hint"])) == (status, status == "warning")
    assert ("hostPID: true" in str(check["hint"])) == (status == "warning")


def test_a_name_of_the_command_line(vmm):
    container = Container(vmm, "inside")
    (vm,) = container.answer("list")["vms"]
    assert (vm["vm"], vm["pid"], vm["vmm"]) == ("inside", 1, "firecracker")


def stopped(container):
    """Stops all of its threads, so that nothing moves."""
    os.kill(container.pid, signal.SIGSTOP)
    wait_until(
        lambda: all(process_status(t)["State"].startswith("T") for t in container.threads().values()),
        "all threads are stopped",
    )


def test_what_the_scheduler_gave_to_its_threads(container):
    def run_of(vcpu):
        stats = container.answer("stats", "--provider", "sched", "--stat", "run_ns")["stats"]
        return {s["vcpu"]: s["value"] for s in stats}.get(vcpu, 0)

    wait_until(lambda: run_of(5) > 0, "both vCPUs run")
    stopped(container)
    try:
        seen = container.answer("stats", "--provider", "sched")
        snapshot = json.loads(container.vitals("snap").stdout)
        values = {(s["vcpu"], s["name"]): s["value"] for s in seen["stats"]}
        (vm,) = snapshot["vms"]
        assert vm["process"] == 1
        for vcpu in vm["vcpus"]:
            outside = container.threads()[vcpu["thread"]]
            with open(f"/proc/{outside}/schedstat", encoding="ascii") as file:
                run, delay, slices = map(int, file.read().split())
            assert values[vcpu["vcpu"], "run_ns"] == run
            assert values[vcpu["vcpu"], "steal_ns"] == delay
            assert values[vcpu["vcpu"], "timeslices"] == slices
        assert values[None, "threads"] == len(container.threads())
    finally:
        os.kill(container.pid, signal.SIGCONT)


def test_the_threads_of_top_are_those_of_its_proc(container):
    report = top("-n", "1", "-i", "0.2", around=container.words("--pid", "--mount"))
    rows = report.objects["bare-vmm-1"]
    threads = {int(rows[vcpu]["THREAD"]) for vcpu in ("vcpu 0", "vcpu 5")}
    assert len(threads) == 2 and threads <= set(container.threads()) - {1}


def test_a_reader_in_a_namespace_that_has_the_hosts_proc(container):
    """Its numbers are those of the host, as those of `ps` there."""
    result = vitals("list", "--json", around=container.words("--pid"))
    (vm,) = json.loads(result.stdout)["vms"]
    assert (vm["vm"], vm["pid"]) == (f"bare-vmm-{container.pid}", container.pid)


def test_a_reader_between_the_host_and_the_vmm(vmm):
    """Three namespaces: the VMM is in the innermost, vitals in the middle, with a /proc of its own."""
    shell = ["sh", "-c", '"$@"; exit $?', "sh"]
    vm = vmm("--vcpus", "0", "--guest", "once", around=[*IN_A_NAMESPACE, *shell, *IN_A_NAMESPACE])
    (middle,) = children(vm.pid)
    (unshare,) = children(middle)
    (inner,) = children(unshare)
    _, in_the_middle, in_the_innermost = map(int, process_status(inner)["NSpid"].split())
    assert in_the_innermost == 1
    result = vitals("list", "--json", around=nsenter(middle, "--pid", "--mount"))
    (vm,) = json.loads(result.stdout)["vms"]
    assert (vm["vm"], vm["pid"], vm["vmm"]) == (f"bare-vmm-{in_the_middle}", in_the_middle, "bare-vmm")


def test_a_snapshot_of_the_host_knows_who_runs_a_vm_in_a_container(container):
    """Also the threads, so that it is told whether they are the same later."""
    (vm,) = of_process(container.pid)
    snapshot = answer("stats", "--vm", vm["vm"])
    (seen,) = [v for v in snapshot["vms"] if v["vm"] == vm["vm"]]
    assert seen["process"] == container.pid
    assert {v["thread"] for v in seen["vcpus"]} < set(container.threads().values())
    assert all(v["thread_start"] for v in seen["vcpus"])


def test_quotas_of_a_reader_in_a_namespace(container):
    """They are found by the numbers of its /proc."""
    values = {s["name"] for s in container.answer("stats", "--provider", "sched")["stats"]}
    here = {s["name"] for s in answer("stats", "--provider", "sched")["stats"]}
    assert values == here
