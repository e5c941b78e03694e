# SPDX-License-Identifier: MIT
"""Provider 'sched' of a VMM: what it says is what /proc and the control groups say."""

import os
import pathlib
import time

import pytest

from support.programs import wait_until
from support.readers import as_libvirt

TICK = 10**9 // os.sysconf("SC_CLK_TCK")


def values(stats):
    return {stat["name"]: stat["value"] for stat in stats}


def ask(client, target):
    reply = client.execute("query-stats", target=target, filters=[{"provider": "sched"}])
    if target == "vm":
        (provider,) = reply["vm"]
        return values(provider["stats"])
    return [values(vcpu["providers"][0]["stats"]) for vcpu in reply["vcpus"]]


def threads(client):
    return [cpu["thread-id"] for cpu in client.execute("query-cpus-fast")]


def read(path):
    return pathlib.Path(path).read_text("utf-8")


def numbers_of(path):
    lines = (line.replace(":", " ").split() for line in read(path).splitlines())
    return {line[0]: line[1] for line in lines if len(line) > 1}


def in_proc(pid, thread):
    task = f"/proc/{pid}/task/{thread}"
    run, wait, timeslices = map(int, read(f"{task}/schedstat").split())
    stat = read(f"{task}/stat").rpartition(")")[2].split()
    status = numbers_of(f"{task}/status")
    return {
        "run_ns": run,
        "steal_ns": wait,
        "timeslices": timeslices,
        "user_ns": int(stat[11]) * TICK,
        "system_ns": int(stat[12]) * TICK,
        "voluntary_switches": int(status["voluntary_ctxt_switches"]),
        "involuntary_switches": int(status["nonvoluntary_ctxt_switches"]),
        "last_cpu": int(stat[36]),
    }


def test_libvirt_has_all_of_kvm_beside_it(programs):
    """It drops what the VM has if there are two providers, and everything if they share a name."""
    paths = {names: programs.path(f"{names}.sock") for names in ("kvm", "sched", "kvm:sched")}
    sockets = [f"{path},dialect=flat,providers={names}" for names, path in paths.items()]
    options = [word for socket in sockets[1:] for word in ("--qmp", socket)]
    programs.demo("--sched", "--vcpus", 2, *options, path=sockets[0])
    kvm, sched, both = (as_libvirt(programs.client(path)) for path in paths.values())
    assert {"vcpu.0.exits.sum", "vcpu.1.exits.sum", "vm.remote_tlb_flush.sum"} < set(kvm)
    assert {"vcpu.1.steal_ns.sum", "vm.threads.cur"} < set(sched)
    assert both and not [name for name in both if name.startswith("vm.")]


def test_vcpus_of_a_paused_vm(programs):
    demo = programs.demo("--sched", "--vcpus", 3, "--pause-after", 0.5)
    client = programs.client(demo)
    wait_until(lambda: not client.execute("query-status")["running"], "the pause")

    def compare():
        """/proc is asked before and after: a thread goes to sleep when it has said that it does."""
        before = [in_proc(demo.pid, thread) for thread in threads(client)]
        answer = ask(client, "vcpu")
        return before == [in_proc(demo.pid, thread) for thread in threads(client)] and answer

    rows = []
    wait_until(lambda: rows.append(compare()) or rows[-1], "the vCPUs sleep")
    assert rows[-1] == [in_proc(demo.pid, thread) for thread in threads(client)]
    assert len(rows[-1]) == 3 and all(row["run_ns"] and row["timeslices"] for row in rows[-1])


def test_a_process_by_its_files(programs):
    demo = programs.demo("--sched", "--vcpus", 2, "--guest", "none")
    client = programs.client(demo)

    def read_stat():
        return read(f"/proc/{demo.pid}/stat").rpartition(")")[2].split()

    wait_until(lambda: ask(client, "vm")["threads"] == int(read_stat()[17]), "no thread begins or ends meanwhile")
    row = ask(client, "vm")
    stat, io = read_stat(), numbers_of(f"/proc/{demo.pid}/io")
    assert 0 < row["minor_faults"] <= int(stat[7]) and row["major_faults"] <= int(stat[9])
    assert row["read_bytes"] <= int(io["read_bytes"])
    assert row["written_bytes"] <= int(io["write_bytes"])
    assert row["resident_bytes"] >= 4096
    assert 0 < row["other_threads_ns"] < 60 * 10**9


def test_what_spinning_vcpus_do_is_no_others(programs):
    """The guest alone takes more than all the rest of this program does."""
    client = programs.client(programs.demo("--sched", "--vcpus", 1, "--guest", "spin"))
    wait_until(lambda: ask(client, "vcpu")[0]["run_ns"] > 10**9, "a second of CPU time")
    before, vcpu = ask(client, "vm")["other_threads_ns"], ask(client, "vcpu")[0]["run_ns"]
    wait_until(lambda: ask(client, "vcpu")[0]["run_ns"] > vcpu + 5 * 10**8, "half a second more")
    assert before > 0
    assert ask(client, "vm")["other_threads_ns"] < ask(client, "vcpu")[0]["run_ns"]


def test_two_spinning_vcpus_on_one_cpu_steal_from_each_other(programs):
    """Whatever else runs, neither has more than about half of the CPU, and all the rest is steal."""
    demo = programs.demo("--sched", "--vcpus", 2, "--guest", "spin")
    cpu = min(os.sched_getaffinity(demo.pid))
    client = programs.client(demo)
    for thread in threads(client):
        os.sched_setaffinity(thread, {cpu})

    def counted(old, new):
        """Time since then. A wait is counted when it ends, and a busy host lets it last long."""
        return new["run_ns"] + new["steal_ns"] - old["run_ns"] - old["steal_ns"]

    before = ask(client, "vcpu")
    wait_until(
        lambda: all(counted(*two) > 2 * 10**9 for two in zip(before, ask(client, "vcpu"))),
        "two seconds of each",
        timeout=120,
    )
    earlier = [in_proc(demo.pid, thread) for thread in threads(client)]
    after = ask(client, "vcpu")
    later = [in_proc(demo.pid, thread) for thread in threads(client)]
    for old, low, new, high in zip(before, earlier, after, later):
        steal = new["steal_ns"] - old["steal_ns"]
        print(f"of {counted(old, new) / 1e9:.3f} s it waited {steal / 1e9:.3f}")
        assert steal > 0.4 * counted(old, new)
        assert new["last_cpu"] == cpu
        for name in "run_ns", "steal_ns", "timeslices", "involuntary_switches":
            assert low[name] <= new[name] <= high[name]


def test_an_idle_vcpu_does_not_wait(programs):
    client = programs.client(programs.demo("--sched", "--vcpus", 1, "--guest", "halted"))

    def is_still():
        before = ask(client, "vcpu")
        time.sleep(0.2)
        return before == ask(client, "vcpu")

    wait_until(is_still, "the guest is halted: it neither runs nor waits")


def find_cpu_groups():
    """A directory of control groups that divide CPU time, and which form they have."""
    own = dict(line.split(":", 2)[1:] for line in read("/proc/self/cgroup").splitlines())
    for line in read("/proc/mounts").splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            path = next(p for c, p in own.items() if "cpu" in c.split(","))
            return pathlib.Path(where + path), 1
    for line in read("/proc/mounts").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(where), 2
    return None, 0


@pytest.fixture
def group():
    """A control group with a quota of a fifth of a CPU."""
    parent, form = find_cpu_groups()
    if not parent or not os.access(parent, os.W_OK):
        pytest.skip("control groups with quotas can't be made here")
    if form == 2 and "cpu" not in (parent / "cgroup.subtree_control").read_text().split():
        pytest.skip("CPU time is not divided among control groups here")
    path = parent / f"vitals-test-{os.getpid()}"
    path.mkdir()
    if form == 1:
        (path / "cpu.cfs_quota_us").write_text("20000")
    else:
        (path / "cpu.max").write_text("20000 100000")
    yield path
    wait_until(lambda: not (path / "cgroup.procs").read_text(), "the group is empty")
    path.rmdir()


def throttled_in(group):
    stat = numbers_of(group / "cpu.stat")
    if "throttled_usec" in stat:
        return int(stat["throttled_usec"]) * 1000
    return int(stat["throttled_time"])


def test_a_quota_is_told_from_neighbours(group, programs):
    demo = programs.demo("--sched", "--vcpus", 1, "--guest", "spin")
    client = programs.client(demo)
    above = ask(client, "vm")["throttled_ns"]  # of the groups that this test is in
    (group / "cgroup.procs").write_text(str(demo.pid))
    wait_until(lambda: ask(client, "vm")["throttled_ns"] > above + 10**8, "the quota is felt")
    before = throttled_in(group)
    assert ask(client, "vm")["throttled_ns"] - above >= before > 0
    demo.stop()
