# SPDX-License-Identifier: MIT
"""The verbs that look, at a QEMU as it is. Its firmware, rom.S, halts for known times."""

import contextlib
import csv
import io
import json
import pathlib
import re
import subprocess
import time

import pytest

from peers import Peer, Qemu, missing_qemu
from support.programs import TIMEOUT, run, wait_until
from support.qmp import Qmp

VCPUS = 2
HISTOGRAM, SUM = "halt_wait_hist", "halt_wait_ns"


def build_rom(directory):
    """The path of the firmware."""
    source = pathlib.Path(__file__).with_name("rom.S")
    rom, elf = f"{directory}/rom.bin", f"{directory}/rom.o"
    subprocess.run(["as", "--32", "-o", elf, source], timeout=TIMEOUT, check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-Ttext=0", "--oformat=binary", "-o", rom, elf],
                   timeout=TIMEOUT, check=True)  # fmt: skip
    return rom


@pytest.fixture(scope="module")
def vm(directory):
    """QEMU whose first vCPU has halted often."""
    if missing_qemu():
        pytest.skip(missing_qemu())
    qemu = Qemu(directory, "-enable-kvm", "-machine", "pc", "-smp", str(VCPUS), "-m", "16", "-bios",
                build_rom(directory))  # fmt: skip
    deadline = time.monotonic() + TIMEOUT
    while waits(qemu) < 100:
        assert time.monotonic() < deadline, "the guest halts"
        time.sleep(0.5)  # each query interrupts the vCPUs, and ends their waits
    yield qemu
    qemu.stop()


def waits(qemu):
    stats = json.loads(show("stats", qemu, "--vcpu", 0, "--stat", HISTOGRAM, "-o", "json"))["stats"]
    return sum(stats[0]["values"])


def show(verb, where, *options):
    result = run(verb, "--socket", where.path, *options)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def stats_of(where, *options):
    """The statistics of the kernel: both sides have more, or fewer, of their own."""
    return json.loads(show("stats", where, "--provider", "kvm", "-o", "json", *options))["stats"]


# ---- the same kind of answer --------------------------------------------------------------------


def test_stats_look_like_those_of_vitals(vm, demo):
    """The same members, in the same order; the same statistics of the kernel, in its order."""
    qemu, ours = stats_of(vm, "--vcpu", 0), stats_of(demo, "--vcpu", 0)
    assert [list(stat) for stat in qemu] == [list(stat) for stat in ours]
    fixed = ("target", "vcpu", "provider", "name", "type", "unit", "base", "exponent")
    for theirs, expected in zip(qemu, ours):
        assert [theirs[name] for name in fixed] == [expected[name] for name in fixed]
    assert [stat["name"] for stat in stats_of(vm, "--target", "vm")] == [
        stat["name"] for stat in stats_of(demo, "--target", "vm")
    ]


OF_THE_VM = ("vm", "socket", "vmm", "pid", "uid", "way", "uuid")


def test_schemas_are_those_of_vitals(vm, demo):
    def rows(where):
        text = show("schemas", where, "--provider", "kvm", "-o", "csv")
        return [
            {name: row[name] for name in row if name not in OF_THE_VM}
            for row in csv.DictReader(io.StringIO(text))
        ]

    assert rows(vm) == rows(demo) != []


def plug_last_vcpu(qemu):
    def ask(command, **arguments):
        message = json.dumps({"execute": command, "arguments": arguments}).encode()
        return json.loads(peer.exchange(message)[-1])["return"]

    peer = Peer(qemu.path)
    last = max(ask("query-hotpluggable-cpus"), key=lambda cpu: cpu["props"]["socket-id"])
    ask("device_add", driver=last["type"], id="last", **last["props"])
    peer.stop()


@pytest.fixture
def sparse(directory):
    """QEMU with vCPU 0 and the last of four, which was added while it runs."""
    if missing_qemu():
        pytest.skip(missing_qemu())
    qemu = Qemu(directory, "-enable-kvm", "-machine", "pc", "-smp", "1,maxcpus=4", "-m", "32")
    plug_last_vcpu(qemu)
    yield qemu
    qemu.stop()


def test_numbers_of_vcpus_may_have_gaps(sparse):
    stats = stats_of(sparse, "--target", "vcpu", "--stat", "exits")
    assert [(stat["vcpu"], stat["path"]) for stat in stats] == [
        (0, "/machine/unattached/device[0]"), (3, "/machine/peripheral/last")]  # fmt: skip
    assert stats_of(sparse, "--vcpu", 3, "--stat", "exits")[0]["path"] == stats[1]["path"]
    result = run("stats", "--socket", sparse.path, "--vcpu", 1)
    assert "one of the numbers 0, 3, or a QOM path" in result.stderr


def test_all_vcpus_are_there_in_their_order(vm):
    assert [stat["vcpu"] for stat in stats_of(vm, "--stat", "exits")] == list(range(VCPUS))


def test_rates(vm):
    """On a host that is busy, or emulated, the guest stands still for a while now and then."""
    deadline, halts = time.monotonic() + TIMEOUT, 0
    while halts <= 10:
        assert time.monotonic() < deadline, "the guest halts in an interval"
        (hist,) = stats_of(vm, "--vcpu", 0, "--stat", HISTOGRAM, "--rates", "-i", 0.5, "-n", 1)
        halts = sum(hist["deltas"])
    assert hist["rate"] == pytest.approx(halts / hist["seconds"], rel=1e-4)
    assert hist["seconds"] > 0 and hist["reset"] is False  # from reply to reply, not as asked for


def test_list(vm):
    (listed,) = json.loads(show("list", vm, "--json"))["vms"]
    assert (listed["vm"], listed["peer"], listed["dialect"]) == ("demo", "qemu", "flat")
    assert listed["vcpus"] == VCPUS and listed["stats"] == len(
        json.loads(show("schemas", vm, "--json"))["stats"])  # fmt: skip
    assert re.fullmatch(r"\d+\.\d+\.\d+", listed["version"])


def batch(where):
    """The plain text of top: (its titles, the line of the VM, {object: line})."""
    _, titles, of_vm, _, _, *objects = show("top", where, "-b", "-n", 1).splitlines()
    return titles, of_vm, {line[:8].strip(): line for line in objects}


def test_top_looks_like_that_of_vitals(vm, demo):
    ours, _, _ = batch(demo)
    exits, deadline = "0", time.monotonic() + TIMEOUT
    while exits == "0":
        assert time.monotonic() < deadline, "the guest's halts are exits"
        titles, of_vm, objects = batch(vm)
        of_objects = objects.pop("OBJECT").split()
        exits = objects["vcpu 0"].split()[of_objects.index("EXITS/s") + 1]
    assert titles == ours and float(exits) > 0
    assert of_vm.split()[:2] == ["demo", str(VCPUS)]
    assert list(objects) == ["vm", *(f"vcpu {i}" for i in range(VCPUS))]


# ---- histograms ---------------------------------------------------------------------------------


def raw_histogram(vm):
    """The list as QEMU sends it."""
    with contextlib.closing(Qmp(vm.path)) as client:
        client.negotiate()
        request = {"target": "vcpu", "vcpus": ["/machine/unattached/device[0]"],
                   "providers": [{"provider": "kvm", "names": [HISTOGRAM]}]}  # fmt: skip
        return client.execute("query-stats", **request)[0]["stats"][0]["value"]


def is_between(before, values, after):
    return all(low <= n <= high for low, n, high in zip(before, values, after))


def sum_bounds(values):
    """Between which bounds the sum of all values lies that a log2 histogram counts."""
    lower = [0] + [2**i for i in range(len(values) - 1)]
    upper = [0] + [2 ** (i + 1) for i in range(len(values) - 1)]
    return (sum(low * n for low, n in zip(lower, values)),
            sum(high * n for high, n in zip(upper, values)))  # fmt: skip


def test_the_halt_histogram_is_in_the_order_of_the_kernel(vm):
    before = raw_histogram(vm)
    stats = {stat["name"]: stat for stat in stats_of(vm, "--vcpu", 0)}
    after = raw_histogram(vm)
    shown, total = stats[HISTOGRAM]["values"], stats[SUM]["value"]
    assert is_between(before[::-1], shown, after[::-1])
    assert not is_between(before, shown, after), "this QEMU sends the last bucket first"
    low, high = sum_bounds(shown)
    assert low <= total <= high
    low, high = sum_bounds(shown[::-1])
    assert not low <= total <= high, "the guest's waits do not tell the orders apart"


def test_the_waits_are_those_of_the_firmware(vm):
    """About 1 ms each; a query ends one, and a busy host makes one longer, but not all of them."""

    def usual():
        (chart,) = json.loads(show("hist", vm, HISTOGRAM, "--vcpu", 0, "-o", "json"))["histograms"]
        return sum(bucket["count"] for bucket in chart["buckets"]
                   if bucket["lower"] >= 2**16 and bucket["upper"] and bucket["upper"] <= 2**23)  # fmt: skip

    wait_until(lambda: usual() > 100, "waits of about 1 ms")
    drawn = show("hist", vm, HISTOGRAM, "--vcpu", 0)
    assert re.search(r"^ +524.3 us - 1.049 ms +\d+ ", drawn, re.MULTILINE) and "p50 " in drawn


# ---- snapshots ----------------------------------------------------------------------------------


def test_snapshots(vm, directory):
    before, after = f"{directory}/before.json", f"{directory}/after.json"
    for path in before, after:
        assert show("snap", vm, "-f", path) == ""
    result = run("diff", before, after, "--stat", HISTOGRAM, "--all", "-o", "json")
    assert result.returncode == 0
    stats = json.loads(result.stdout)["stats"]
    assert [stat["reset"] for stat in stats] == [False] * VCPUS


# ---- one client at a time -----------------------------------------------------------------------


def test_a_qemu_that_is_busy_with_another_client(vm):
    other = Peer(vm.path)
    try:
        result = run("stats", "--socket", vm.path, "--timeout", 0.5)
    finally:
        other.stop()
    assert (result.returncode, result.stdout) == (1, "")
    assert vm.path in result.stderr and "one client at a time" in result.stderr
