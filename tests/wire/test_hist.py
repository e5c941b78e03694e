# SPDX-License-Identifier: MIT
"""`vitals hist`: the buckets of QMP, with their bounds."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest

from support import manual, recordings
from support.programs import TIMEOUT, VITALS, run, stat
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


def test_programs_get_empty_ones_too(programs):
    """The rows of a script are the same whether or not something has happened yet."""
    server = programs.server()
    server.tell("register", "p/vm", stat("h", "log-hist", count=4), stat("i", "log-hist", count=2))
    rows = []
    for values in (0, 0, 0, 0, 0, 0), (1, 2, 3, 4, 0, 0):
        server.tell("row", "p/vm", "vm", *values)
        charts = json.loads(hist(server, "-o", "json"))["histograms"]
        lines = csv.DictReader(io.StringIO(hist(server, "-o", "csv")))
        rows.append([(line["name"], line["lower"]) for line in lines])
        assert [chart["name"] for chart in charts] == ["h", "i"] and len(rows[0]) == 4 + 2
    assert rows[0] == rows[1] and "\ni " not in hist(server)
    page = manual.section("vitals-hist.1", "DESCRIPTION")
    assert "leaves out histograms without a value: JSON and CSV have them" in page
    assert "Both have histograms without a value" in " ".join(run("hist", "--help").stdout.split())


CLEAR = "\033[H\033[J"


class Terminal:
    """A terminal of this size, and what `vitals hist` prints on it."""

    def __init__(self, where, *arguments, height, width=80, **variables):
        environment = {k: v for k, v in os.environ.items() if k != "TERM"}
        self.ours, theirs = pty.openpty()
        self.resize(height, width)
        self.process = subprocess.Popen(
            [VITALS, "hist", "--socket", where.path, *map(str, arguments)], stdout=theirs,
            env={**environment, "LC_ALL": "C.UTF-8", **variables},
        )  # fmt: skip
        os.close(theirs)

    def resize(self, height, width):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))

    def read_until(self, is_enough=lambda text: False):
        """Without such a function, all there is until it ends."""
        data, deadline = b"", time.monotonic() + TIMEOUT
        while not is_enough(data.decode(errors="replace")):
            assert time.monotonic() < deadline, data
            assert select.select([self.ours], [], [], TIMEOUT)[0], "silent"
            try:
                data += os.read(self.ours, 65536)
            except OSError:  # nobody has the terminal open any more
                break
        return data.decode().replace("\r\n", "\n")

    def stop(self):
        self.process.kill()
        self.process.wait(TIMEOUT)
        os.close(self.ours)


TWICE = ["-i", 0.1, "-n", 2]


@pytest.mark.parametrize("variables, is_screen", [
    ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": ""}, False), ({}, False),
])  # fmt: skip
def test_each_output_takes_the_place_of_the_one_before(programs, server, variables, is_screen):
    terminal = programs.keep(Terminal(server, *TWICE, height=100, **variables))
    text = terminal.read_until()
    assert text.count(CLEAR) == (2 if is_screen else 0) and ("\033" in text) == is_screen
    outputs = text.split(CLEAR)[1:] if is_screen else re.split(r"\n\n(?=log )", text)
    assert len(outputs) == 2 and outputs[0].strip() == outputs[1].strip()


def rows_of(lines, width):
    """A line that is too long goes on in the next row."""
    return sum(max(1, -(-len(line) // width)) for line in lines)


@pytest.mark.parametrize("height", [1, 2, 3, 8, 11, 12, 13])
@pytest.mark.parametrize("width", [80, 40])
def test_no_output_is_higher_than_the_terminal(programs, server, height, width):
    """Nothing scrolls: the cursor is in a row of its own below."""
    programs.keep(wide := Terminal(server, *TWICE, height=100, width=width, TERM="xterm"))
    lines = wide.read_until().split(CLEAR)[1].splitlines()
    programs.keep(low := Terminal(server, *TWICE, height=height, width=width, TERM="xterm"))
    _, *outputs = low.read_until().split(CLEAR)
    assert len(outputs) == 2
    for *shown, last in (output.splitlines() for output in outputs):
        if [*shown, last] == lines:
            more = 0
        else:
            more = int(re.fullmatch(r"\((\d+) more lines; a larger terminal shows them\)", last)[1])
            assert shown == lines[: len(lines) - more]
        assert not shown or rows_of([*shown, last], width) < height
        assert (more == 0) == (rows_of(lines, width) < height)


def test_a_terminal_that_becomes_larger(programs, server):
    terminal = programs.keep(Terminal(server, "-i", 0.1, height=5, TERM="xterm"))
    terminal.read_until(lambda text: "more lines" in text)
    terminal.resize(50, 80)
    terminal.read_until(lambda text: "more lines" not in text.split(CLEAR)[-1]
                        and text.split(CLEAR)[-1].count("p99") == 2)  # fmt: skip


def test_one_output_is_whole(programs, server):
    terminal = programs.keep(Terminal(server, height=5, TERM="xterm"))
    text = terminal.read_until()
    assert "\033" not in text and "more lines" not in text and text.count("p99") == 2


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
    assert len(charts) == 2 and all(chart["seconds"] > 0 for chart in charts)
    totals = buckets_of_qmp(programs.client(demo), "halt_wait_hist")
    for chart in charts:
        assert sum(bucket["count"] for bucket in chart["buckets"]) < sum(map(sum, totals))


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, status, text", [
    (["number"], 3, "'number' is no histogram\n  'vitals stats' shows it."),
    (["lag"], 3, "no statistic matches 'lag'; did you mean 'log'?"),
    (["numbers"], 3, "no statistic matches 'numbers'\n"),  # 'number' is near, and no histogram
    (["-i", "0"], 2, "-i: '0' is no number of seconds"),
    (["-n", "0"], 2, "-n: '0' is no number"),
    (["--target", "vm"], 3, "no statistics"),
])  # fmt: skip
def test_errors(server, arguments, status, text):
    result = run("hist", "--socket", server.path, *arguments)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith("vitals hist: ") and text in result.stderr
