# SPDX-License-Identifier: MIT
"""`vitals hist`: the buckets of QMP, with their bounds."""

import csv
import io
import json
import os
import re

import pytest

from support import recordings
from support.programs import run, stat
from support.recordings import VCPUS


@pytest.fixture
def demo(programs, recording):
    return programs.demo("--recording", recording)


def hist(where, *arguments, **options):
    result = run("hist", "--socket", where.path, *arguments, **options)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def buckets_of_qmp(client, name):
    """For each vCPU."""
    reply = client.execute("query-stats", target="vcpu", filters=[{"fields": [name]}])
    return [vcpu["providers"][0]["stats"][0]["value"]["values"] for vcpu in reply["vcpus"]]


@pytest.fixture
def server(programs):
    server = programs.server()
    server.tell("register", "p/vcpu", stat("log", "log-hist", "seconds", exponent=-9, count=4),
                stat("linear", "linear-hist", count=3, bucket_size=10), stat("number"))  # fmt: skip
    server.tell("row", "p/vcpu", "cpu/0", 0, 1, 0, 3, 5, 0, 2**64 - 1, 7)
    server.tell("row", "p/vcpu", "cpu/1", 1, 0, 0, 1, 0, 0, 1, 7)
    return server


# ---- text ---------------------------------------------------------------------------------------


def test_bounds_counts_and_bars(server):
    text = hist(server, "log", "--each", env={**os.environ, "LC_ALL": "C"})
    first, second = text.split("\n\n")
    lines = first.splitlines()
    assert re.fullmatch(r"log of .*, cpu/0: 4 values", lines[0])
    assert [re.sub(" +", " ", line).strip(" #") for line in lines[1:4]] == [
        "1 ns - 2 ns 1 25.0 %", "2 ns - 4 ns 0 0.0 %", ">= 4 ns 3 75.0 %"]  # fmt: skip
    bars = [line.count("#") for line in lines[1:4]]
    assert bars[1] == 0 and bars[2] == max(bars) and bars[0] == pytest.approx(bars[2] / 3, abs=1)
    assert lines[4].strip() == "p50 >= 4 ns, p90 >= 4 ns, p99 >= 4 ns"
    assert second.splitlines()[0].endswith("cpu/1: 2 values")


def test_lines_fit_a_terminal(demo):
    text = hist(demo, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert "█" in text and max(map(len, text.splitlines())) <= 80
    ascii_only = hist(demo, env={**os.environ, "LC_ALL": "C"})
    assert ascii_only.isascii() and "#" in ascii_only


def test_empty_ones_are_shown_if_named(programs):
    server = programs.server()
    server.tell("register", "p/vm", stat("h", "log-hist", count=4))
    server.tell("row", "p/vm", "vm", 0, 0, 0, 0)
    assert hist(server) == "no histogram has a value\n"
    assert hist(server, "h").endswith(", vm: 0 values\n")


# ---- values -------------------------------------------------------------------------------------


def test_vcpus_are_added(programs, demo):
    each = buckets_of_qmp(programs.client(demo), "halt_wait_hist")
    (chart,) = json.loads(hist(demo, "halt_wait_hist", "-o", "json"))["histograms"]
    assert [bucket["count"] for bucket in chart["buckets"]] == [sum(v) for v in zip(*each)]
    assert (chart["objects"], chart["vcpu"], chart["path"]) == (VCPUS, None, None)


def test_each_vcpu(programs, demo):
    charts = json.loads(hist(demo, "halt_wait_hist", "--each", "-o", "json"))["histograms"]
    assert [[bucket["count"] for bucket in chart["buckets"]] for chart in charts] == (
        buckets_of_qmp(programs.client(demo), "halt_wait_hist")
    )
    assert [chart["vcpu"] for chart in charts] == list(range(VCPUS))


def test_bounds_are_exact(server):
    charts = json.loads(hist(server, "--each", "-o", "json"))["histograms"]
    bounds = {
        chart["name"]: [(bucket["lower"], bucket["upper"]) for bucket in chart["buckets"]]
        for chart in charts
        if chart["path"] == "cpu/0"
    }
    assert bounds == {"log": [(0, 1), (1, 2), (2, 4), (4, None)],
                      "linear": [(0, 10), (10, 20), (20, None)]}  # fmt: skip


def test_counts_of_64_bits(server):
    lines = list(csv.DictReader(io.StringIO(hist(server, "linear", "--each", "-o", "csv"))))
    assert [line["count"] for line in lines] == ["5", "0", str(2**64 - 1), "0", "0", "1"]
    together = list(csv.DictReader(io.StringIO(hist(server, "linear", "-o", "csv"))))
    assert [line["count"] for line in together] == ["5", "0", str(2**64 - 1)]  # not 0


def test_what_came_in_the_interval(programs):
    demo = programs.demo("--recording", recordings.write(programs.path("frames"), frames=4))
    outputs = hist(demo, "halt_wait_hist", "--rates", "-i", 1.1, "-n", 2, "-o", "json")
    charts = [json.loads(line)["histograms"][0] for line in outputs.splitlines()]
    assert len(charts) == 2 and all(chart["seconds"] > 1 for chart in charts)
    totals = buckets_of_qmp(programs.client(demo), "halt_wait_hist")
    for chart in charts:
        assert sum(bucket["count"] for bucket in chart["buckets"]) < sum(map(sum, totals))


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, status, text", [
    (["number"], 3, "'number' is no histogram\n  'vitals stats' shows it."),
    (["lag"], 3, "no statistic matches 'lag'; did you mean 'log'?"),
    (["-i", "0"], 2, "-i: '0' is no number of seconds"),
    (["-n", "0"], 2, "-n: '0' is no number"),
    (["--target", "vm"], 3, "no statistics"),
])  # fmt: skip
def test_errors(server, arguments, status, text):
    result = run("hist", "--socket", server.path, *arguments)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith("vitals hist: ") and text in result.stderr
