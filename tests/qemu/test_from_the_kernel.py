# SPDX-License-Identifier: MIT
"""A QEMU of which nothing is known and to which nothing is connected, read from the kernel."""

import contextlib
import json
import os

import pytest

from peers import QEMU, VCPUS, Peer, Qemu, missing_qemu
from support.programs import Program, wait_until
from support.qmp import Qmp
from support.this_host import answer, name_of, of_process, values_of, vitals
from test_verbs import build_rom

UUID = "4a1c1e6a-0000-4000-8000-00000000c0de"


@pytest.fixture(autouse=True, scope="module")
def readable():
    """Skips all tests where the host's VMs can't be read."""
    if missing_qemu():
        pytest.skip(missing_qemu())
    result = vitals("list", "--host")
    if result.returncode:
        pytest.skip(result.stderr.splitlines()[0])


@pytest.fixture(scope="module")
def machine(directory):
    """The options of a VM whose first vCPU halts often."""
    return ["-enable-kvm", "-machine", "pc", "-smp", str(VCPUS), "-m", "16",
            "-bios", build_rom(directory)]  # fmt: skip


@pytest.fixture
def without_monitor(directory, machine):
    """Starts QEMU so that nobody can ask it anything."""
    running = []

    def start(*options):
        command = [QEMU, "-nodefaults", "-display", "none", "-monitor", "none", *machine, *options]
        running.append(Program(command, directory))
        wait_until(lambda: of_process(running[-1].pid), "QEMU makes its VM")
        return running[-1]

    yield start
    for qemu in running:
        if not qemu.ended:  # it is perhaps still about to start, and takes no signal as a wish
            qemu.kill()


def test_a_qemu_without_any_monitor(without_monitor, tmp_path):
    name = f"web-{os.getpid()}"
    qemu = without_monitor("-name", f"guest={name},debug-threads=on", "-uuid", UUID)
    (vm,) = of_process(qemu.pid)
    assert (vm["vm"], vm["vmm"], vm["way"]) == (name, "qemu", "kernel")
    assert vm["vcpus"] == VCPUS
    values = values_of(name)
    assert list(values) == [None, *range(VCPUS)]
    wait_until(lambda: any(values_of(name)[0]["halt_wait_hist"]), "the guest halts")
    charts = json.loads(vitals("hist", "halt_wait_hist", "--vcpu", 0, "--json").stdout)["histograms"]
    (chart,) = [chart for chart in charts if chart["vm"] == name]
    assert sum(bucket["count"] for bucket in chart["buckets"]) > 0
    files = [tmp_path / "before", tmp_path / "after"]
    for file in files:
        assert vitals("snap", "-f", file).returncode == 0
    stats = json.loads(vitals("diff", *files, "-o", "json").stdout)["stats"]
    assert any(s["vm"] == name and s["vcpu"] == 0 and s["delta"] > 0 for s in stats
               if s["type"] == "cumulative")  # fmt: skip


def cumulative_values(name):
    """{(vCPU or None, provider, statistic): value} of a VM, by a program of its own."""
    return {(s["vcpu"], s["provider"], s["name"]): s["value"] for s in answer("stats")["stats"]
            if s["vm"] == name and s["type"] == "cumulative"}  # fmt: skip


def test_nothing_falls_from_one_program_to_the_next(without_monitor):
    """As between two snapshots. User and system time would, if they were stretched to the run time
    as /proc does: the guest of this VM halts often, so that its vCPU has both."""
    qemu = without_monitor("-name", f"falls-{os.getpid()}")
    before = {}
    for _ in range(40):
        now = cumulative_values(name_of(qemu.pid))
        assert {key: (value, now[key]) for key, value in before.items() if now[key] < value} == {}
        before = now


@pytest.mark.parametrize("options, name", [
    (["-name", "a,,b"], "a,b"),
    (["-name", "debug-threads=on"], "qemu-{pid}"),
    ([], "qemu-{pid}"),
])  # fmt: skip
def test_names(without_monitor, options, name):
    qemu = without_monitor(*options)
    assert name_of(qemu.pid) == name.format(pid=qemu.pid)


def test_the_older_of_two_with_a_name_keeps_it(without_monitor):
    name = f"twin-{os.getpid()}"
    older = without_monitor("-name", name)
    newer = without_monitor("-name", name)
    assert name_of(older.pid) == name
    assert name_of(newer.pid) == f"{name}@{newer.pid}"


# ---- the same values ----------------------------------------------------------------------------


def as_kernel_has_it(value):
    """QEMU sends a histogram with its last bucket first."""
    return value[::-1] if isinstance(value, list) else value


def of_kernel(results):
    """{statistic: value} of each result of query-stats, in the order of vCPUs."""
    return [{stat["name"]: as_kernel_has_it(stat["value"]) for stat in result["stats"]}
            for result in sorted(results, key=lambda result: result.get("qom-path", ""))
            if result["provider"] == "kvm"]  # fmt: skip


def own_answer(client):
    of_vm, *vcpus = [
        values for target in ("vm", "vcpu")
        for values in of_kernel(client.execute("query-stats", target=target))
    ]  # fmt: skip
    return {None: of_vm, **dict(enumerate(vcpus))}


def test_each_value_is_that_of_its_own_answer(directory, machine):
    """While it is stopped: nothing changes between two looks."""
    qemu = Qemu(directory, *machine)
    name = name_of(qemu.pid)
    wait_until(lambda: sum(values_of(name)[0]["halt_wait_hist"]) > 100, "the guest halts")
    peer = Peer(qemu.path)
    peer.exchange(b'{"execute": "stop"}')
    peer.stop()
    with contextlib.closing(Qmp(qemu.path)) as client:
        client.negotiate()
        before = own_answer(client)
        shown = values_of(name)
        after = own_answer(client)
    qemu.stop()
    assert shown == before == after
    assert len(before) == 1 + VCPUS
