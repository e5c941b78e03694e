# SPDX-License-Identifier: MIT
"""Demos come and go without a trace."""

import json
import os
import time

import pytest

from support.programs import run, wait_until


def processes_of_session(session):
    """The processes that a demo started, itself included: it leads a session of its own."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session:
            found.append(int(name))
    return found


def open_fds():
    return sorted(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("guest", ["work", "halted"])
def test_a_demo_leaves_nothing_behind(programs, guest):
    fds = open_fds()
    for _ in range(20):
        demo = programs.demo("--vcpus", 3, "--guest", guest)
        client = programs.client(demo)
        assert len(client.execute("query-stats", target="vcpu")["vcpus"]) == 3
        client.close()
        demo.stop()
        assert demo.log() == ""
        assert processes_of_session(demo.pid) == []
        assert not os.path.exists(demo.path)
    assert open_fds() == fds


def test_seconds_end_it(programs):
    start = time.monotonic()
    demo = programs.demo("--vcpus", 2, "--seconds", "0.7")
    assert demo.wait() == 0
    assert time.monotonic() - start >= 0.7
    assert demo.log() == "" and not os.path.exists(demo.path)


def test_clients_and_pauses_leave_no_fds_behind(programs):
    demo = programs.demo("--vcpus", 3)

    def count_fds():
        return len(os.listdir(f"/proc/{demo.pid}/fd"))

    before = count_fds()
    for _ in range(20):
        client = programs.client(demo)
        client.execute("query-stats", target="vcpu")
        client.execute("query-stats-schemas")
        client.close()
    wait_until(lambda: count_fds() == before, "all are closed")


def test_two_demos_at_a_time(programs):
    """They share nothing."""
    demos = [programs.demo("--vcpus", n, "--name", f"vm{n}") for n in (1, 2)]
    for n, demo in zip((1, 2), demos):
        client = programs.client(demo)
        assert client.execute("query-name") == {"name": f"vm{n}"}
        assert len(client.execute("query-stats", target="vcpu")["vcpus"]) == n


def test_a_vm_that_started_again(programs):
    """Whatever it has counted by then: it is another life, and of one life nothing is reset."""
    paths = [programs.path(f"{i}.json") for i in range(3)]
    first = programs.demo("--vcpus", 2, path=programs.path("vm.sock"))
    for path in paths[:2]:
        assert run("snap", "--socket", first.path, "-f", path).returncode == 0
        time.sleep(0.1)
    first.stop()
    second = programs.demo("--vcpus", 2, path=first.path)

    def exits():
        values = run("stats", "--socket", second.path, "--stat", "exits", "-o", "json").stdout
        return [each["value"] for each in json.loads(values)["stats"]]

    with open(paths[1], encoding="utf-8") as file:
        before = [each["value"] for each in json.load(file)["stats"] if each["name"] == "exits"]
    wait_until(lambda: all(now > then for now, then in zip(exits(), before, strict=True)), "more")
    assert run("snap", "--socket", second.path, "-f", paths[2]).returncode == 0
    counting = ("cumulative", "log2-histogram", "linear-histogram")
    for after, is_reset in (paths[1], False), (paths[2], True):
        stats = json.loads(run("diff", paths[0], after, "--all", "-o", "json").stdout)["stats"]
        resets = {each["reset"] for each in stats if each["type"] in counting}
        assert resets == {is_reset}
