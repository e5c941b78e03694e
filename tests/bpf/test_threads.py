# SPDX-License-Identifier: MIT
"""What is read of threads is what /proc says of them."""

import os

import pytest

from support.programs import wait_until


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def of_process(reader, pid):
    return {r["thread"]: r for r in reader.ask("threads", pid) if r["process"] == pid}


@pytest.fixture
def quiet(vmm):
    """A VMM whose threads sleep, so that nothing changes between two looks."""
    return vmm("--vcpus", "0,1", "--guest", "once")


def test_all_threads_of_wanted_processes_and_no_others(reader, quiet, vmm):
    vmm("--vcpus", "0")
    threads = {int(name) for name in os.listdir(f"/proc/{quiet.pid}/task")}
    assert {r["thread"] for r in reader.ask("threads", quiet.pid)} == threads


def schedstats(pid):
    return [read(f"/proc/{pid}/task/{thread}/schedstat") for thread in os.listdir(f"/proc/{pid}/task")]


def threads_at_rest(reader, pid):
    """Their records of a moment before and after which /proc says the same: right after its start, and
    on a busy machine, a thread may still be on its way to sleep."""
    found = {}

    def look():
        before = schedstats(pid)
        found.update(of_process(reader, pid))
        return schedstats(pid) == before

    wait_until(look, "all threads sleep")
    return found


def test_scheduling_of_each_thread(reader, quiet):
    for thread, record in threads_at_rest(reader, quiet.pid).items():
        task = f"/proc/{quiet.pid}/task/{thread}"
        times = [record["run_time"], record["run_delay"], record["timeslices"]]
        assert times == list(map(int, read(f"{task}/schedstat").split()))
        status = dict(line.split(":\t") for line in read(f"{task}/status").splitlines())
        assert record["voluntary_switches"] == int(status["voluntary_ctxt_switches"])
        assert record["involuntary_switches"] == int(status["nonvoluntary_ctxt_switches"])
        assert record["name"] == status["Name"]
        fields = read(f"{task}/stat").rpartition(")")[2].split()
        assert record["minor_faults"] == int(fields[7])
        assert record["major_faults"] == int(fields[9])
        assert record["cpu"] == int(fields[36])
        assert record["start_time"] * os.sysconf("SC_CLK_TCK") // 10**9 == int(fields[19])


def test_storage_and_memory_of_a_process(reader, quiet):
    """/proc sums up the threads there are and those that have ended."""
    records = of_process(reader, quiet.pid)
    own = dict(line.split(": ") for line in read(f"/proc/{quiet.pid}/io").splitlines())
    ended = records[quiet.pid]["exited_written_bytes"]
    assert sum(r["written_bytes"] for r in records.values()) + ended == int(own["write_bytes"])
    resident = int(read(f"/proc/{quiet.pid}/statm").split()[1])
    # The kernel adds up what each CPU has changed now and then, and not each /proc asks for it.
    slack = 64 * os.cpu_count()
    assert abs(records[quiet.pid]["resident_pages"] - resident) <= slack
    assert len({record["resident_pages"] for record in records.values()}) == 1


def cgroup_mounts():
    """[(is it the unified hierarchy, its directory, its options)] of this host"""
    fields = [line.split() for line in read("/proc/self/mountinfo").splitlines()]
    ends = [(f, f[f.index("-") + 1 :]) for f in fields]
    return [(end[0] == "cgroup2", f[4], end[2].split(",")) for f, end in ends if end[0].startswith("cgroup") and f[3] == "/"]


def inodes_of_groups(pid):
    """What the directories say of the groups that /proc says."""
    paths = [line.split(":", 2) for line in read(f"/proc/{pid}/cgroup").splitlines()]
    unified = next((path for number, _, path in paths if number == "0"), None)
    cpu = next((path for _, names, path in paths if "cpu" in names.split(",")), None)
    inodes = {}
    for is_unified, directory, options in cgroup_mounts():
        if is_unified and unified is not None:
            inodes["cgroup_unified"] = os.stat(directory + unified).st_ino
        elif not is_unified and "cpu" in options and cpu is not None:
            inodes["cgroup_cpu"] = os.stat(directory + cpu).st_ino
    return inodes


def test_control_groups_of_each_thread(reader, quiet):
    expected = inodes_of_groups(quiet.pid)
    if not expected:
        pytest.skip("no control groups are mounted")
    for record in of_process(reader, quiet.pid).values():
        assert {name: record[name] for name in expected} == expected


def test_a_process_that_moves_to_another_control_group(reader, quiet):
    mounts = [(directory, is_unified) for is_unified, directory, options in cgroup_mounts() if is_unified or "cpu" in options]
    if not mounts:
        pytest.skip("no control groups are mounted")
    for directory, is_unified in mounts:
        group = f"{directory}/vitals-test-{quiet.pid}"
        os.mkdir(group)
        try:
            with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(quiet.pid))
            name = "cgroup_unified" if is_unified else "cgroup_cpu"
            expected = os.stat(group).st_ino
            assert {record[name] for record in of_process(reader, quiet.pid).values()} == {expected}
            with open(f"{directory}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(quiet.pid))
        finally:
            os.rmdir(group)


def faults_of(pid):
    """The minor ones of all threads, also of those that have ended."""
    return int(read(f"/proc/{pid}/stat").rpartition(")")[2].split()[7])


def test_threads_that_have_ended_are_counted(reader, vmm):
    vm = vmm("--vcpus", "0", "--creator-ends")
    wait_until(lambda: len(os.listdir(f"/proc/{vm.pid}/task")) == 1, "the creator has ended")
    found = {}

    def look():
        before = faults_of(vm.pid)
        (found["record"],) = of_process(reader, vm.pid).values()
        found["faults"] = faults_of(vm.pid)
        return found["faults"] == before

    wait_until(look, "it is at rest")
    assert found["record"]["exited_run_time"] > 0
    assert found["record"]["minor_faults"] + found["record"]["exited_minor_faults"] == found["faults"]


def test_a_spinning_vcpu_spends_time(reader, vmm):
    vm = vmm("--vcpus", "0", "--guest", "spinning")
    (vcpu,) = [r for r in reader.kvm(vm.pid) if r["kind"] == "vcpu"]
    before = of_process(reader, vm.pid)[vcpu["thread"]]["run_time"]
    wait_until(
        lambda: of_process(reader, vm.pid)[vcpu["thread"]]["run_time"] > before + 20_000_000,
        "20 ms more",
    )


def test_numbers_that_no_process_has(reader):
    for pid in (-1, 0, 4194304, 2**31 - 1):
        assert reader.ask("threads", pid) == []
