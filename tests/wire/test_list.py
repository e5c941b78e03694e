# SPDX-License-Identifier: MIT
"""`vitals list`: the VMs that answer at sockets."""

import csv
import io
import json
import os
import signal

import pytest

from support.programs import run, wait_until
from support.recordings import VCPUS
from support.strangers import FakeQemu


@pytest.fixture
def vm(programs, recording):
    """A VM with a socket for each dialect."""
    flat = programs.path("flat.sock")
    demo = programs.demo("--recording", recording, "--name", "web1", "--qmp", f"{flat},dialect=flat")
    demo.flat = flat
    return demo


def show(*options, status=0):
    result = run("list", *options)
    assert result.returncode == status
    return result.stdout


def test_table(programs, vm):
    qemu = programs.keep(FakeQemu(programs.path("qemu.sock"), (8, 2, 1)))
    titles, *lines = show("--socket", vm.path, "--socket", vm.flat, "--socket", qemu.path).splitlines()
    assert titles.split() == ["VM", "STATE", "VCPUS", "STATS", "SPEAKS", "SOCKET"]
    assert [line.split()[:3] for line in lines[:2]] == [["web1", "running", str(VCPUS)]] * 2
    assert "vitals, dialect grouped" in lines[0] and lines[0].endswith(vm.path)
    assert "vitals, dialect flat" in lines[1] and lines[1].endswith(vm.flat)
    assert lines[2].split()[1:5] == ["1", "0", "QEMU", "8.2.1"]


@pytest.mark.parametrize("status, state", [
    ({"status": "running", "running": True, "singlestep": False}, "running"),
    ({"status": "running", "running": True}, "running"),
    ({"status": "prelaunch", "running": False}, "prelaunch"),
    ({"status": "io-error", "running": False}, "io-error"),
    ({"status": "\x1b[2J", "running": False}, "paused"), ({"running": False}, "paused"),
    ({"running": 1}, None), ({}, None), (None, None),
])  # fmt: skip
def test_states(programs, status, state):
    """A peer that does not say so, or strangely, is no error."""
    replies = {} if status is None else {"query_status": {"return": status}}
    qemu = programs.keep(FakeQemu(programs.path("qemu.sock"), **replies))
    (vm,) = json.loads(show("--socket", qemu.path, "--json"))["vms"]
    assert vm["state"] == state


def test_a_demo_that_was_paused(programs, vm):
    os.kill(vm.process.pid, signal.SIGUSR1)
    for path in vm.path, vm.flat:
        wait_until(lambda path=path: "paused" in show("--socket", path), "the pause")
    values = json.loads(run("stats", "--socket", vm.path, "-o", "json").stdout)
    assert [each["state"] for each in values["vms"]] == ["paused"]
    report = run("top", "-b", "-n", 1, "-i", 0.1, "--socket", vm.path).stdout
    titles, of_vm = (line.split() for line in report.splitlines()[1:3])
    assert (titles[2], of_vm[2]) == ("STATE", "paused")
    assert of_vm[titles.index("IDLE")] == "-"


def test_counts_are_those_of_the_vm(programs, vm):
    (listed,) = json.loads(show("--socket", vm.path, "--json"))["vms"]
    client = programs.client(vm)
    schemas = client.execute("query-stats-schemas")
    n = sum(len(group["stats"]) for groups in schemas.values() for group in groups)
    assert (listed["vcpus"], listed["stats"]) == (len(client.execute("query-cpus-fast")), n)
    assert (listed["peer"], listed["dialect"], listed["version"]) == ("vitals", "grouped", "7.0.0")


def test_csv_has_what_json_has(vm):
    options = ["--socket", vm.path, "--socket", vm.flat]
    vms = json.loads(show(*options, "-o", "json"))["vms"]
    lines = list(csv.DictReader(io.StringIO(show(*options, "-o", "csv"))))
    assert lines == [
        {name: "" if value is None else str(value) for name, value in vm.items()} for vm in vms
    ]


def test_one_of_two_fails(programs, vm):
    missing = programs.path("missing.sock")
    result = run("list", "--socket", missing, "--socket", vm.path, "--no-legend")
    assert result.returncode == 1 and f"{missing}: no such file" in result.stderr
    (line,) = result.stdout.splitlines()
    assert line.startswith("web1")


@pytest.mark.parametrize("options", [["--stat", "exits"], ["-o", "yaml"]])
def test_wrong_usage(options):
    result = run("list", *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Try 'vitals list --help'." in result.stderr
