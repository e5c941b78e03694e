# SPDX-License-Identifier: MIT
"""A client that takes all the files of a VMM, and one that comes when there are none."""

import contextlib
import os
import resource
import socket
import statistics
import time

from support.programs import cpu_time, wait_until

LIMIT = 128
CONNECTIONS = 400
WATCHED = 1.0  # seconds
SPIN = 0.15  # of that, on the CPU
BACKLOG = 8


def limit_files(server, soft):
    hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))


def connect_without_end(path, n):
    """Those that could connect; the queue of a socket that is not read may be full."""
    clients = []
    for _ in range(n):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(path)
        clients.append(client)
    return clients


def round_trips(client, n):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        client.assert_alive()
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)


def test_clients_leave_files_to_their_vmm(programs, server):
    """The VMM opens files, an honest client is served, and others again when the files are back."""
    honest = programs.client(server)
    limit_files(server, LIMIT)
    clients = connect_without_end(server.path, CONNECTIONS)
    times = round_trips(honest, 200)
    files = len(os.listdir(f"/proc/{server.pid}/fd"))
    print(
        f"files {files} of {LIMIT}; {server.memory()} KiB; an honest client, in ms: "
        f"median {statistics.median(times):.3f}, p99 {times[197]:.3f}, worst {times[-1]:.3f}"
    )
    assert files <= LIMIT * 3 // 4
    server.tell("listen", programs.path("another.sock"), "grouped")
    for client in clients:
        client.close()
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) < LIMIT // 4, "files are back")
    programs.client(server).assert_alive()


def test_a_listener_that_can_not_accept_does_not_spin(programs, server):
    """There is not even the spare file, as where another thread takes it."""
    honest = programs.client(server)
    soft = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[0]
    limit_files(server, 1)
    clients = connect_without_end(server.path, BACKLOG)
    honest.assert_alive()
    start = cpu_time(server.pid)
    time.sleep(WATCHED)
    spent = cpu_time(server.pid) - start
    honest.assert_alive()
    print(f"{1000 * spent:.1f} ms of CPU in {WATCHED} s")
    assert spent < SPIN
    limit_files(server, soft)
    for client in clients:
        client.settimeout(20)
        assert client.recv(1)
        client.close()
    programs.client(server).assert_alive()
