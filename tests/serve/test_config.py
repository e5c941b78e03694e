# SPDX-License-Identifier: MIT
"""The files of `vitals serve`: what is wrong in them, who wins, and what a SIGHUP changes."""

import os
import pathlib
import signal
import subprocess

import pytest

from support.programs import TIMEOUT, VITALS, run, wait_until
from support.registrant import Registrant
from support.web import bcrypt
from test_users import GROUP, MEMBER, OWNER, STRANGER, as_user, can_use

BYTES_MAX = 65536


@pytest.fixture
def write(programs):
    """Writes a file of the daemon's; returns its path."""
    directory = pathlib.Path(programs.path("etc"))

    def write(text, name="serve.conf"):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        for each in (path.parent, directory):
            each.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def check():
    """Its exit status and the error, if there is one, by --check-config."""

    def check(path, *options):
        result = run("serve", "--check-config", "--config", path, *options)
        return result.returncode, result.stderr or result.stdout

    return check


# ---- what is wrong ------------------------------------------------------------------------------

WRONG = [
    ("group", ":1: 'group' is no line of the form KEY = VALUE"),
    ("[serve]", ":1: '[serve]' is no line of the form KEY = VALUE"),
    ("\n# a\ngruop = root", ":3: 'gruop' is no key; did you mean 'group'?"),
    ("config = x", ":1: 'config' is no key; "),
    ("check-config = yes", ":1: 'check-config' is no key; there are: run-dir user group owners "),
    ("user =", ":1: 'user' expects NAME, and not ''"),
    ("registered-only = maybe", ":1: 'registered-only' expects yes or no, and not 'maybe'"),
    ("register-clients = 0", ":1: 'register-clients' expects a number from 1 on, and not '0'"),
    ("register-files = -1", ":1: 'register-files' expects a number from 1 on, and not '-1'"),
    ("register-files = 99999999999999999999", "expects a number from 1 on, and not '99999999999999999999'"),
    ("group = root\n\ngroup = root", ":3: 'group' is in line 1 already"),
    ("user = no-such-name", ":1: user: there is no user 'no-such-name'"),
    ("group = no-such-name", ":1: group: there is no group 'no-such-name'"),
    ("owners = everybody", ":1: owners: 'everybody' is neither people nor none, nor uids such as 1000-60000"),
    ("owners = 2-1", ":1: owners: '2-1' is neither people nor none"),
    ("owners = 1--2", ":1: owners: '1--2' is neither people nor none"),
    ("owners = 1-4294967295", ":1: owners: '1-4294967295' is neither people nor none"),
    ("metrics = everywhere", ":1: metrics: 'everywhere' is no address, such as 127.0.0.1:9555"),
    ("metrics = 127.0.0.1:0\nweb-config = /nowhere", ":2: web-config: /nowhere can't be read: No such file"),
    ("metrics-public = yes", ":1: metrics-public: it needs 'metrics', such as metrics = 127.0.0.1:9555"),
    ("metrics = 0.0.0.0:0", ":1: metrics: 0.0.0.0:0 is reached from other hosts, so it needs TLS and a login"),
    ("metrics = 127.0.0.1:0\n" * 9, ":9: metrics: there are more than 8 addresses"),
    ("run-dir = /" + "x" * 80, ":1: run-dir: /" + "x" * 80 + ": too long for the paths of sockets"),
    ("group = a\0b", " can't be read: it has a NUL"),
]


@pytest.mark.parametrize("text, expected", WRONG, ids=[text[:20] for text, _ in WRONG])
def test_what_is_wrong(write, check, text, expected):
    path = write(text)
    status, error = check(path)
    assert status == 1
    assert f"vitals serve: {path}{expected}" in error or expected in error
    assert error.startswith(f"vitals serve: {path}")


def test_what_needs_another(write, check):
    empty = write("tls_server_config:\n", "web.yml")
    path = write(f"web-config = {empty}")
    status, error = check(path)
    assert status == 1 and error.startswith(f"vitals serve: {path}:1: web-config: ")


def test_a_file_that_is_none(programs, check):
    for path, why in (programs.path("none"), "No such file or directory"), (programs.path(""), "it is no regular file"):
        assert check(path) == (1, f"vitals serve: {path} can't be read: {why}\n")
    fifo = programs.path("fifo")
    os.mkfifo(fifo)
    assert check(fifo) == (1, f"vitals serve: {fifo} can't be read: it is no regular file\n")


def test_a_file_has_a_limit(write, check):
    for size in (BYTES_MAX, BYTES_MAX + 1):
        path = write("group = root\n#".ljust(size, "x"))
        status, error = check(path)
        assert status == (size > BYTES_MAX), error
    assert error == f"vitals serve: {path} can't be read: more than 65536 bytes\n"


def test_what_is_right(write, check):
    first = write("  # of this host\n;\n\ngroup=root\r\n owners = 1000-2000 \nregistered-only = Yes\nmetrics = 127.0.0.1:0\n")
    second = write("group = nogroup\n", "conf.d/50-a.conf")
    write("nonsense", "conf.d/50-a.conf.bak")
    write("nonsense", "conf.d/.50-b.conf")
    assert check(first) == (0, f"vitals serve: {first} can be used\nvitals serve: {second} can be used\n")
    bad = write("nonsense", "conf.d/60.conf")
    assert check(first)[1].startswith(f"vitals serve: {bad}:1: 'nonsense' ")


WRONG_OPTIONS = [
    (["--owners", "x"], "--owners: 'x' is neither people nor none, nor uids such as 1000-60000\n"),
    (["--user", "no-such-name"], "--user: there is no user 'no-such-name'\n"),
    (["--group", "no-such-name"], "--group: there is no group 'no-such-name'\n"),
    (["--metrics", "x"], "--metrics: 'x' is no address, such as 127.0.0.1:9555"),
    (["--metrics", "0.0.0.0:0"], "--metrics: 0.0.0.0:0 is reached from other hosts"),
    (["--metrics", "127.0.0.1:0"] * 9, "--metrics: there are more than 8 addresses\n"),
    (["--metrics", "127.0.0.1:0", "--web-config", "/nowhere"], "--web-config: /nowhere can't be read: No such file"),
    (["--run-dir", "/" + "x" * 80], "--run-dir: /" + "x" * 80 + ": too long for the paths of sockets\n"),
]


@pytest.mark.parametrize("options, expected", WRONG_OPTIONS, ids=[" ".join(options)[:24] for options, _ in WRONG_OPTIONS])
def test_options_are_checked_like_files(write, check, options, expected):
    status, error = check(write(""), *options)
    assert status == 1 and error.startswith(f"vitals serve: {expected}")


@pytest.mark.parametrize("option", [["--web-config", "x"], ["--metrics-public"]])
def test_options_need_others_there_too(write, check, option):
    status, error = check(write(""), *option)
    assert status == 2 and f"{option[0]} needs --metrics" in error


# ---- who wins -----------------------------------------------------------------------------------


def group_of(daemon):
    assert daemon.ready, daemon.log()
    return os.stat(os.path.join(daemon.run_directory, "host.sock")).st_gid


def test_who_wins(start, write):
    """The last file, and the command line over all."""
    path = write("user = root\ngroup = root\n")
    daemon = start("--config", path)
    assert group_of(daemon) == 0
    daemon.stop()
    write("group = nogroup\n", "conf.d/a.conf")
    daemon = start("--config", path)
    assert group_of(daemon) == GROUP
    daemon.stop()
    assert group_of(start("--config", path, "--group", "root")) == 0


def test_addresses_are_those_of_all_files(start, write):
    def addresses():
        daemon = start("--config", path)
        assert daemon.ready, daemon.log()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.process.wait(TIMEOUT) == 0
        return daemon.process.stdout.read().count("their statistics are at http://127.0.0.1:")

    path = write("user = root\nmetrics = 127.0.0.1:0\nmetrics = 127.0.0.1:0")
    write("metrics = 127.0.0.1:0", "conf.d/a.conf")
    assert addresses() == 3
    write("metrics =\nmetrics = 127.0.0.1:0", "conf.d/b.conf")
    assert addresses() == 1


# ---- SIGHUP -------------------------------------------------------------------------------------


@pytest.fixture
def change(write):
    """Writes the file again, and has the daemon read it."""

    def change(daemon, text, expected="the settings have been read again"):
        write(text)
        before = len(daemon.log())
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: expected in daemon.log()[before:], "it has been read")
        return daemon.log()[before:]

    return change


def test_who_may_read_changes(start, write, change, vmm):
    """For the VMs that are there, and for those that come."""
    path = write("user = nobody\ngroup = nogroup\n")
    daemon = start("--config", path)
    assert daemon.ready, daemon.log()
    old = vmm("--guest", "once", around=as_user(OWNER, None, "dac_override"))
    name = f"bare-vmm-{old.pid}"
    daemon.wait_for(name)
    host = os.path.join(daemon.run_directory, "host.sock")

    def who_may(socket):
        users = {"group": (MEMBER, GROUP), "daemon": (MEMBER, 1), "owner": (OWNER, None), "other": (STRANGER, None)}
        return {who for who, ids in users.items() if can_use(socket, *ids)}

    assert who_may(daemon.socket(name)) == {"group", "owner"}
    assert who_may(host) == {"group"}
    change(daemon, "user = nobody\ngroup = daemon\nowners = none\n")
    new = vmm("--guest", "once", around=as_user(OWNER, None, "dac_override"))
    daemon.wait_for(f"bare-vmm-{new.pid}")
    for each in (name, f"bare-vmm-{new.pid}"):
        assert who_may(daemon.socket(each)) == who_may(daemon.socket(each, "qemu.sock")) == {"daemon"}
    assert who_may(host) == {"daemon"}
    change(daemon, f"user = nobody\ngroup = nogroup\nowners = {OWNER}-{OWNER}\n")
    for each in (name, f"bare-vmm-{new.pid}"):
        assert who_may(daemon.socket(each)) == {"group", "owner"}
    assert who_may(host) == {"group"}


CONNECT = """
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except PermissionError:
    sys.exit(1)
"""


def test_who_may_read_by_http_changes(start, write, change, programs):
    """And a second time: by then the text of the first settings is gone."""
    path = programs.path("metrics.sock")
    settings = f"user = nobody\ngroup = {{}}\nmetrics = unix:{path}\n"
    os.chown(programs.directory, 65534, 65534)
    daemon = start("--config", write(settings.format("nogroup")))
    assert daemon.ready, daemon.log()

    def may(gid):
        command = [*as_user(MEMBER, gid), "/usr/bin/python3", "-c", CONNECT, path]
        return subprocess.run(command, check=False).returncode == 0

    assert (may(GROUP), may(1)) == (True, False)
    for _ in range(2):
        change(daemon, settings.format("daemon"))
        assert (may(GROUP), may(1)) == (False, True)


def test_limits_change(start, write, change, programs):
    daemon = start("--config", write("user = root\nregister-clients = 1\n"))
    assert daemon.ready, daemon.log()
    path = os.path.join(daemon.run_directory, "register.sock")

    def connect():
        return programs.keep(Registrant(path)).read_message()

    assert "QMP" in connect()
    assert connect()["error"]["desc"] == "Too many clients, of one user"
    change(daemon, "user = root\nregister-clients = 2\n")
    assert "QMP" in connect()
    assert connect()["error"]["desc"] == "Too many clients, of one user"


def test_what_is_out_of_reach_by_then_stops_no_change(start, write, change, programs):
    """What is read once, as root, and before the daemon has shut itself off."""
    secret = pathlib.Path(programs.path("web.yml"))
    secret.write_text(f"basic_auth_users:\n  prometheus: {bcrypt('secret')}\n", "utf-8")
    secret.chmod(0o600)
    settings = f"user = nobody\ngroup = {{}}\nmetrics = 127.0.0.1:0\nweb-config = {secret}\n"
    daemon = start("--config", write(settings.format("nogroup")))
    assert daemon.ready, daemon.log()
    log = change(daemon, settings.format("daemon"))
    assert "from the next start on" not in log
    assert "'web-config' has another value now" in change(daemon, settings.format("daemon").strip() + "x")


def test_settings_may_be_elsewhere(start, write, change, programs):
    """Where a link leads."""
    path = pathlib.Path(write("user = root\ngroup = root\n"))
    there = pathlib.Path(programs.path("there"))
    there.mkdir()
    path.rename(there / "settings")
    path.symlink_to(there / "settings")
    daemon = start("--config", path)
    assert daemon.ready, daemon.log()
    (there / "settings").write_text("user = root\ngroup = nogroup\n", "utf-8")
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: "the settings have been read again" in daemon.log(), "they have been read")


def test_a_group_is_let_in_whoever_starts(start, programs):
    """Whom a SIGHUP lets in, a start does, too."""
    path = programs.path("run")
    os.mkdir(path)
    os.chown(path, MEMBER, MEMBER)
    daemon = start("--registered-only", "--group", "daemon", around=as_user(MEMBER))
    assert daemon.ready, daemon.log()
    host = os.path.join(daemon.run_directory, "host.sock")
    assert [can_use(host, STRANGER, gid) for gid in (1, GROUP)] == [True, False]


def blocked_signals(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text("ascii")
    return {number for number in range(1, 32) if int(status.partition("SigBlk:")[2].split()[0], 16) >> number - 1 & 1}


def test_one_that_comes_early_waits(programs, silent_file, write):
    """While the daemon still reads what it needs to start."""
    path = write(f"metrics = 127.0.0.1:0\nweb-config = {silent_file}\n")
    daemon = programs.start([VITALS, "serve", "--run-dir", programs.path("run"), "--config", path])

    def is_open():
        result = subprocess.run(["ls", "-l", f"/proc/{daemon.pid}/fd"], capture_output=True, text=True, check=False)
        return silent_file in result.stdout

    wait_until(is_open, "it reads")
    assert blocked_signals(daemon.pid) == {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
    daemon.send_signal(signal.SIGKILL)
    daemon.ended = True  # it is about to be, when its file is closed


def test_what_can_not_change_is_said(start, write, change):
    daemon = start("--config", write("user = root\n"))
    assert daemon.ready, daemon.log()
    log = change(daemon, "user = nobody\nregistered-only = yes\nmetrics = 127.0.0.1:0\n")
    for key in ("user", "registered-only", "metrics"):
        assert f"vitals serve: '{key}' has another value now, from the next start on\n" in log


def test_a_file_that_is_wrong_changes_nothing(start, write, change):
    daemon = start("--config", write("user = root\ngroup = root\n"))
    assert daemon.ready, daemon.log()
    log = change(daemon, "user = root\ngroup = nogroup\nnonsense = 1\n", "all stays as it was")
    assert "serve.conf:3: 'nonsense' is no key" in log
    assert group_of(daemon) == 0
