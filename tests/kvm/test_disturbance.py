# SPDX-License-Identifier: MIT
"""A query does not interrupt a vCPU, and it reads no more than it needs."""

import json
import time

import pytest

from support.programs import EMULATED, SANITIZED, cpu_time, wait_until
from support.stats_fds import StatsFds

QUERIES = 10_000
OF_A_ROUND = 500
AT_A_TIME = 20
STATS = b'{"execute": "query-stats", "arguments": {"target": "vcpu"}}\n'
VERSION = b'{"execute": "query-version"}\n'


def ask_often(client, request, times):
    """The last reply. Several at a time, so that a busy machine does not cost a wait for each."""
    for _ in range(times // AT_A_TIME):
        client.send(request * AT_A_TIME)
        for _ in range(AT_A_TIME - 1):
            assert client.read_line().startswith(b'{"return"')
        reply = client.read()
    return reply


class Counters:
    """Of one vCPU, read here and not from the server that is under test."""

    def __init__(self, fds):
        self.fds = fds
        self.time = time.monotonic()
        values = {stat.name: stat.values[0] for stat in fds.read_vcpu(0)}
        self.exits, self.signal_exits = values["exits"], values["signal_exits"]

    def moved(self):
        """How far exits and signal_exits went since then, and the time."""
        now = Counters(self.fds)
        return (
            now.exits - self.exits,
            now.signal_exits - self.signal_exits,
            now.time - self.time,
        )


def start(programs, guest):
    demo = programs.demo("--guest", guest, "--vcpus", 1)
    client = programs.client(demo)
    return client, programs.keep(StatsFds(demo.pid))


def stands_still(fds):
    """Whether the guest is where it stays: it has run, and does so no more."""
    before = Counters(fds)
    time.sleep(0.3)
    return before.exits > 0 and before.moved()[:2] == (0, 0)


def describe(name, exits, signal_exits, seconds):
    print(f"{name}: {exits} exits, {signal_exits} signal_exits in {seconds:.2f} s", end=", ")
    print(f"{exits / seconds:.0f} exits per second")


def test_queries_do_not_disturb_a_spinning_guest(programs):
    """The host's timer and scheduler stop the vCPU now and then, on a busy machine often. Were the
    vCPU interrupted by each query, no round would have fewer exits than queries."""
    client, fds = start(programs, "spin")
    wait_until(lambda: Counters(fds).exits > 0, "the guest runs")
    rounds = []
    for _ in range(QUERIES // OF_A_ROUND):
        before = Counters(fds)
        reply = ask_often(client, STATS, OF_A_ROUND)
        rounds.append(before.moved())
    assert len(reply["return"]["vcpus"]) == 1
    exits, signal_exits, seconds = map(sum, zip(*rounds))
    describe(f"{QUERIES} query-stats", exits, signal_exits, seconds)

    before = Counters(fds)
    ask_often(client, VERSION, QUERIES)
    describe(f"{QUERIES} query-version", *before.moved())

    before = Counters(fds)
    time.sleep(seconds)
    describe("no queries", *before.moved())

    assert signal_exits == 0
    assert min(exits for exits, _, _ in rounds) < OF_A_ROUND / 2


def test_queries_do_not_disturb_a_halted_guest(programs):
    client, fds = start(programs, "halted")
    wait_until(lambda: stands_still(fds), "the guest sleeps")
    before = Counters(fds)
    ask_often(client, STATS, QUERIES)
    exits, signal_exits, seconds = before.moved()
    describe(f"{QUERIES} query-stats", exits, signal_exits, seconds)
    assert (exits, signal_exits) == (0, 0)


# ---- reads --------------------------------------------------------------------------------------

VCPUS = 1024
REPLY_PART = 64 * 1024  # bytes, the least that a turn writes of a long reply


def count_reads(demo):
    """Calls of read() and its like of all threads. recv() is no read() here."""
    with open(f"/proc/{demo.pid}/io", encoding="ascii") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("syscr"))


@pytest.fixture
def large_vm(programs):
    return programs.demo("--vcpus", VCPUS, "--guest", "none")


def reads_of(demo, client, queries, **arguments):
    """How often the demo reads files, how often of that to be woken at most, and what it answers."""
    start_time, before = time.monotonic(), count_reads(demo)
    for _ in range(queries):
        reply = client.execute("query-stats", target="vcpu", **arguments)
    reads = count_reads(demo) - before
    ticks = (time.monotonic() - start_time) / 0.05 + 2  # its main loop reads a timer
    parts = queries * len(json.dumps(reply)) / REPLY_PART  # after each the server may read an eventfd
    print(f"{reads} reads for {queries} queries, of which timer and eventfd have {ticks + parts:.0f}")
    return reads, ticks + parts, reply["vcpus"]


def test_all_of_1024_vcpus(programs, large_vm):
    reads, wakes, vcpus = reads_of(large_vm, programs.client(large_vm), queries=5)
    assert [vcpu["path"] for vcpu in vcpus] == [
        f"/machine/unattached/device[{i}]" for i in range(VCPUS)
    ]
    assert 5 * VCPUS <= reads <= 5 * VCPUS + wakes


def test_one_statistic_of_one_of_1024_vcpus_reads_one_file(programs, large_vm):
    client = programs.client(large_vm)
    filters = [{"provider": "kvm", "fields": ["exits"]}]
    path = "/machine/unattached/device[1000]"
    reads, wakes, vcpus = reads_of(large_vm, client, 500, vcpus=[path], filters=filters)
    stats = [{"name": "exits", "value": 0}]
    assert vcpus == [{"path": path, "providers": [{"provider": "kvm", "stats": stats}]}]
    assert 500 <= reads <= 500 + wakes


def test_what_no_file_has_is_not_read(programs, large_vm):
    client = programs.client(large_vm)
    filters = [{"provider": "demo"}, {"provider": "kvm", "fields": ["nope"]}]
    reads, wakes, _ = reads_of(large_vm, client, 20, filters=filters)
    assert reads <= wakes
    reads, wakes, vcpus = reads_of(large_vm, client, 100, vcpus=["/nowhere"])
    assert reads <= wakes and vcpus == []


def test_a_query_of_1024_vcpus_takes_little_time(programs, large_vm):
    """Of the CPU: how long one waits for the reply depends on what else the machine does."""
    client = programs.client(large_vm)
    durations = []
    for _ in range(20):
        start_time = cpu_time(large_vm.pid)
        client.send(STATS)
        client.read_line()
        durations.append(cpu_time(large_vm.pid) - start_time)
    median = sorted(durations)[10] * 1000
    print(f"all statistics of {VCPUS} vCPUs: median {median:.1f} ms")
    assert median < (1000 if SANITIZED or EMULATED else 100)
