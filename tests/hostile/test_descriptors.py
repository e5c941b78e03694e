# SPDX-License-Identifier: MIT
"""Files that are sent along: to the server, and by a server to the command line.

The file is a TCP socket whose queue is full and that lingers for an hour: whoever lets go of it last
sleeps for so long. Its sender has closed it, so that the receiver is the last.
"""

import contextlib
import os
import signal
import socket
import struct
import time

import pytest

from support.programs import VITALS, Program, wait_until

LINGER = 3600
STALL = 60  # STALL_MS of src/server/internal.h
PATIENCE = 30  # seconds, that are none of the hour


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as status:
        return status.read().rpartition(")")[2].split()[0] == "T"


def open_files(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


@contextlib.contextmanager
def stopped(process):
    """A signal also ends the wait of a close() that goes on: whoever sends several files stops once."""
    process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: is_stopped(process.pid), "it stops")
        yield
    finally:
        process.send_signal(signal.SIGCONT)


class LingeringFile:
    """A socket that is slow to close, until `end()`."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.file = socket.create_connection(listener.getsockname())
            self.peer, _ = listener.accept()
        self.file.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER))
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.setblocking(False)
        while any(self.fill() for _ in range(3)):  # what was sent may still be on its way
            pass

    def fill(self):
        """Whether it took anything. Waits a moment when it takes no more."""
        taken = 0
        try:
            while True:
                taken += self.file.send(bytes(1 << 16))
        except BlockingIOError:
            time.sleep(0.005)
        return taken

    def send_over(self, connection, data, receiver):
        """Sends it, and lets go of it before the receiver can. False: the kernel refuses."""
        with stopped(receiver):
            return self.send_to_stopped(connection, data)

    def send_to_stopped(self, connection, data):
        try:
            socket.send_fds(connection, [data], [self.file.fileno()])
            self.file.close()
            return True
        except PermissionError:
            self.file.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
            self.file.close()
            return False

    def end(self):
        """Who closes it goes on."""
        self.peer.close()


@pytest.fixture
def lingering():
    """Makes such files, and lets whoever closes them go on at the end."""
    files = []

    def make():
        files.append(LingeringFile())
        return files[-1]

    yield make
    for file in files:
        file.end()


# ---- to the server ------------------------------------------------------------------------------


def test_a_file_that_is_slow_to_close_stops_nobody(programs, attacked, honest, lingering):
    server = attacked()
    client = honest(server)
    client.measure(0.2)
    attackers = [programs.connect(server) for _ in range(24)]
    for attacker in attackers:
        lingering().send_over(attacker.socket, b"{'execute': 'qmp_capabilities'}\n", server)
    server.tell("listen", programs.path("more.sock"), "flat")  # takes the lock
    client.measure(0.5)
    for attacker in attackers:
        attacker.close()
    client.measure(0.5)
    print(client)
    assert client.worst < PATIENCE
    server.stop()  # also with its threads in tcp_close()


def test_a_file_in_the_queue_of_a_client_that_goes(programs, attacked, honest, lingering):
    """It is not received, but closing the socket lets go of it."""
    server = attacked()
    client = honest(server)
    attacker = programs.connect(server)
    attacker.read()
    attacker.send(b"{'execute': 'qmp_capabilities'}" * 3)
    lingering().send_over(attacker.socket, b"{'execute':", server)
    attacker.close()
    client.measure(0.5)
    assert client.worst < PATIENCE


def test_a_file_out_of_band(programs, attacked, honest, lingering):
    server = attacked()
    client = honest(server)
    attacker = programs.connect(server)
    file = lingering()
    server.send_signal(signal.SIGSTOP)
    wait_until(lambda: is_stopped(server.pid), "it stops")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", file.file.fileno()))]
    try:
        attacker.socket.sendmsg([b"!"], rights, socket.MSG_OOB)
    except PermissionError:
        file.file.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    file.file.close()
    attacker.send(b"{}")
    server.send_signal(signal.SIGCONT)
    client.measure(0.5)
    assert client.worst < PATIENCE


def test_slots_of_clients_whose_files_are_slow_come_back(programs, attacked, honest, lingering):
    server = attacked(clients_max=4)
    files = [lingering() for _ in range(3)]
    client = honest(server)
    attackers = [programs.connect(server) for _ in files]
    with stopped(server):
        sent = [file.send_to_stopped(attacker.socket, b"{")
                for file, attacker in zip(files, attackers, strict=True)]  # fmt: skip
    for attacker in attackers:
        attacker.close()
    client.measure(0.2)
    if any(sent):  # they count as long as they are open
        assert "Too many clients" in str(programs.connect(server).read())
    for file in files:
        file.end()
    for _ in range(3):
        wait_until(lambda: "QMP" in programs.connect(server).read(), "there is room")
    client.measure(0.2)


def test_a_client_does_not_outlive_its_process(programs, attacked, honest):
    """It asks and does not read, so that it is not read from; then it sends its own socket, and goes."""
    server = attacked()
    client = honest(server)
    before = open_files(server)
    attacker = programs.client(server)
    attacker.socket.setblocking(False)
    try:
        while True:
            attacker.send(b"{'execute': 'query-commands'}\n")
    except BlockingIOError:
        pass
    attacker.socket.setblocking(True)
    wait_until(lambda: open_files(server) == before + 1, "it is a client")
    sender = socket.socket(fileno=os.dup(attacker.socket.fileno()))
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    try:
        socket.send_fds(sender, [b"x"], [sender.fileno()])
        seconds = STALL + PATIENCE
    except PermissionError:
        seconds = PATIENCE
    sender.close()
    attacker.close()
    wait_until(lambda: open_files(server) == before, "it is gone", timeout=seconds)
    client.measure(0.2)


# ---- to the command line ------------------------------------------------------------------------


def test_a_greeting_with_a_file_does_not_hold_up_the_timeout(programs, before_start, lingering):
    with socket.socket(socket.AF_UNIX) as listener:
        path = programs.path("evil.sock")
        listener.bind(path)
        listener.listen()
        start = time.monotonic()
        command = [VITALS, "stats", "--timeout", "1", "--socket", path]
        verb = programs.keep(Program(command, programs.directory, preexec_fn=before_start))
        connection, _ = listener.accept()
        with connection:
            lingering().send_over(connection, b'{"QMP": ', verb)
            assert verb.wait() == 1
    assert time.monotonic() - start < PATIENCE
    assert "no greeting within 1 s" in verb.log() or "this is no QMP socket" in verb.log()
