# SPDX-License-Identifier: MIT
"""The verbs without a socket: all VMs of this host, of VMMs that know nothing of it."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from support.kernel_reader import NOBODY, as_nobody, process_status
from support.namespaces import with_own_mounts
from support.programs import VITALS, wait_until
from support.stats_fds import values_of_files
from support.this_host import WITHOUT_VM, by_object, name_of, of_process, values_of, vitals

NO_VMS = """vitals list: this host has no VMs
  A VM is here as soon as its VMM has made it, whichever VMM it is.
"""


@pytest.fixture
def vitals_for_all(tmp_path_factory):
    """The program where any user may run it."""
    directory = tmp_path_factory.mktemp("program")
    for path in (directory, directory.parent):
        path.chmod(0o755)
    return shutil.copy(VITALS, directory)


def test_list(vmm):
    vm = vmm("--vms", 2, "--vcpus", "0,5")
    first, second = sorted(of_process(vm.pid), key=lambda v: len(v["vm"]))
    assert first["vm"] == f"bare-vmm-{vm.pid}"
    assert second["vm"] == f"bare-vmm-{vm.pid}@{vm.pid}"
    assert first["way"] == "kernel" and first["vmm"] == "bare-vmm" and first["uid"] == 0
    assert first["vcpus"] == 2
    assert (first["socket"], first["peer"], first["dialect"], first["version"]) == (None,) * 4


def test_list_of_people(vmm):
    vm = vmm()
    titles, *lines = vitals("list").stdout.splitlines()
    assert titles.split() == ["VM", "STATE", "VCPUS", "STATS", "VMM", "PID", "UID", "WAY"]
    (line,) = (line.split() for line in lines if f" {vm.pid} " in line)
    assert line[0] == f"bare-vmm-{vm.pid}"
    assert line[-4:] == ["bare-vmm", str(vm.pid), "0", "kernel"]


@pytest.mark.parametrize("guest, state", [("none", "never ran"), ("once", "outside")])
def test_states(vmm, guest, state):
    """Who entered its guest once, and stays in its VMM since then, is there at each moment."""
    vm = vmm("--guest", guest)
    (listed,) = (each for each in json.loads(vitals("list", "--json").stdout)["vms"]
                 if each["pid"] == vm.pid)  # fmt: skip
    assert listed["state"] == state


@pytest.mark.parametrize("guest", ["none", "once"])
def test_each_value_is_that_of_the_statistics_files(programs, vmm, guest):
    vm = vmm("--vcpus", "0,5", "--guest", guest)
    assert values_of(name_of(vm.pid)) == values_of_files(programs, vm.pid, (0, 5))


@pytest.mark.parametrize("guest", ["spinning", "halted"])
def test_each_value_after_a_guest_was_stopped(programs, vmm, guest):
    vm = vmm("--vcpus", "3,1", "--guest", guest)
    vm.tell("stop")
    expected = values_of_files(programs, vm.pid, (1, 3))
    assert values_of(name_of(vm.pid)) == expected
    assert any(value for value in expected[1].values())


def test_each_verb_shows_the_same(programs, vmm, tmp_path):
    """Those that show values, against the statistics files."""
    vm = vmm("--vcpus", "0,1", "--guest", "once")
    name, expected = name_of(vm.pid), values_of_files(programs, vm.pid, (0, 1))
    files = [tmp_path / "before", tmp_path / "after"]
    for file in files:
        assert vitals("snap", "-f", file).returncode == 0
        assert by_object(json.loads(file.read_text("utf-8"))["stats"], name) == expected
    result = vitals("diff", *files, "--all", "-o", "json")
    assert result.returncode == 0, result.stderr
    deltas = [s["delta"] for s in json.loads(result.stdout)["stats"]
              if s["vm"] == name and s["type"] == "cumulative"]  # fmt: skip
    assert deltas and not any(deltas)
    histograms = {stat for stats in expected.values() for stat in stats
                  if isinstance(stats[stat], list)}  # fmt: skip
    charts = json.loads(vitals("hist", *histograms, "--each", "-o", "json").stdout)["histograms"]
    shown = {(c["vcpu"], c["name"]): [b["count"] for b in c["buckets"]]
             for c in charts if c["vm"] == name}  # fmt: skip
    assert shown == {(vcpu, stat): values for vcpu, stats in expected.items()
                     for stat, values in stats.items() if isinstance(values, list)}  # fmt: skip


def test_histograms_of_all_vcpus_of_each_vm(programs, vmm):
    vms = [vmm("--vcpus", "0,1,2", "--guest", "once") for _ in range(2)]
    charts = json.loads(vitals("hist", "*", "-o", "json").stdout)["histograms"]
    for vm in vms:
        expected = values_of_files(programs, vm.pid, (0, 1, 2))
        shown = {c["name"]: [b["count"] for b in c["buckets"]]
                 for c in charts if c["vm"] == name_of(vm.pid) and c["target"] == "vcpu"}  # fmt: skip
        assert shown == {stat: [sum(counts) for counts in zip(*(expected[n][stat] for n in range(3)))]
                         for stat, value in expected[0].items() if isinstance(value, list)}  # fmt: skip


@pytest.mark.parametrize("dialect", ["grouped", "flat"])
def test_a_demo_has_the_values_of_its_socket(programs, dialect):
    demo = programs.demo("--name", f"shown-{os.getpid()}", "--vcpus", 3, "--uuid",
                         "4a1c1e6a-0000-4000-8000-000000000001", "--pause-after", 0.3,
                         path=f"{programs.path('demo.sock')},dialect={dialect}")  # fmt: skip

    vm = f"shown-{os.getpid()}"

    def of_socket():
        path = demo.path.partition(",")[0]
        return json.loads(vitals("stats", "--json", "--socket", path).stdout)["stats"]

    time.sleep(0.5)
    wait_until(lambda: by_object(of_socket(), vm) == by_object(of_socket(), vm), "it is paused")
    assert name_of(demo.pid) == vm
    assert values_of(vm) == by_object(of_socket(), vm)


def test_hist(vmm):
    """The vCPUs of each VM together."""
    pids = [vmm("--vcpus", "0,1", "--guest", "once").pid for _ in range(2)]
    result = vitals("hist", "halt_wait_hist", "--host", "--vm", "bare-vmm-*")
    assert result.returncode == 0, result.stderr
    for pid in pids:
        assert f"halt_wait_hist of bare-vmm-{pid}, 2 vCPUs: " in result.stdout


def test_names_that_a_shell_completes(vmm):
    pid = vmm("--vcpus", "0,5").pid
    name = f"bare-vmm-{pid}"
    for words, offered in [(["--vm", name], [name]), (["--vm", name, "--vcpu", ""], ["0", "5"]),
                           (["--vm", name, "--provider", "k"], ["kvm"])]:  # fmt: skip
        result = vitals("completion", "words", "--", "stats", *words)
        assert (result.stdout.split(), result.stderr) == (["words", *offered], "")


def test_another_user_is_told_what_is_missing(vmm, vitals_for_all):
    vmm()
    result = vitals("list", around=as_nobody(), program=vitals_for_all)
    assert result.returncode == 1 and result.stdout == ""
    first, *others = result.stderr.splitlines()
    assert first.startswith("vitals list: no VM is named, and those of this host can't be read: ")
    assert len(others) == 2 and "--socket PATH" in others[1]
    result = vitals("list", "--host", around=as_nobody(), program=vitals_for_all)
    assert result.stderr.startswith("vitals list: the VMs of this host can't be read: ")


def test_two_capabilities_are_enough(vmm, vitals_for_all, host):
    """Where /dev/kvm can be opened: here by another one in its place."""
    vm = vmm()
    device = os.path.join(host.path, "dev/kvm")
    mount = f"mount --bind {device} /dev/kvm && exec \"$@\""
    replaced = [*with_own_mounts(), "sh", "-c", mount, "sh"]
    result = vitals("list", "--json", around=[*replaced, *as_nobody("bpf", "perfmon")],
                    program=vitals_for_all)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert vm.pid in [v["pid"] for v in json.loads(result.stdout)["vms"]]


def capabilities(pid):
    return {name: int(process_status(pid)[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")}


def test_nothing_is_kept_that_is_not_needed(vmm, tmp_path):
    vmm()
    words = [VITALS, "stats", "--stat", "exits", "-i", "0.05", "-n", "100000"]
    with subprocess.Popen(words, env=WITHOUT_VM, stdout=subprocess.PIPE, text=True) as running:
        running.stdout.readline()
        assert capabilities(running.pid) == {"CapEff": 0, "CapPrm": 0, "CapAmb": 0}
        assert process_status(running.pid)["NoNewPrivs"] == "1"
        running.kill()
    # A file in a directory of somebody else alone can still be written.
    os.mkdir(tmp_path / "home", 0o700)
    os.chown(tmp_path / "home", NOBODY, NOBODY)
    result = vitals("snap", "-f", str(tmp_path / "home" / "snapshot"))
    assert result.returncode == 0, result.stderr


def test_a_vm_is_seen_as_it_is(vmm):
    """Its values at each turn, not those of the start."""
    vmm("--guest", "spinning")
    result = vitals("stats", "--stat", "exits", "-i", "0.3", "-n", "2", "-o", "json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert sum(s["value"] for s in second["stats"]) > sum(s["value"] for s in first["stats"])


@pytest.mark.parametrize("verb", ["stats", "hist", "snap", "schemas"])
def test_a_host_without_vms(verb):
    """Only VMs of one's own pid namespace are seen."""
    result = vitals(verb, around=["unshare", "--pid", "--fork"])
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"vitals {verb}: this pid namespace has no VMs\n  A container sees")


def test_a_list_without_vms():
    around = ["unshare", "--pid", "--fork"]
    result = vitals("list", "--json", around=around)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == '{"schema_version": 1, "vms": []}\n'
    result = vitals("list", around=around)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.startswith("vitals list: this pid namespace has no VMs\n  A container sees")


def test_a_list_of_the_host_is_never_silent(vmm):
    """The tests may not be alone on it."""

    def is_said():
        result = vitals("list")
        assert result.returncode == 0
        assert result.stderr in ("", NO_VMS) and bool(result.stdout) == (not result.stderr)

    is_said()
    vmm()
    is_said()


def sched_of(pid):
    """{(vCPU or None, statistic): value} of the VMs of a process."""
    stats = json.loads(vitals("stats", "--provider", "sched", "--json").stdout)["stats"]
    names = {vm["vm"] for vm in of_process(pid)}
    return {(s["vcpu"], s["name"]): s["value"] for s in stats if s["vm"] in names}


def is_stopped(threads, pid):
    def state(thread):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0]

    return all(state(thread) == "T" for thread in threads)


def test_sched_says_what_proc_says(vmm, reader):
    """Of a VMM that is stopped, so that nothing moves."""
    vm = vmm("--vcpus", "0,5", "--guest", "spinning")
    wait_until(lambda: sched_of(vm.pid).get((5, "run_ns"), 0) > 0, "both vCPUs run")
    threads = {r["vcpu_id"]: r["thread"] for r in reader.kvm(vm.pid) if r["kind"] == "vcpu"}
    os.kill(vm.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: is_stopped(threads.values(), vm.pid), "all threads are stopped")
        seen = sched_of(vm.pid)
        for number, thread in threads.items():
            with open(f"/proc/{vm.pid}/task/{thread}/schedstat", encoding="ascii") as file:
                run, delay, slices = map(int, file.read().split())
            assert seen[number, "run_ns"] == run
            assert seen[number, "steal_ns"] == delay
            assert seen[number, "timeslices"] == slices
        assert seen[None, "threads"] == len(os.listdir(f"/proc/{vm.pid}/task"))
        with open(f"/proc/{vm.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        assert (seen[None, "minor_faults"], seen[None, "major_faults"]) == (
            int(fields[7]),
            int(fields[9]),
        )
    finally:
        os.kill(vm.pid, signal.SIGCONT)
