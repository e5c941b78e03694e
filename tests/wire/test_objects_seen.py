# SPDX-License-Identifier: MIT
"""What the verbs show of disks that come and go, over sockets of both dialects."""

import csv
import io
import json

import pytest

from support import exposition
from support.programs import VITALS, run, stat

DISKS = ["/machine/peripheral/disk0", "/machine/peripheral/disk1"]
NAMES = ["reads", "volume", "sizes"]
STATS = [stat("reads"), stat("volume", "cumulative", "bytes"), stat("sizes", "log-hist", "bytes", count=3)]
CPU = "/machine/unattached/device[0]"


def values(i):
    return [100 * i + 7, 100 * i + 1, [100 * i + j for j in (2, 3, 4)]]


class Vm:
    def __init__(self, programs, server, dialect):
        self.server = server
        self.path, self.name = programs.path("vm.sock"), "vm"
        server.tell("register", "mem/vm", stat("used", "instant"))
        server.tell("row", "mem/vm", "vm", 5)
        server.tell("register", "cpu/vcpu", stat("runs"))
        server.tell("object", "cpu/vcpu", CPU, 0)
        server.tell("row", "cpu/vcpu", CPU, 6)
        server.tell("listen", self.path, dialect)

    def plug(self, *disks):
        for i in disks:
            group = f"drive/block#{i}"
            self.server.tell("register", group, *STATS)
            self.server.tell("object", group, DISKS[i], -1)
            self.set(i, values(i))

    def set(self, i, given):
        self.server.tell("row", f"drive/block#{i}", DISKS[i], *given[:2], *given[2])

    def unplug(self, *disks):
        for i in disks:
            self.server.tell("unregister", f"drive/block#{i}")

    def show(self, verb, *options):
        result = run(verb, "--socket", self.path, *options)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    def stats(self, verb, *options):
        return json.loads(self.show(verb, *options))["stats"]


@pytest.fixture(params=["grouped", "flat"])
def vm(request, programs, server):
    return Vm(programs, server, request.param)


@pytest.fixture
def watched(vm, programs):
    """A verb that goes on, by what it prints: a line of JSON for each turn. It says nothing else."""
    started = []

    def watched(verb, *options):
        process = programs.start([VITALS, verb, "--socket", vm.path, "-i", "0.05", "-o", "json", *options])
        started.append(process)
        while True:
            yield json.loads(process.read_line())

    yield watched
    for process in started:
        process.kill()
        assert process.log() == ""


def found_in(stats):
    return [(stat["path"], stat["name"], stat.get("value", stat.get("values"))) for stat in stats]


def expected(*disks, names=("reads", "volume", "sizes")):
    return [(DISKS[i], name, value) for i in disks
            for name, value in zip(NAMES, values(i)) if name in names]  # fmt: skip


PLUGS = [(0,), (0, 1), (1,), (1, 0)]


@pytest.mark.parametrize("disks", PLUGS)
def test_values(vm, disks):
    vm.plug(0, 1)
    vm.unplug(0, 1)
    vm.plug(*disks)
    block = "--target", "block"
    assert found_in(vm.stats("stats", *block, "-o", "json")) == expected(*disks)
    assert found_in(vm.stats("stats", *block, "--stat", "volume", "-o", "json")) == expected(
        *disks, names=["volume"])  # fmt: skip
    assert found_in(vm.stats("snap", *block)) == expected(*disks)
    rows = [line.split() for line in vm.show("stats", *block, "--no-legend").splitlines()]
    assert [row[0] for row in rows if row[2] == "reads"] == [DISKS[i] for i in disks]
    rows = list(csv.DictReader(io.StringIO(vm.show("stats", *block, "--stat", "reads", "-o", "csv"))))
    assert [(row["path"], row["vcpu"], row["value"]) for row in rows] == [
        (DISKS[i], "", str(values(i)[0])) for i in disks]  # fmt: skip
    histograms = json.loads(vm.show("hist", *block, "--each", "-o", "json"))["histograms"]
    assert [(each["path"], [bucket["count"] for bucket in each["buckets"]]) for each in histograms] == [
        (DISKS[i], values(i)[2]) for i in disks]  # fmt: skip


def test_all_targets_beside_each_other(vm):
    vm.plug(0, 1)
    assert found_in(vm.stats("stats", "-o", "json")) == [
        (None, "used", 5), (CPU, "runs", 6), *expected(0, 1)]  # fmt: skip


def test_what_there_is(vm):
    assert {each["target"] for each in vm.stats("schemas", "-o", "json")} == {"vm", "vcpu"}
    vm.plug(0, 1)
    schemas = vm.stats("schemas", "-o", "json", "--target", "block")
    assert [(each["provider"], each["name"]) for each in schemas] == [
        ("drive", name) for name in NAMES]  # fmt: skip
    assert "each object of target block" in vm.show("describe", "reads")
    (found,) = json.loads(vm.show("list", "-o", "json"))["vms"]
    assert (found["vcpus"], found["stats"]) == (1, 2 + len(NAMES))


def test_metrics(vm):
    vm.plug(0, 1)
    for disks in (0, 1), (1,), (1, 0):
        for text_format, read in exposition.READERS.items():
            found = read(vm.show("export", "--preset", "full", "-o", text_format))
            for i in 0, 1:
                labels = {"vm": vm.name, "object": DISKS[i]}
                for name, value in ("drive_block_reads_total", 0), ("drive_block_volume_bytes_total", 1):
                    if i in disks:
                        assert found.value(name, **labels) == str(values(i)[value])
                    else:
                        assert DISKS[i] not in vm.show("export", "--preset", "full", "-o", text_format)
                if i in disks:
                    assert found.value("drive_block_sizes_size_bytes_bucket", le="+Inf", **labels) == str(sum(values(i)[2]))
        vm.unplug(*disks)
        vm.plug(*{(0, 1): (1,), (1,): (1, 0)}.get(disks, ()))


def test_top(vm):
    vm.plug(0, 1)
    for disks in (0, 1), (1,), (1, 0):
        lines = vm.show("top", "-b", "-n", "1", "--target", "block").splitlines()
        titles = next(i for i, line in enumerate(lines) if line.split()[:1] == ["OBJECT"])
        assert [line.split()[0] for line in lines[titles + 1:]] == [DISKS[i] for i in disks]
        vm.unplug(*disks)
        vm.plug(*{(0, 1): (1,), (1,): (1, 0)}.get(disks, ()))


def test_snapshots_and_their_differences(vm, programs):
    def snap(name):
        vm.show("snap", "-f", programs.path(name))
        return programs.path(name)

    vm.plug(0, 1)
    before = snap("before")
    vm.unplug(0)
    vm.set(1, [117, 101, [102, 103, 110]])
    after = snap("after")
    vm.plug(0)
    back = snap("back")
    result = run("diff", before, after, "--target", "block", "-o", "json")
    assert (result.returncode, result.stderr) == (
        0, f"vitals diff: {len(NAMES)} statistics are only in {before}\n")  # fmt: skip
    stats = json.loads(result.stdout)["stats"]
    assert [(each["path"], each["name"], each.get("delta", each.get("deltas"))) for each in stats] == [
        (DISKS[1], "reads", 10), (DISKS[1], "sizes", [0, 0, 6])]  # fmt: skip
    result = run("diff", after, back, "--target", "block", "--all", "-o", "json")
    assert result.returncode == 0
    assert {each["path"] for each in json.loads(result.stdout)["stats"]} >= {DISKS[1]}


# ---- what is watched goes on --------------------------------------------------------------------


def until(turns, disks, names=NAMES):
    """The first turn that shows these disks; what comes before it is right, too."""
    for turn in turns:
        found = found_in(turn["stats"])
        paths = {path for path, _, _ in found}
        assert paths <= set(DISKS)
        if paths == {DISKS[i] for i in disks}:
            assert sorted(map(str, found)) == sorted(map(str, expected(*disks, names=names)))
            return


@pytest.mark.parametrize("names", [NAMES, ["reads"]])
def test_a_watch_goes_on(vm, watched, names):
    """Also where the last disk takes the names of its provider and target along."""
    vm.plug(0, 1)
    turns = watched("stats", "--target", "block", "--stat", ",".join(names))
    until(turns, (0, 1), names)
    for gone, left in ((0,), (1,)), ((1,), ()):
        vm.unplug(*gone)
        until(turns, left, names)
    for new, there in ((1,), (1,)), ((0,), (0, 1)):
        vm.plug(*new)
        until(turns, there, names)


def test_a_provider_that_goes_leaves_the_others(vm, watched):
    vm.plug(0)
    vm.server.tell("register", "cache/block", stat("reads"))
    vm.server.tell("row", "cache/block", DISKS[1], 3)
    turns = watched("stats", "--stat", "reads")
    first, second = (DISKS[0], "reads", values(0)[0]), (DISKS[1], "reads", 3)
    assert found_in(next(turns)["stats"]) == [first, second]
    vm.server.tell("unregister", "cache/block")
    while (found := found_in(next(turns)["stats"])) != [first]:
        assert found == [first, second]
    vm.server.tell("register", "cache/block", stat("reads"))
    vm.server.tell("row", "cache/block", DISKS[1], 3)
    while (found := found_in(next(turns)["stats"])) != [first, second]:
        assert found == [first]
