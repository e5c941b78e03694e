# SPDX-License-Identifier: MIT
"""Those who can read or write the directory of a socket, against the one who makes it."""

import fcntl
import os
import pathlib
import stat
import subprocess
import sys
import time

import pytest

from support.programs import ServerError, wait_until

SOCKETS = 200
LOCK_TIME = 5  # seconds
NOBODY = 65534
CONTENT = "of the server's user, and in a directory of its own"

# Waits for each socket, and puts a link in its place.
PUT_LINKS = """
import os, sys
directory, victims, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(count):
    os.symlink(f"{victims}/{number}", f"{directory}/link-{number}")
print("ready", flush=True)
for number in range(count):
    path, link = f"{directory}/{number}.sock", f"{directory}/link-{number}"
    while True:
        try:
            os.lstat(path)
            break
        except FileNotFoundError:
            pass
    os.rename(link, path)
"""


def as_stranger():
    """Another user, where there can be one; without root it is the test's own."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def own_directory_of_stranger(programs):
    directory = programs.path("shared")
    os.mkdir(directory, 0o755)
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
        os.chmod(programs.directory, 0o711)
    return directory


# ---- locks --------------------------------------------------------------------------------------


def test_a_stranger_who_locks_the_directory_keeps_nobody_waiting(programs, server):
    """Whoever may read a directory may lock it."""
    directory = programs.path("locked")
    os.mkdir(directory, 0o755)
    lock = os.open(directory, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Ends by itself, so that a server that waits for it is one that fails, and no test that hangs.
    release = subprocess.Popen(["sleep", str(LOCK_TIME)], pass_fds=[lock])
    os.close(lock)
    start = time.monotonic()
    server.tell("listen", f"{directory}/qmp.sock", "grouped")
    waited = time.monotonic() - start
    assert release.poll() is None, f"waited {waited:.1f} s, until the lock was free"
    programs.client(f"{directory}/qmp.sock").assert_alive()
    release.kill()
    release.wait()


# ---- links --------------------------------------------------------------------------------------


def make_victims(programs):
    victims = pathlib.Path(programs.path("victims"))
    victims.mkdir(0o755)
    for number in range(SOCKETS):
        (victims / str(number)).write_text(CONTENT, "utf-8")
        (victims / str(number)).chmod(0o640)
    return victims


def damage(victims):
    """The files that are gone, and those that have another mode."""
    paths = [victims / str(number) for number in range(SOCKETS)]
    gone = [path.name for path in paths if not path.exists()]
    return gone, [
        path.name for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) != 0o640
    ]


def start_links(directory, victims):
    stranger = subprocess.Popen(
        [sys.executable, "-c", PUT_LINKS, directory, str(victims), str(SOCKETS)],
        stdout=subprocess.PIPE,
        **as_stranger(),
    )
    assert stranger.stdout.readline() == b"ready\n"
    return stranger


def listen(server, path):
    try:
        server.tell("listen", path, "grouped")
    except ServerError as error:
        assert error.name in ("EEXIST", "ENOENT"), error


def test_links_in_the_place_of_sockets_lead_nowhere(programs):
    """No other file gets the socket's mode, or is removed with the socket."""
    victims = make_victims(programs)
    directory = own_directory_of_stranger(programs)
    server = programs.server()
    stranger = start_links(directory, victims)
    for number in range(SOCKETS):
        path = f"{directory}/{number}.sock"
        listen(server, path)
        wait_until(lambda path=path: os.path.islink(path), "the stranger's link")
    assert stranger.wait() == 0
    server.stop()
    stranger.stdout.close()
    assert damage(victims) == ([], [])


def test_what_a_stranger_puts_in_the_place_of_a_socket_is_not_removed(programs):
    directory = own_directory_of_stranger(programs)
    server = programs.server()
    server.tell("listen", f"{directory}/qmp.sock", "grouped")
    os.rename(directory, directory + "-old")
    os.mkdir(directory)
    pathlib.Path(directory, "qmp.sock").write_text(CONTENT, "utf-8")
    server.stop()
    assert os.listdir(directory) == ["qmp.sock"]
    assert os.listdir(directory + "-old") == []


# ---- directories --------------------------------------------------------------------------------


def test_a_directory_that_anyone_may_write_is_refused(programs, server):
    directory = programs.path("open")
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    with pytest.raises(ServerError, match="anyone may write") as refused:
        server.tell("listen", f"{directory}/qmp.sock", "grouped")
    assert refused.value.name == "EPERM"
    assert os.listdir(directory) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="another user needs root")
def test_where_all_may_write_a_stranger_can_not_take_the_sockets_place(programs, server):
    directory = programs.path("sticky")
    os.mkdir(directory)
    os.chmod(directory, 0o1777)
    os.chmod(programs.directory, 0o711)
    path = f"{directory}/qmp.sock"
    server.tell("listen", path, "grouped")
    stranger = subprocess.run(["rm", "-f", path], check=False, capture_output=True, **as_stranger())
    assert stranger.returncode != 0
    assert stat.S_ISSOCK(os.lstat(path).st_mode)
    programs.client(path).assert_alive()
