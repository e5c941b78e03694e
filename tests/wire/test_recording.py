# SPDX-License-Identifier: MIT
"""`vitals demo --recording`: statistics without KVM."""

import signal
import time

import pytest

from support import recordings, stats_file
from support.programs import DATA, wait_until
from support.recordings import VCPUS, device


def kvm_stats(client, target):
    """The statistics of provider 'kvm': a list for each object."""
    reply = client.execute("query-stats", target=target, filters=[{"provider": "kvm"}])
    if target == "vm":
        return [provider["stats"] for provider in reply["vm"]]
    return [vcpu["providers"][0]["stats"] for vcpu in reply["vcpus"]]


def frame_of(client):
    """Which frame is shown, by the values of all objects; None: of more than one."""
    exits = [stats[0]["value"] for stats in kvm_stats(client, "vcpu")]
    (flushes,) = [stats[1]["value"] for stats in kvm_stats(client, "vm")]
    frames = {value // 10_000 for value in exits} | {flushes // 1000}
    return frames.pop() if len(frames) == 1 else None


def test_the_first_frame_is_shown(programs, recording):
    client = programs.client(programs.demo("--recording", recording))
    (vm,) = kvm_stats(client, "vm")
    assert vm == stats_file.expected_values(recordings.vm_stats(0))
    vcpus = kvm_stats(client, "vcpu")
    assert vcpus == [
        stats_file.expected_values(recordings.vcpu_stats(0, i)) for i in range(VCPUS)
    ]
    paths = [vcpu["path"] for vcpu in client.execute("query-stats", target="vcpu")["vcpus"]]
    assert paths == [device(i) for i in range(VCPUS)]
    assert client.execute("query-status")["running"] is True


def test_the_announcement_says_that_no_guest_runs(programs, recording):
    demo = programs.demo("--recording", recording)
    expected = f"vitals demo: {VCPUS} vCPUs, recorded statistics, no guest runs, serving QMP on "
    assert demo.announcement == expected + demo.path


def test_frames_follow_each_other_and_the_last_stays(programs):
    directory = recordings.write(programs.path("recording"), frames=3)
    start = time.monotonic()
    client = programs.client(programs.demo("--recording", directory))
    seen = [frame_of(client)]

    def is_last():
        seen.append(frame_of(client))
        return seen[-1] == 2

    wait_until(is_last, "the third frame")
    assert time.monotonic() - start >= 2
    whole = [frame for frame in seen if frame is not None]  # None: between two replies
    assert whole == sorted(whole) and set(whole) <= {0, 1, 2}
    time.sleep(1.2)
    assert frame_of(client) == 2


def test_a_paused_recording_stands_still(programs):
    directory = recordings.write(programs.path("recording"), frames=60)
    demo = programs.demo("--recording", directory)
    client = programs.client(demo)

    def is_running():
        return client.execute("query-status")["running"]

    demo.send_signal(signal.SIGUSR1)
    wait_until(lambda: not is_running(), "the pause")
    frame = frame_of(client)
    time.sleep(1.3)
    assert frame_of(client) == frame
    demo.send_signal(signal.SIGUSR1)
    wait_until(is_running, "the end of the pause")
    wait_until(lambda: frame_of(client) not in (None, frame), "the next frame")
    assert frame_of(client) > frame


def test_pause_after(programs, recording):
    client = programs.client(programs.demo("--recording", recording, "--pause-after", "0.2"))
    wait_until(lambda: not client.execute("query-status")["running"], "the pause")
    assert kvm_stats(client, "vm")


def test_the_providers_own_statistics_are_there(programs, recording):
    client = programs.client(programs.demo("--recording", recording))
    reply = client.execute("query-stats", target="vm", filters=[{"provider": "demo"}])
    values = {stat["name"]: stat["value"] for stat in reply["vm"][0]["stats"]}
    assert {"demo_memory", "demo_ticks", "demo_uptime"} <= set(values)
    schemas = client.execute("query-stats-schemas", provider="demo")
    types = {stat["name"]: stat["type"] for stat in schemas["vcpu"][0]["stats"]}
    assert "linear-hist" in types.values()


def test_a_recording_that_a_real_vm_left(programs):
    """The one that `make demo` shows where there is no KVM."""
    directory = DATA / "recording"
    if not (directory / "vm.0").exists():
        pytest.skip(f"there is no {directory}")
    client = programs.client(programs.demo("--recording", directory))
    shown = [*kvm_stats(client, "vm"), *kvm_stats(client, "vcpu")]
    files = [directory / "vm.0", *sorted(directory.glob("vcpu*.0"))]
    assert shown == [
        stats_file.expected_values(stats_file.parse(file.read_bytes())) for file in files
    ]
    assert len(shown) > 2
