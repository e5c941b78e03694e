# SPDX-License-Identifier: MIT
"""The guests of the demo, and what they make the counters do."""

import os
import subprocess
import sys
import time

import pytest

from support.programs import ROOT, VITALS, run, wait_until


def device(index):
    return f"/machine/unattached/device[{index}]"


def vcpu_values(client):
    """Name -> list with the value of each vCPU, of all providers."""
    values = {}
    for vcpu in client.execute("query-stats", target="vcpu")["vcpus"]:
        for provider in vcpu["providers"]:
            for stat in provider["stats"]:
                values.setdefault(stat["name"], []).append(stat["value"])
    return values


def vm_values(client):
    reply = client.execute("query-stats", target="vm")["vm"]
    return {stat["name"]: stat["value"] for provider in reply for stat in provider["stats"]}


def total(value):
    return sum(value["values"]) if isinstance(value, dict) else value


def moved(before, after):
    """The names of statistics that changed on any vCPU."""

    def has_changed(name):
        return [total(v) for v in before[name]] != [total(v) for v in after[name]]

    return {name for name in before if has_changed(name)}


# Of these each kernel has some; the demo's own are always there, and so is "exits".
MUST_MOVE = {
    "exits",
    "halt_exits",
    "halt_attempted_poll",
    "halt_wakeup",
    "halt_wait_ns",
    "halt_wait_hist",
    "halt_poll_fail_hist",
    "halt_poll_success_hist",
    "irq_injections",
    "mmio_exits",
    "nmi_injections",
    "pf_taken",
    "signal_exits",
    "demo_exits_handled",
    "demo_exits_per_tick",
}
ALWAYS_THERE = {"exits", "demo_exits_handled", "demo_exits_per_tick"}
MUST_MOVE_VM = {"demo_ticks", "demo_uptime", "remote_tlb_flush_requests"}


def test_the_work_guest_moves_the_counters(programs):
    client = programs.client(programs.demo("--vcpus", 4))
    before = vcpu_values(client)
    before_vm = vm_values(client)
    must_move = MUST_MOVE & set(before)
    assert ALWAYS_THERE <= must_move
    wait_until(lambda: must_move <= moved(before, vcpu_values(client)), "all have moved")
    wait_until(
        lambda: all(a > b for a, b in zip(vcpu_values(client)["exits"], before["exits"])),
        "each vCPU has exits",
    )
    moved_names = moved(before, vcpu_values(client))
    print(f"{len(moved_names)} of {len(before)} statistics of vCPUs moved: {sorted(moved_names)}")

    def moved_of_vm():
        after = vm_values(client)
        return {name for name in before_vm if before_vm[name] != after[name]}

    must_move_vm = MUST_MOVE_VM & set(before_vm)
    assert "demo_ticks" in must_move_vm and "demo_uptime" in must_move_vm
    wait_until(lambda: must_move_vm <= moved_of_vm(), "those of the VM have moved")
    print(f"{len(moved_of_vm())} of {len(before_vm)} statistics of the VM moved")


def test_sums_of_the_histograms(programs):
    """What the kernel counts once as a number and once in buckets is the same, within a moment."""
    demo = programs.demo("--vcpus", 2, "--pause-after", "1")
    client = programs.client(demo)
    wait_until(lambda: not client.execute("query-status")["running"], "the pause")
    values = vcpu_values(client)
    for i in range(2):
        polls = total(values["halt_poll_success_hist"][i]) + total(values["halt_poll_fail_hist"][i])
        assert abs(polls - values["halt_attempted_poll"][i]) <= 2


def test_both_providers_in_one_filtered_command(programs):
    """The kernel's are given in its own order, whatever order they are asked for in."""
    client = programs.client(programs.demo("--vcpus", 5))
    (schema,) = client.execute("query-stats-schemas", provider="kvm")["vcpu"]
    names = [stat["name"] for stat in schema["stats"]]
    some = [names[0], names[-1]]
    reply = client.execute(
        "query-stats",
        target="vcpu",
        vcpus=[device(2), device(4)],
        filters=[
            {"provider": "kvm", "fields": some[::-1]},
            {"provider": "demo", "fields": ["demo_exits_handled"]},
        ],
    )
    assert [vcpu["path"] for vcpu in reply["vcpus"]] == [device(2), device(4)]
    for vcpu in reply["vcpus"]:
        shape = [(p["provider"], [s["name"] for s in p["stats"]]) for p in vcpu["providers"]]
        assert shape == [("kvm", some), ("demo", ["demo_exits_handled"])]


@pytest.mark.parametrize("guest, running", [("spin", True), ("halted", True), ("none", False)])
def test_the_other_guests(programs, guest, running):
    demo = programs.demo("--guest", guest, "--vcpus", 1, "--name", "g\u00e4st")
    assert demo.announcement.startswith(f"vitals demo: 1 vCPU, guest '{guest}', serving QMP on ")
    client = programs.client(demo)
    assert client.execute("query-name") == {"name": "g\u00e4st"}
    assert client.execute("query-status")["running"] is running
    if guest == "spin":
        return
    ignored = {"demo_exits_per_tick"}  # counts ticks, also those without exits

    def stands_still():
        before = vcpu_values(client)
        time.sleep(0.3)
        return moved(before, vcpu_values(client)) <= ignored

    wait_until(stands_still, "the guest is where it stays")
    blocking = vcpu_values(client).get("blocking", [guest == "halted"])
    assert bool(blocking[0]) is (guest == "halted")


def test_a_recording_of_this_machine(programs):
    """--record writes what --recording shows."""
    directory = programs.path("recording")
    result = run(
        *["demo", "--vcpus", 2, "--seconds", "2.4", "--record", directory],
        *["--qmp", programs.path("record.sock")],
    )
    assert result.returncode == 0 and result.stderr == ""
    expected = {f"{name}.{frame}" for name in ("vm", "vcpu0", "vcpu1") for frame in (0, 1)}
    assert expected <= set(os.listdir(directory))
    client = programs.client(programs.demo("--recording", directory))
    first = vcpu_values(client)
    assert len(first["exits"]) == 2 and all(first["exits"])
    wait_until(lambda: vcpu_values(client)["exits"] > first["exits"], "the second frame")


def test_make_demo(programs):
    """scripts/demo.py, as a person runs it."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), VITALS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == "" and "[recorded]" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 120
