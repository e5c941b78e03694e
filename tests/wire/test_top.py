# SPDX-License-Identifier: MIT
"""`vitals top`: on a terminal of its own, which tmux plays, and as plain text."""

import datetime
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from support import recordings
from support.programs import (
    EXAMPLE_COUNTERS,
    ROOT,
    SANITIZED,
    TIMEOUT,
    VITALS,
    Program,
    assert_no_reports,
    run,
    stat,
    wait_until,
)
from support.recordings import VCPUS
from support.strangers import FakeQemu
from support.terminal import start


class Batch(Program):
    """`vitals top -b` that goes on; its output is in a file."""

    def __init__(self, command, directory):
        self.output_path = os.path.join(directory, "output")
        self.begin = 0  # of the interval that was waited for last
        open(self.output_path, "w", encoding="utf-8").close()
        super().__init__(["sh", "-c", f'exec "$@" > {self.output_path}', "sh", *command], directory)

    def output(self):
        with open(self.output_path, encoding="utf-8") as file:
            return file.read()

    def wait_for(self, pattern, what):
        """In the interval of the last one that was waited for, or in a later one."""

        def found():
            match = re.compile(pattern, re.MULTILINE).search(self.output(), self.begin)
            if match:
                self.begin = match.start()
            return match

        wait_until(found, what)

    def stop(self):
        if not self.ended:
            self.kill()
        assert_no_reports(self.log())


@pytest.fixture
def vm(programs):
    """A VM whose counters move for two minutes."""
    return programs.demo("--recording", recordings.write(programs.path("frames"), frames=120))


@pytest.fixture
def terminal(programs, vm):
    return start(programs, "--socket", vm.path, "-i", 0.2)


def check_restored(terminal):
    """The settings of the terminal and its normal screen are there again."""
    assert terminal.read(".after") == terminal.read(".before")
    assert terminal.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}") == "0 1\n"


def below(text, title, name):
    """What stands below a title, which ends where it ends, in the line of a VM; "": nothing."""
    lines = text.splitlines()
    end = next((line.index(title) + len(title) for line in lines if f" {title}" in line), 0)
    row = next((line for line in lines if line.startswith(f"{name} ")), "")
    found = re.search(r"\S+$", row[:end])
    return found[0] if found else ""


def rate_of(terminal, name):
    """Its exits per second, or 0 if there is no rate."""
    shown = below(terminal.text(), "EXITS/s", name)
    return float(shown) if re.fullmatch(r"[\d.]+", shown) else 0


# ---- levels -------------------------------------------------------------------------------------


def test_levels(terminal):
    shown = terminal.wait_for("1 VM, every 0.2 s, rates", "demo", "EXITS/s")
    assert len(shown.splitlines()) == 24
    terminal.press("Enter")
    terminal.wait_for("VMs > demo\n", *(f"\nvcpu {i} " for i in range(VCPUS)))
    terminal.press("Down", "j", "x")
    terminal.wait_for("VMs > demo > vcpu 1\n", "halt_wait_hist", "exits")
    terminal.press("/", "*wait_hist", "Enter", "Enter")
    terminal.wait_for("> halt_wait_hist")
    terminal.press("t", "End")
    terminal.wait_for("totals", "\u2588", "p50", "p90", "p99", " 268.4 ms - 536.9 ms", ">= 1.074 s")
    terminal.press("Escape")
    terminal.wait_for("VMs > demo > vcpu 1  filter: *wait_hist")
    terminal.press("BSpace")
    terminal.wait_for("VMs > demo\n")
    terminal.press("Left")
    terminal.wait_for("VMs\n")
    terminal.press("q")
    assert terminal.exit_status() == 0
    check_restored(terminal)


def test_a_name_of_two_providers(programs):
    """There is no room for the column with the providers."""
    server = programs.server(name="guest")
    for provider, value in (("kvm", 3), ("own", 500)):
        server.tell("register", f"{provider}/vm", stat("exits"), stat(f"of_{provider}"))
        server.tell("row", f"{provider}/vm", "vm", value, 0)
    terminal = start(programs, "--socket", server.path, "-i", 0.2)
    terminal.wait_for("1 VM, every 0.2 s, rates")
    terminal.press("Enter")
    terminal.wait_for("VMs > guest\n")
    terminal.press("Enter")
    terminal.wait_for("VMs > guest > vm\n", "\nkvm/exits ", "\nown/exits ", "\nof_kvm ", "\nof_own ")


def test_what_a_vmm_says_of_its_statistics(programs):
    vm = programs.example(EXAMPLE_COUNTERS)
    terminal = start(programs, "--socket", vm.path, "-i", 0.2)
    terminal.wait_for("example")
    terminal.press("Enter")
    terminal.wait_for("VMs > ")
    terminal.press("Enter")
    terminal.wait_for("disk_size_hist")
    terminal.press("/", "disk_size", "Enter", "Enter")
    terminal.wait_for("Requests by size.")


def test_rates_are_those_of_the_vm(terminal):
    """A frame of the recording has 10000 exits more for each of three vCPUs, once a second."""
    terminal.press("s", "2", "Enter")
    terminal.wait_for("every 2 s")

    wait_until(lambda: 10_000 < rate_of(terminal, "demo") < 50_000, "a rate of about 30000")


def test_baseline(terminal):
    terminal.press("t")
    terminal.wait_for("totals")
    terminal.press("r")
    terminal.wait_for("totals since ")


def test_help(terminal):
    terminal.wait_for("EXITS/s")
    terminal.press("?")
    terminal.wait_for("Any key goes back.", "drill down")
    terminal.press("h")
    terminal.wait_for("EXITS/s")


def test_help_on_a_low_terminal(programs, vm):
    terminal = start(programs, "--socket", vm.path, height=10)
    terminal.press("h")
    terminal.wait_for("vitals top: keys", "drill down", "Up, Down: more. Any other key goes back.")
    assert "quit" not in terminal.text()
    terminal.press("End")
    terminal.wait_for("vitals top: keys", "quit")
    terminal.press("x")
    terminal.wait_for("EXITS/s")


def test_sizes(terminal):
    terminal.wait_for("EXITS/s")
    for width, height in (200, 50), (20, 5), (1, 1), (80, 24):
        terminal.tmux("resize-window", "-x", width, "-y", height)
        wait_until(lambda n=height: len(terminal.text().splitlines()) == n, "the new size")
    terminal.wait_for("EXITS/s", "q quit")
    terminal.tmux("resize-window", "-x", 30, "-y", 24)
    wait_until(lambda: "BUSIEST" not in terminal.text(), "a narrow list")
    terminal.tmux("resize-window", "-x", 200, "-y", 50)
    terminal.wait_for("BUSIEST")


def test_a_terminal_whose_kind_is_not_installed(programs, vm):
    """It is drawn as one that is similar, and says so until a key is pressed."""
    said = "xterm-of-nowhere is not installed here: shown as xterm-256color"
    terminal = start(programs, "--socket", vm.path, variables="TERM=xterm-of-nowhere")
    terminal.wait_for("EXITS/s", said)
    terminal.press("t")
    terminal.wait_for("totals", "q quit")
    assert said not in terminal.text()


# ---- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                                    signal.SIGQUIT])  # fmt: skip
def test_signals_restore_the_terminal(terminal, number):
    terminal.wait_for("EXITS/s")
    terminal.signal(number)
    assert terminal.exit_status() == 0
    check_restored(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_signals_end_it_while_it_waits_for_the_first_answer(programs, vm, number):
    vm.send_signal(signal.SIGSTOP)
    try:
        terminal = start(programs, "--socket", vm.path, "--timeout", 2 * TIMEOUT)
        wait_until(lambda: os.path.exists(terminal.status + ".pid") and terminal.read(".pid"), "it is started")
        threads = f"/proc/{int(terminal.read('.pid'))}/task"
        wait_until(lambda: len(os.listdir(threads)) > 1, "it asks")
        terminal.signal(number)
        assert terminal.exit_status() == 128 + number
    finally:
        vm.send_signal(signal.SIGCONT)
    check_restored(terminal)


def test_a_crash_restores_the_terminal(terminal):
    terminal.wait_for("EXITS/s")
    terminal.signal(signal.SIGABRT)
    assert terminal.exit_status() == 128 + signal.SIGABRT
    check_restored(terminal)


def test_going_on_with_a_terminal_that_was_changed(terminal):
    """A shell sets it as it likes while the program is stopped by force."""
    terminal.wait_for("EXITS/s")
    terminal.signal(signal.SIGSTOP)
    assert terminal.exit_status() == 128 + signal.SIGSTOP
    subprocess.run(["stty", "-F", terminal.tmux("display-message", "-p", "#{pane_tty}").strip(),
                    "sane"], check=True, timeout=TIMEOUT)  # fmt: skip
    terminal.press("Enter")
    wait_until(lambda: "-icanon" in terminal.settings(), "its own settings")
    terminal.press("h")
    terminal.wait_for("Any key goes back.")


def test_stopping_and_going_on(terminal):
    terminal.wait_for("EXITS/s")
    terminal.signal(signal.SIGTSTP)
    assert terminal.exit_status() == 128 + signal.SIGSTOP  # of fg, in the shell
    check_restored(terminal)
    terminal.press("Enter")  # for the shell, which lets it go on
    terminal.wait_for("EXITS/s", "q quit")
    terminal.press("q")
    assert terminal.exit_status(".second") == 0
    check_restored(terminal)


def test_a_vm_that_ends_meanwhile(programs, vm, recording):
    other = programs.demo("--recording", recording, "--name", "other")
    terminal = start(programs, "--socket", vm.path, "--socket", other.path, "-i", 0.2)
    terminal.wait_for("2 VMs", "demo", "other")
    other.stop()
    terminal.wait_for("1 gone", "closed by the server", ", since ", "demo")
    vm.stop()
    terminal.wait_for("all VMs are gone")
    terminal.press("q")
    assert terminal.exit_status() == 1
    check_restored(terminal)
    assert terminal.read(".errors").count("closed by the server") == 2


def test_a_vm_that_is_back(programs, vm):
    """Another VM at the same socket: with a name of its own, and counting from the begin."""
    terminal = start(programs, "--socket", vm.path, "-i", 0.2)
    wait_until(lambda: rate_of(terminal, "demo"), "a rate")
    vm.stop()
    terminal.wait_for("all VMs are gone", "closed by the server")
    frames = recordings.write(programs.path("again"), frames=120)
    programs.demo("--recording", frames, "--name", "again", path=vm.path)
    wait_until(lambda: rate_of(terminal, "again"), "a rate again")
    assert "gone" not in terminal.text() and "since" not in terminal.text()
    assert " -" not in terminal.text().replace(" - ", "")
    terminal.press("q")
    assert terminal.exit_status() == 1
    check_restored(terminal)
    errors = terminal.read(".errors")
    assert "closed by the server" in errors and errors.endswith("\n  It came back.\n")


def test_a_path_with_odd_bytes(programs, recording):
    """They are not shown, but the path is the same when the VM is back."""
    path = programs.path("o\x01dd.sock")
    vm = programs.demo("--recording", recording, path=path)
    other = programs.demo("--recording", recording, "--name", "other")
    command = [VITALS, "top", "-b", "-i", "0.2", "--socket", path, "--socket", other.path]
    process = programs.keep(Batch(command, programs.directory))
    process.wait_for("^demo .*\nother ", "both")
    vm.stop()
    process.wait_for("^demo .* closed by the server", "the VM is gone")
    assert "/o?dd.sock: closed" in process.log()
    programs.demo("--recording", recording, "--name", "again", path=path)
    process.wait_for("^again ", "the VM is back")
    process.stop()
    assert "/o?dd.sock: is back\n" in process.log()


def test_a_vm_that_was_busy(programs, vm):
    """It is gone when it is late, and back when it answers, where one was looking."""
    terminal = start(programs, "--socket", vm.path, "-i", 0.2, "--timeout", 0.5)
    terminal.wait_for("demo", "EXITS/s")
    terminal.press("Enter", "j", "Enter")
    terminal.wait_for("VMs > demo > vcpu 0\n")
    vm.send_signal(signal.SIGSTOP)
    try:
        terminal.wait_for("gone", "no reply to query-", ", since ", "VMs > demo > vcpu 0\n")
    finally:
        vm.send_signal(signal.SIGCONT)

    def is_back():
        text = terminal.text()
        return re.search(r"^exits +\d+/s ", text, re.MULTILINE) and "gone" not in text

    wait_until(is_back, "a rate")
    assert "VMs > demo > vcpu 0\n" in terminal.text()


def test_a_silent_vm_does_not_stop_the_keys(programs, vm, recording):
    silent = programs.demo("--recording", recording, "--name", "silent")
    terminal = start(programs, "--socket", vm.path, "--socket", silent.path, "-i", 0.2,
                     "--timeout", 10 * TIMEOUT)  # fmt: skip
    terminal.wait_for("2 VMs", "silent")
    silent.send_signal(signal.SIGSTOP)
    try:
        terminal.press("h")
        terminal.wait_for("Any key goes back.")
        terminal.press("h", "q")
        assert terminal.exit_status() == 0
    finally:
        silent.send_signal(signal.SIGCONT)


def test_keys_without_a_meaning(terminal):
    """Ctrl and Space send a 0; a new size comes as a key, which must not end the help."""
    terminal.wait_for("EXITS/s")
    terminal.press("C-Space", "F5", "h")
    terminal.wait_for("Any key goes back.")
    terminal.tmux("resize-window", "-x", 80, "-y", 10)
    terminal.wait_for("Any other key goes back.")
    terminal.press("End")
    terminal.wait_for("vitals top: keys", "quit")


@pytest.mark.parametrize("variables, has_colour", [
    ("", True), ("NO_COLOR=1", False), ("NO_COLOR=", True),
])  # fmt: skip
def test_colours(programs, vm, variables, has_colour):
    terminal = start(programs, "--socket", vm.path, variables=variables)
    terminal.wait_for("EXITS/s", "q quit")
    shown = terminal.tmux("capture-pane", "-p", "-e")
    assert bool(re.search(r"\033\[[\d;]*3[1-7]m", shown)) == has_colour


def test_a_terminal_without_utf8(programs, recording):
    vm = programs.demo("--recording", recording, "--name", "w\u00e9b")
    terminal = start(programs, "--socket", vm.path, variables="LC_ALL=C")
    terminal.wait_for("w??b ")
    terminal.press("Enter", "j", "Enter", "/", "halt_wait_hist", "Enter", "Enter", "t")
    terminal.wait_for("> halt_wait_hist", "####")
    assert terminal.text().isascii()


def read_until(file, part):
    """Reads what a program writes to its terminal."""
    shown = b""
    while part not in shown:
        assert select.select([file], [], [], TIMEOUT)[0], f"{part} does not come"
        shown = shown[-100:] + os.read(file, 65536)


def test_a_terminal_of_any_size(vm):
    """Some have tens of thousands of lines and columns; nobody sees them all."""
    limit = [] if SANITIZED else ["prlimit", "--as=1073741824"]  # of which they need more
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30_000, 30_000, 0, 0))
    with subprocess.Popen(
        [*limit, VITALS, "top", "--socket", vm.path],
        stdin=side, stdout=side, stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"},
    ) as process:  # fmt: skip
        try:
            os.close(side)
            read_until(main, b"q quit")
            os.write(main, b"q")
            assert process.wait(TIMEOUT) == 0
        finally:
            process.kill()
            os.close(main)


@pytest.mark.parametrize("kind", ["dumb", "nonsense", ""])
def test_a_terminal_that_can_not_do_it(vm, kind):
    main, side = pty.openpty()
    try:
        result = subprocess.run(
            [VITALS, "top", "--socket", vm.path], stdin=side, stdout=side, stderr=subprocess.PIPE,
            text=True, timeout=TIMEOUT, check=False, env={**os.environ, "TERM": kind},
        )  # fmt: skip
        assert result.returncode == 1
        assert f"of TERM={kind} " in result.stderr and "-b prints" in result.stderr
    finally:
        os.close(main)
        os.close(side)


def test_no_terminal(vm):
    result = run("top", "--socket", vm.path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "no terminal\n  -b prints plain text instead.\n" in result.stderr


# ---- plain text ---------------------------------------------------------------------------------


def test_batch(vm):
    result = run("top", "-b", "-n", 2, "-i", 1, "--socket", vm.path)
    assert (result.returncode, result.stderr) == (0, "")
    first, second = re.split(r"\n\n(?=vitals top: )", result.stdout)
    for output in first, second:
        head, titles, of_vm, _, name, *rest = output.splitlines()
        assert re.fullmatch(r"vitals top: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}, 1 VM", head)
        assert titles.split()[:2] == ["VM", "VCPUS"] and "EXITS/s" in titles
        assert of_vm.split()[:2] == ["demo", str(VCPUS)] and name == "demo"
        assert [line[:6] for line in rest] == ["OBJECT", "vm    ", "vcpu 0", "vcpu 1", "vcpu 2"]
    assert not re.search(r" $", result.stdout, re.MULTILINE) and "\033" not in result.stdout


@pytest.mark.parametrize("globs", [["halt*"], ["exits"], ["irq*", "blocking"]])
def test_columns_have_what_they_take(programs, globs):
    """Also where --stat leaves it out: otherwise one that is idle would look busy."""
    vm = programs.demo("--recording", ROOT / "tests/data/recording")
    words = ["top", "-b", "-n", 1, "-i", 0.1, "--socket", vm.path]
    plain, chosen = (
        run(*words, *more).stdout.splitlines()[1:3]
        for more in ([], [word for glob in globs for word in ("--stat", glob)])
    )
    idle = plain[0].split().index("IDLE")
    assert chosen[0] == plain[0] and chosen[1].split()[: idle + 1] == plain[1].split()[: idle + 1]
    assert plain[1].split()[idle] == "100%"


def test_what_can_not_be_told_is_not_shown(vm):
    """Without the statistic 'blocking', nobody knows whether a vCPU sleeps all the time or never."""
    titles, of_vm = run(
        "top", "-b", "-n", 1, "-i", 0.1, "--socket", vm.path
    ).stdout.splitlines()[1:3]
    assert of_vm.split()[titles.split().index("IDLE")] == "-"


def test_a_list_of_statistics_has_those_that_were_chosen(programs, vm):
    terminal = start(programs, "--socket", vm.path, "--stat", "halt_*")
    terminal.wait_for("IDLE")
    terminal.press("Enter")
    terminal.wait_for("OBJECT")
    terminal.press("Down", "Enter")
    terminal.wait_for("halt_wait_ns")
    assert not re.search("^(exits|blocking|io_exits) ", terminal.text(), re.MULTILINE)


def test_batch_has_no_zeros_to_leave_out(vm):
    """-z changes nothing there, and the help says so; nor is there --vcpu."""
    words = ["top", "-b", "-n", 1, "-i", 0.1, "--socket", vm.path]
    plain, nonzero = (run(*words, *more).stdout.splitlines() for more in ([], ["-z"]))
    assert [line[:6] for line in plain] == [line[:6] for line in nonzero] != []
    text = " ".join(run("top", "--help").stdout.split())
    assert "that are 0; with -b it changes nothing" in text
    assert "There is no --vcpu: drill down to a vCPU instead." in text
    assert run("top", "--vcpu", 0).returncode == 2


def test_batch_of_a_vm_that_fails_at_once(programs):
    """Its report is dated nevertheless."""
    schemas = [{"provider": "kvm", "target": "vm",
                "stats": [{"name": "count", "type": "cumulative"}]}]  # fmt: skip
    error = {"error": {"class": "GenericError", "desc": "not now"}}
    vm = programs.keep(FakeQemu(programs.path("vm.sock"), query_stats=error,
                                query_stats_schemas={"return": schemas}))  # fmt: skip
    began = int(time.time())
    good = programs.demo("--recording", recordings.write(programs.path("frames"), frames=120))
    result = run("top", "-b", "-n", 1, "-i", 0.1, "--socket", vm.path, "--socket", good.path)
    head = result.stdout.splitlines()[0]
    date = re.fullmatch(r"vitals top: (\S+), 2 VMs, 1 gone", head)[1]
    assert began <= datetime.datetime.fromisoformat(date[:-2] + ":" + date[-2:]).timestamp()


def test_batch_when_a_vm_ends(programs, vm):
    """It may come back: that it is away is a row."""
    command = [VITALS, "top", "-b", "-i", "0.1", "-n", "30", "--socket", vm.path]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        vm.stop()
        output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert re.search(r"^demo +closed by the server .*, since \S+$", output.splitlines()[-1])
    assert output.count("vitals top: ") == 29 and "closed by the server" in errors


def test_a_vm_that_does_not_answer_at_the_start(programs, vm, recording):
    """It is a row, with the reason first, and comes when it is there."""
    path = programs.path("later.sock")
    terminal = start(programs, "--socket", vm.path, "--socket", path, "-i", 0.2)
    terminal.wait_for("2 VMs", "1 gone", "demo", "no such file, since ")
    programs.demo("--recording", recording, "--name", "later", path=path)
    wait_until(lambda: re.search(r"^later +\d+ ", terminal.text(), re.MULTILINE), "it is there")
    terminal.press("q")
    assert terminal.exit_status() == 1


def test_batch_when_a_vm_is_back(programs, vm, recording):
    """It holds nobody up, and what is wanted of it is what was wanted before."""
    other = programs.demo("--recording", recording, "--name", "other")
    command = [VITALS, "top", "-b", "-i", "0.2", "--stat", "exits", "--target", "vcpu",
               "--socket", vm.path, "--socket", other.path]  # fmt: skip
    process = programs.keep(Batch(command, programs.directory))
    process.wait_for("^demo .*\nother ", "both")
    other.stop()
    process.wait_for("^other .* closed by .*, since ", "other is gone")
    wait_until(lambda: "closed by the server" in process.log(), "the complaint")
    programs.demo("--recording", recording, "--name", "newer", path=other.path)
    # It has no rate at first, unless the other VM answers so late that it has answered twice.
    process.wait_for(r"^newer +\d+ +- +[-0](?= |$)", "newer is there")
    process.wait_for(r"^newer +\d+ +- +0(?= |$)", "newer has a rate")
    vm.stop()
    process.wait_for("^demo .* closed by .*, since ", "demo is gone")
    assert process.process.poll() is None
    process.stop()
    assert process.log().count(f"{other.path}: ") == 2
    assert process.log().count(f"vitals top: {other.path}: is back\n") == 1
    assert process.log().count("closed by the server") == 2


def test_batch_tells_of_a_gap_by_its_status(programs, vm, recording):
    other = programs.demo("--recording", recording, "--name", "other")
    command = [VITALS, "top", "-b", "-i", "0.2", "-n", "20",
               "--socket", vm.path, "--socket", other.path]  # fmt: skip
    process = programs.keep(Batch(command, programs.directory))
    process.wait_for("^other ", "other")
    other.stop()
    programs.demo("--recording", recording, path=other.path)
    assert process.wait() == 1
    assert process.output().count("vitals top: ") == 20


@pytest.mark.parametrize("options, text", [
    (["-i", "0"], "-i: '0' is no number of seconds"),
    (["-i", "0.01"], "-i: '0.01' is no number of seconds from 0.05 to 3600"),
    (["-n", "0"], "-n: '0' is no number"),
])  # fmt: skip
def test_wrong_usage(options, text):
    result = run("top", *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert text in result.stderr and "Try 'vitals top --help'." in result.stderr
