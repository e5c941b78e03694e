# SPDX-License-Identifier: MIT
"""The sockets of `vitals demo`, from its start to its end."""

import os
import signal
import socket
import stat
import time

import pytest

from support import programs as support
from support.programs import run, wait_until


@pytest.fixture
def demo(programs, recording):
    """A demo that needs no KVM."""
    return programs.demo("--recording", recording)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_removes_the_socket(programs, demo, number):
    client = programs.client(demo)
    demo.send_signal(number)
    assert demo.wait() == 0
    assert not os.path.exists(demo.path)
    assert client.read_line() == b""
    assert demo.log() == ""


def test_seconds_end_it(programs, recording):
    start = time.monotonic()
    demo = programs.demo("--recording", recording, "--seconds", "0.5")
    assert demo.wait() == 0
    assert time.monotonic() - start >= 0.5
    assert not os.path.exists(demo.path)


def test_all_of_its_sockets_are_served_and_removed(programs, recording):
    others = [programs.path(f"other{i}.sock") for i in range(3)]
    options = [word for other in others for word in ("--qmp", f"{other},dialect=grouped")]
    demo = programs.demo("--recording", recording, *options)
    assert demo.announcement.endswith(", ".join([demo.path, *others]))
    for path in [demo.path, *others]:
        programs.client(path).assert_alive()
    demo.stop()
    assert not any(os.path.exists(path) for path in [demo.path, *others])


@pytest.mark.parametrize("mode", ["0600", "0660", "666", "0200"])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_mode_of_a_socket_is_exact(programs, recording, mode, umask):
    path = programs.path("mode.sock")
    old = os.umask(umask)
    try:
        programs.demo("--recording", recording, "--qmp", f"{path},mode={mode}")
    finally:
        os.umask(old)
    status = os.stat(path)
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == int(mode, 8)


def test_a_socket_is_only_for_its_user_by_default(demo):
    assert stat.S_IMODE(os.stat(demo.path).st_mode) == 0o600


def test_the_default_socket(programs, recording):
    environment = {**os.environ, "XDG_RUNTIME_DIR": programs.directory}
    command = [support.VITALS, "demo", "--recording", recording]
    demo = programs.keep(support.Program(command, programs.directory, env=environment))
    path = programs.path(f"vitals-demo-{demo.pid}.sock")
    assert demo.read_line().endswith(f" {path}")
    programs.client(path).assert_alive()
    demo.stop()
    assert not os.path.exists(path)


# ---- what is at the path already ----------------------------------------------------------------


def test_a_stale_socket_is_replaced(programs, recording):
    path = programs.path("stale.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
        stale.listen()
    programs.client(programs.demo("--recording", recording, path=path)).assert_alive()


def test_the_socket_of_a_demo_that_was_killed_is_replaced(programs, recording, demo):
    demo.kill()
    assert os.path.exists(demo.path)
    programs.client(programs.demo("--recording", recording, path=demo.path)).assert_alive()


def test_a_live_socket_is_refused(programs, recording, demo):
    client = programs.client(demo)
    result = run("demo", "--recording", recording, "--qmp", demo.path)
    assert result.returncode == 1 and result.stdout == ""
    assert demo.path in result.stderr and "Address already in use" in result.stderr
    assert "hint: a program serves on this socket" in result.stderr
    client.assert_alive()
    programs.client(demo).assert_alive()


def test_another_file_is_not_replaced(programs, recording):
    path = programs.write("precious", b"data")
    result = run("demo", "--recording", recording, "--qmp", path)
    assert result.returncode == 1
    assert path in result.stderr and "hint: this file is no socket" in result.stderr
    with open(path, "rb") as file:
        assert file.read() == b"data"


def test_a_directory_that_anyone_may_write_is_refused(programs, recording):
    directory = programs.path("open")
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    result = run("demo", "--recording", recording, "--qmp", f"{directory}/qmp.sock")
    assert result.returncode == 1
    assert f"vitals demo: {directory}/qmp.sock: anyone may write to the directory" in result.stderr
    assert "hint: 'chmod o-w' on the directory" in result.stderr
    assert os.listdir(directory) == []
    os.chmod(directory, 0o1777)
    programs.client(programs.demo("--recording", recording, path=f"{directory}/qmp.sock"))


def test_the_first_socket_is_removed_if_the_second_fails(programs, recording):
    first, second = programs.path("first.sock"), programs.write("second", b"")
    result = run("demo", "--recording", recording, "--qmp", first, "--qmp", second)
    assert result.returncode == 1
    assert not os.path.exists(first) and os.path.exists(second)


def test_a_socket_that_is_somebody_elses_by_now_stays(programs, demo):
    os.unlink(demo.path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(demo.path)
        demo.stop()
        assert os.path.exists(demo.path)


def test_a_relative_path(programs, recording):
    """It is found again at the end."""
    command = [support.VITALS, "demo", "--recording", recording, "--qmp", "relative.sock"]
    demo = programs.keep(support.Program(command, programs.directory, cwd=programs.directory))
    assert demo.read_line()
    assert os.path.exists(programs.path("relative.sock"))
    demo.stop()
    assert not os.path.exists(programs.path("relative.sock"))


# ---- clients at the end -------------------------------------------------------------------------


def test_clients_do_not_hold_up_the_end(programs, demo):
    """Neither those that are silent, nor those that send without reading, nor half a message."""
    clients = [programs.connect(demo) for _ in range(10)]
    for i, client in enumerate(clients):
        client.socket.setblocking(False)
        if i % 2:
            client.send('{"execute": "qmp_capabilities"}{"execute": "query-vers')
    demo.stop()
    assert not os.path.exists(demo.path)


def test_clients_leave_no_fds_behind(programs, demo):
    def count_fds():
        return len(os.listdir(f"/proc/{demo.pid}/fd"))

    before = count_fds()
    for _ in range(20):
        client = programs.client(demo)
        client.execute("query-stats", target="vcpu")
        client.close()
    wait_until(lambda: count_fds() == before, "all are closed")
