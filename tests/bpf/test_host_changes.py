# SPDX-License-Identifier: MIT
"""VMMs that come, go and change between two looks: each is right in the next one."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from support.kernel_reader import NOBODY, children, process_status
from support.programs import TIMEOUT, VITALS, Program, assert_no_reports, memory_bound, wait_until
from support.stats_fds import StatsFds
from support.this_host import listed, of_process, values_of

IN_A_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]


def held(lines):
    """The process that a VMM says has its files."""
    return int(dict(line.split() for line in lines)["held"])


def one_vm(pid, vcpus=1):
    (vm,) = of_process(pid)
    assert vm["vcpus"] == vcpus
    return vm


# ---- whose it is --------------------------------------------------------------------------------


def test_a_vmm_in_a_pid_namespace(vmm):
    vm = vmm("--vcpus", "0,1", around=IN_A_NAMESPACE)
    (inside,) = children(vm.pid)
    assert one_vm(inside, 2)["vm"] == f"bare-vmm-{inside}"


def test_a_vmm_in_a_chroot(vmm, programs):
    vm = vmm("--chroot", programs.directory)
    assert one_vm(vm.pid)["vmm"] == "bare-vmm"


def test_a_vmm_of_another_user(vmm):
    vm = vmm("--uid", NOBODY)
    assert one_vm(vm.pid)["uid"] == NOBODY


def test_a_vmm_whose_child_holds_the_files(vmm):
    vm = vmm("--vcpus", "0,1")
    child = held(vm.tell("hold"))
    one_vm(vm.pid, 2)
    assert of_process(child) == []


def test_a_vm_that_only_another_process_holds(vmm):
    """Nobody can run it any more: the kernel refuses whoever has other memory."""
    vm = vmm()
    child = held(vm.tell("hold"))
    vm.tell("forget")
    assert of_process(vm.pid) == of_process(child) == []


def number_below(pid):
    """One that the next process can get."""
    return next(n for n in range(pid - 1, 1, -1) if not os.path.exists(f"/proc/{n}"))


def test_a_child_that_borrows_the_memory(vmm):
    """Met before its parent, since it has a smaller number."""
    vm = vmm("--vcpus", "0,1")
    child = vm.pid
    while child >= vm.pid:  # somebody else can be quicker
        child = held(vm.tell("borrow", number_below(vm.pid) - 1))
        if child >= vm.pid:
            os.kill(child, signal.SIGKILL)
    try:
        assert of_process(child) == []
        one_vm(vm.pid, 2)
    finally:
        os.kill(child, signal.SIGKILL)
    one_vm(vm.pid, 2)


def test_a_vmm_that_becomes_another_program(vmm):
    """With its files: the VM's memory is gone, and nobody can run it."""
    vm = vmm()
    one_vm(vm.pid)
    vm.tell("exec", "/bin/cat")
    wait_until(lambda: pathlib.Path(f"/proc/{vm.pid}/comm").read_text("ascii") == "cat\n", "it is cat")
    assert of_process(vm.pid) == []


def test_a_vm_made_by_a_thread_that_has_ended(vmm):
    vm = vmm("--creator-ends")
    wait_until(lambda: len(os.listdir(f"/proc/{vm.pid}/task")) == 1, "the creator has ended")
    one_vm(vm.pid)


def test_a_process_whose_main_thread_has_ended(vmm):
    vm = vmm("--vcpus", "0,1", "--main-ends")
    wait_until(lambda: process_status(vm.pid)["State"].startswith("Z"), "the main thread ends")
    one_vm(vm.pid, 2)


def test_files_that_are_open_often(vmm):
    vm = vmm("--vcpus", "0,1")
    vm.tell("copy", 100)
    one_vm(vm.pid, 2)


# ---- while it is looked at ----------------------------------------------------------------------


STATS = ("stats", "--stat", "exits")


class Watch(Program):
    """A verb that looks at all VMs that there are, again and again."""

    def __init__(self, directory, *words):
        super().__init__(["sh", "-c", 'exec "$@" >/dev/null', "sh", VITALS, *words, "--host"], directory)
        wait_until(self.has_shown, "the first values")

    def has_shown(self):
        io = pathlib.Path(f"/proc/{self.pid}/io").read_text("ascii")
        return dict(line.split(": ") for line in io.splitlines())["wchar"] != "0"

    def stop(self):
        """It runs for ever."""
        if not self.ended:
            self.kill()
            assert_no_reports(self.log())

    def resources(self):
        return self.memory(), len(os.listdir(f"/proc/{self.pid}/fd"))


def exits_by_files(programs, pid):
    files = programs.keep(StatsFds(pid))
    return {stat.name: stat.values for stat in files.read_vcpu(0)}["exits"][0]


def test_a_vm_in_the_place_of_another(programs, vmm):
    """The kernel may give it the same address."""
    vm = vmm("--vcpus", "0,1", "--guest", "once")
    watch = programs.keep(Watch(programs.directory, *STATS, "-i", "0.01"))
    for _ in range(10):
        vm.tell("close", 0)
        vm.tell("make")
        name = one_vm(vm.pid, 2)["vm"]
        assert name == f"bare-vmm-{vm.pid}"
        assert values_of(name)[0]["exits"] == exits_by_files(programs, vm.pid)
    wait_until(lambda: f"bare-vmm-{vm.pid}: the VM has ended" in watch.log(), "the first one has ended")


def test_a_vmm_that_is_killed_in_the_middle_of_a_pass(programs, vmm):
    stays = vmm()
    for _ in range(5):
        vm = vmm("--vms", 100, "--vcpus", "0,1")
        watch = programs.keep(Watch(programs.directory, *STATS, "-i", "0.001"))
        vm.kill()
        wait_until(lambda: f"bare-vmm-{vm.pid}: the VM has ended" in watch.log(), "it has ended")
        assert of_process(vm.pid) == []
        one_vm(stays.pid)
        watch.stop()
        assert all(line.endswith(": the VM has ended") for line in watch.log().splitlines())


@contextlib.contextmanager
def between_turns(watch):
    """What is done here, a watcher sees at once: it has no turn meanwhile, however long that takes."""
    watch.send_signal(signal.SIGSTOP)
    yield
    watch.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("verb", [("stats", "-o", "json"), ("top", "-b")], ids=lambda verb: verb[0])
def test_a_name_that_another_vm_takes_is_no_failure(vmm, verb):
    vm = vmm()
    words = [VITALS, *verb, "--host", "-i", "0.3", "-n", "6"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        watch.stdout.readline()
        with between_turns(watch):
            vm.tell("close", 0)
        ended = f"vitals {verb[0]}: bare-vmm-{vm.pid}: the VM has ended\n"
        assert any(line == ended for line in watch.stderr)
        vm.tell("make")
        watch.communicate(timeout=TIMEOUT)
    assert watch.returncode == 0


def test_a_vm_that_ends_is_no_failure(vmm):
    """Of those that were not named."""
    vmm()
    vm = vmm()
    words = [VITALS, "stats", "--host", "-i", "0.5", "-n", "3", "-o", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        first = json.loads(watch.stdout.readline())
        name = f"bare-vmm-{vm.pid}"
        with between_turns(watch):
            vm.stop()
        rest, errors = watch.communicate(timeout=TIMEOUT)
    shown = [{stat["vm"] for stat in turn["stats"]} for turn in (first, *map(json.loads, rest.splitlines()))]
    assert [name in names for names in shown] in ([True, False, False], [True, True, False])
    assert f"vitals stats: {name}: the VM has ended\n" in errors
    assert watch.returncode == 0


# ---- many that come and go ----------------------------------------------------------------------


def churn(vmm, vmms, seconds, per_second=100):
    """VMs start and end: those of VMMs that go on, and for each ten of them a whole VMM."""
    step = 1 / per_second
    begin = time.monotonic()
    for turn in range(int(seconds * per_second)):
        if turn % 10:
            vmms[turn % len(vmms)].tell("close", 0)
            vmms[turn % len(vmms)].tell("make")
        else:
            vmm("--vcpus", "0,1").stop()
        time.sleep(max(0, begin + turn * step - time.monotonic()))


@pytest.mark.parametrize("verb", [STATS, ("top", "-b")], ids=lambda verb: verb[0])
def test_vms_that_come_and_go(programs, vmm, verb):
    """VITALS_CHURN_SECONDS makes it longer."""
    seconds = float(os.environ.get("VITALS_CHURN_SECONDS", "4"))
    stays = vmm("--vcpus", "0,1")
    vmms = [vmm("--vcpus", "0,1") for _ in range(3)]
    watch = programs.keep(Watch(programs.directory, *verb, "-i", "0.1"))
    churn(vmm, vmms, 2)
    memory, files = watch.resources()
    churn(vmm, vmms, seconds)
    grown, files_after = watch.resources()
    assert files_after == files
    assert grown <= memory + memory_bound(1536)  # who has ended is shown for half a minute
    ends = (": the VM has ended", ": is back")  # under the same name
    assert all(line.endswith(ends) for line in watch.log().splitlines())
    assert {vm["pid"] for vm in listed()} >= {vm.pid for vm in (stays, *vmms)}
    for vm in vmms:
        one_vm(vm.pid, 2)
        vm.stop()
        assert of_process(vm.pid) == []
    one_vm(stays.pid, 2)
