# SPDX-License-Identifier: MIT
"""What takes longer than two seconds says so on a terminal, and takes it away again."""

import os
import pty
import re
import subprocess
import threading

import pytest

from support.programs import TIMEOUT, VITALS, run
from support.strangers import Stranger

LONG = 8  # seconds: who has no CPU for some of them says it late


def run_on_terminal(*arguments):
    """(exit status, what stderr is on a terminal)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([VITALS, *map(str, arguments)], stdout=subprocess.DEVNULL,
                               stderr=theirs)  # fmt: skip
    os.close(theirs)
    text = b""
    try:
        while data := os.read(ours, 4096):
            text += data
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return process.wait(TIMEOUT), text.decode()


@pytest.fixture
def silent(programs):
    return programs.keep(Stranger(programs.path("silent.sock"))).path


@pytest.mark.parametrize("verb", ["stats", "doctor"])
def test_a_vm_that_is_silent(silent, verb):
    _, text = run_on_terminal(verb, "--socket", silent, "--timeout", LONG)
    lines = text.split("\r")
    waiting = f"vitals {verb}: waiting for 1 VM, "
    said = [line for line in lines if line.startswith(waiting)]
    assert said and all(re.fullmatch(re.escape(waiting) + r"\d+ s", line) for line in said)
    seconds = [int(line.split()[-2]) for line in said]
    assert seconds[0] >= 2 and seconds == sorted(set(seconds))
    assert " " * len(said[-1]) in lines, "the line is taken away"


def test_silent_vms_are_waited_for_together(programs, silent):
    other = programs.keep(Stranger(programs.path("other.sock"))).path
    _, text = run_on_terminal("doctor", "--socket", silent, "--socket", other, "--timeout", LONG)
    assert "waiting for 2 VMs, " in text and "waiting for 1 VM" not in text


def test_a_pipe_that_nobody_writes_to(programs):
    """Until somebody does."""
    os.mkfifo(path := programs.path("pipe"))
    timer = threading.Timer(LONG, lambda: open(path, "wb").close())
    timer.start()
    status, text = run_on_terminal("diff", path, path)
    timer.join()
    assert status == 1
    assert f"vitals diff: waiting for {path}"[:60] in text and "not a snapshot: empty" in text


@pytest.mark.parametrize("verb, options", [
    ("stats", ["--rates", "-n", 1]), ("hist", ["--rates", "-n", 1]), ("top", ["-b", "-n", 1]),
])  # fmt: skip
def test_an_interval(programs, recording, verb, options):
    demo = programs.demo("--recording", recording)
    status, text = run_on_terminal(verb, "--socket", demo.path, "-i", LONG, *options)
    assert status == 0
    assert re.search(rf"vitals {verb}: the first interval takes {LONG} s, [2-8] s", text)


def test_nothing_of_it_in_a_file(silent):
    result = run("stats", "--socket", silent, "--timeout", 2.5)
    assert "waiting" not in result.stderr and "\r" not in result.stderr
