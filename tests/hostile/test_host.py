# SPDX-License-Identifier: MIT
"""What the others notice where the host has no room, or the clock is set, or one VM's clients are many."""

import mmap
import os
import struct
import subprocess
import sys
import time

import pytest
from honest import Honest

from support.daemon import Daemon
from support.programs import EXAMPLE_PUBLISH, PRELOADED, InputEnded, wait_until, words_of
from support.registrant import Registrant, Vm

pytestmark = pytest.mark.usefixtures("readable_host")

CROWD = 200
TRIPS = 100
DAY = 86400
NO_FILES = "can have no more open files"


@pytest.fixture
def start(programs):
    """Starts a daemon that knows what registers with it."""
    options = ["--registered-only", "--user", "root", "--group", "root"]
    return lambda **words: programs.keep(Daemon(programs.directory, *options, **words))


@pytest.fixture
def register(programs):
    def register(daemon, name):
        client = programs.keep(Registrant(os.path.join(daemon.run_directory, "register.sock")).negotiate())
        client.register(programs.keep(Vm()), name)
        return client

    return register


@pytest.fixture
def client_of(programs):
    return lambda daemon, name: programs.keep(Honest(daemon.socket(name)))


def vms_of(programs, daemon):
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    return {vm["name"]: vm for vm in host.execute("query-vms")}


def ask_often(client):
    """As often as the figures need; each is answered, or this fails."""
    client.trips.clear()
    return client.measure(0, at_least=TRIPS)


# ---- the directory is full -----------------------------------------------------------------------


@pytest.fixture
def small_directory(programs):
    """It has room for the daemon's own sockets, and for those of one VM."""
    path = programs.path("small")
    os.mkdir(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=8,mode=755", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def test_a_full_directory(programs, start, register, client_of, small_directory):
    daemon = start(run_directory=small_directory)
    first = register(daemon, "first")
    daemon.wait_for("first")
    client = client_of(daemon, "first")
    print(f"before: {ask_often(client)}")
    second = register(daemon, "second")
    wait_until(lambda: "second: not all sockets of this VM can be made: No space left" in daemon.log(), "it is said")
    print(f"while it is full: {ask_often(client)}")
    assert set(vms_of(programs, daemon)) == {"first", "second"} and daemon.names() == {"first"}
    assert daemon.log().count("No space left") == 1
    first.close()
    begin = time.monotonic()
    daemon.wait_for("second")
    print(f"room has come: the second VM has its sockets {(time.monotonic() - begin) * 1000:.0f} ms later")
    ask_often(client_of(daemon, "second"))
    second.close()
    daemon.wait_without("second")


# ---- the clock is set ----------------------------------------------------------------------------

CLOCK = b"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static const long *offset;
__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    offset = mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
}
int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (!result && clock == CLOCK_REALTIME)
        time->tv_sec += *offset;
    return result;
}
"""


@pytest.fixture
def clock(programs):
    """(words before a program, what sets its clock so many seconds off)"""
    source, library = programs.write("clock.c", CLOCK), programs.path("clock.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    offset = programs.write("offset", bytes(8))
    with open(offset, "r+b") as file, mmap.mmap(file.fileno(), 8) as memory:

        def set_clock(seconds):
            memory[:] = struct.pack("q", seconds)

        yield ["env", f"LD_PRELOAD={library}", f"CLOCK_OFFSET={offset}", *words_of(PRELOADED)], set_clock


def test_a_clock_that_is_set(programs, start, register, client_of, clock):
    around, set_clock = clock
    daemon = start(around=around)
    register(daemon, "first")
    daemon.wait_for("first")
    client = client_of(daemon, "first")
    print(f"before: {ask_often(client)}")
    since = vms_of(programs, daemon)["first"]["since"]
    for seconds in DAY, -365 * DAY:
        set_clock(seconds)
        print(f"{seconds // DAY} days off: {ask_often(client)}")
        assert abs(vms_of(programs, daemon)["first"]["since"] - since - seconds) <= 1  # whole seconds
        register(daemon, f"after {seconds}").close()
        daemon.wait_without(f"after_20{seconds}")
    assert set(vms_of(programs, daemon)) == {"first"}


# ---- files, and clients --------------------------------------------------------------------------


def test_no_more_files(programs, start, register, client_of):
    """Who is there has its answers; who comes is told, also who would register, until there are some again."""
    daemon = start(around=["prlimit", "--nofile=128:128"])
    register(daemon, "first")
    daemon.wait_for("first")
    client = client_of(daemon, "first")
    print(f"before: {ask_often(client)}")
    crowd = [programs.connect(daemon.socket("first")) for _ in range(CROWD)]
    greetings = [each.read_message() for each in crowd]
    n_greeted = sum("QMP" in greeting for greeting in greetings)
    assert 0 < n_greeted < 128 and all("QMP" in each or NO_FILES in str(each) for each in greetings)
    print(f"with {n_greeted} others, and {CROWD - n_greeted} refused: {ask_often(client)}")
    path = os.path.join(daemon.run_directory, "register.sock")
    assert NO_FILES in str(programs.connect(path).read_message())
    published = programs.keep(InputEnded([EXAMPLE_PUBLISH, "published", path], programs.directory, path))
    wait_until(lambda: NO_FILES in published.log(), "its VMM is told")
    for each in crowd:
        each.close()
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) < 128 - n_greeted, "they are gone")
    register(daemon, "second")
    daemon.wait_for("second", "published")  # which has come again
    ask_often(client_of(daemon, "second"))
    assert set(vms_of(programs, daemon)) == {"first", "second", "published"}
    assert published.log().count(NO_FILES) == 1


def test_a_crowd_at_one_vm(programs, start, register, client_of):
    """Of the same user, even."""
    daemon = start()
    for name in "first", "second":
        register(daemon, name)
    daemon.wait_for("first", "second")
    client = client_of(daemon, "second")
    print(f"before: {ask_often(client)}")
    path = os.path.join(os.path.dirname(__file__), "crowd.py")
    crowd = programs.start(["nice", sys.executable, path, daemon.socket("first"), str(CROWD)])
    assert crowd.read_line() == "all", crowd.log()
    print(f"beside {CROWD} that send the costliest requests: {ask_often(client)}")
    assert set(vms_of(programs, daemon)) == {"first", "second"}
    begin = time.monotonic()
    third = register(daemon, "third")
    daemon.wait_for("third")
    print(f"a VM that starts has its sockets {(time.monotonic() - begin) * 1000:.0f} ms later")
    third.close()
    assert crowd.process.poll() is None, crowd.log()
    crowd.kill()
