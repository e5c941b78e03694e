# SPDX-License-Identifier: MIT
"""memory_max bounds what clients make a server hold, but for what is named here; and what is kept
when all have left is little."""

import json
import socket
import threading

import costly
import pytest
from honest import NEGOTIATION, Honest

from support.programs import memory_bound, stat, wait_until

MEMORY_MAX = 16 << 20
KEPT_KIB = 12 << 10  # what parsing one request can leave in the heap, and the workbench
CLIENTS_KIB = 4 << 10  # what so many clients can: each has a little there
REQUESTS_KIB = 8 << 10  # where each has a request under way: what the heap makes of 700 parsed ones
CLIENTS = 700
STATS, OBJECTS, PROVIDERS = 240, 64, 16  # a reply of 120 MB, to a request of 600 bytes
MANY_STATS, MANY_OBJECTS = 4000, 2000
OBJECT = b'"/vcpu['
VALUE = (1 << 64) - 1
REQUEST = {"execute": "query-stats",
           "arguments": {"target": "vcpu", "providers": [{"provider": "sched"}] * PROVIDERS}}  # fmt: skip


def large(programs):
    """The socket of a server with many statistics, in dialect flat."""
    server = programs.server(memory_max=MEMORY_MAX)
    server.tell("register", "sched/vcpu", *(stat(f"statistic-{i}", count=16, type_="log-hist")
                                            for i in range(STATS)))  # fmt: skip
    for i in range(OBJECTS):
        server.tell("row", "sched/vcpu", f"/vcpu[{i}]", *[VALUE] * (16 * STATS))
    path = programs.path("flat.sock")
    server.tell("listen", path, "flat")
    return server, path


def test_a_reply_is_refused_while_it_is_written(programs):
    server, path = large(programs)
    before = server.memory()
    deaf = [programs.connect(path) for _ in range(4)]
    for client in deaf:
        client.send(NEGOTIATION + json.dumps(REQUEST).encode() + b"\n")
    honest = programs.keep(Honest(path)).measure(0.5)
    print(honest)
    grown = server.memory("VmHWM") - before
    print(f"memory_max {MEMORY_MAX >> 20} MiB; at the peak {grown / 1024:.0f} MiB more than before")
    assert grown < memory_bound(3 * MEMORY_MAX // 1024)
    for client in deaf:
        client.close()
    wait_until(lambda: server.memory() - before < memory_bound(MEMORY_MAX // 1024), "it is given back")
    print(f"when all have left {(server.memory() - before) / 1024:.0f} MiB more")


def read_slowly(client, memory):
    """How long the line is, and how often it has an object; @memory is asked now and then."""
    length, n_objects, last = 0, 0, b""
    while not last.endswith(b"\n"):
        data = client.recv(1 << 20)
        assert data, f"closed after {length} bytes"
        n_objects += (last[-len(OBJECT) + 1:] + data).count(OBJECT)
        length += len(data)
        last = data
        if length % 16 == 0:
            memory()
    return length, n_objects


@pytest.mark.parametrize("dialect", ["grouped", "flat"])
def test_the_longest_reply_is_read_to_its_end(programs, dialect):
    """Of 4000 statistics of 2000 objects: 300 MB, of which the server never has more than a part."""
    server = programs.server(memory_max=MEMORY_MAX)
    server.tell("register", "sched/vcpu", *(stat(f"a-statistic-{i}") for i in range(MANY_STATS)))
    for i in range(MANY_OBJECTS):
        server.tell("row", "sched/vcpu", f"/vcpu[{i}]", *[i] * MANY_STATS)
    path = programs.path("another.sock")
    server.tell("listen", path, dialect)
    before, peak = server.memory("RssAnon"), []
    reader = programs.keep(Honest(path))
    reader.socket.sendall(costly.query("vcpu").encode() + b"\n")
    honest = programs.keep(Honest(path))
    length, n_objects = read_slowly(reader.socket, lambda: peak.append(server.memory("RssAnon")) or honest.ask())
    grown = (max(peak) - before) / 1024
    print(f"{length >> 20} MiB were read, the server took {grown:.1f} MiB for it")
    assert length > 300 << 20
    assert n_objects == MANY_OBJECTS
    assert grown < memory_bound(KEPT_KIB) / 1024
    reader.ask()


class Rude(socket.socket):
    """A client that does not care whether it is served."""

    def __init__(self, path):
        super().__init__(socket.AF_UNIX)
        self.settimeout(30)
        self.connect(path)

    def send_as_it_goes(self, data):
        """What a server that does not read leaves, or closes, is of no interest."""
        try:
            self.send(data, socket.MSG_DONTWAIT)
        except OSError:
            pass

    def ask(self, request, deaf):
        try:
            self.sendall(NEGOTIATION + request)
            lines = 3 if deaf else 0  # the greeting, and two replies
            while lines < 3 and (data := self.recv(1 << 16)):
                lines += data.count(b"\n")
        except OSError:  # it was closed: memory is short
            pass

    stop = socket.socket.close


def assert_given_back(server, before, kib):
    bound = memory_bound(kib)
    wait_until(lambda: server.memory("RssAnon") - before < bound, f"{bound} KiB at most are kept")


@pytest.mark.parametrize("argument", ["vcpus", "filters"])
def test_requests_of_ever_new_lengths_do_not_add_up(programs, server, argument):
    client = programs.keep(Honest(server.path))
    before = server.memory("RssAnon")
    for n in range(4000, 6000, 10):
        value = {"vcpus": [""] * (5 * n), "filters": [{}] * n}[argument]
        client.ask(costly.query("vcpu", **{argument: value}).encode() + b"\n")
    assert_given_back(server, before, KEPT_KIB)


@pytest.mark.parametrize("size", [3000, 15000, 100_000])
def test_half_messages_are_given_back(programs, size):
    server = programs.server(memory_max=64 << 20)
    before = server.memory("RssAnon")
    clients = [programs.keep(Rude(server.path)) for _ in range(CLIENTS)]
    for client in clients:
        client.send_as_it_goes(b'{"execute": "query-name", "id": "' + b"x" * size)
    Honest(server.path).stop()  # whoever came before has been read
    print(f"{(server.memory('RssAnon') - before) / 1024:.0f} MiB are held")
    for client in clients:
        client.close()
    assert_given_back(server, before, CLIENTS_KIB)


def test_requests_that_wait_are_given_back(programs, server):
    server.tell("register", "sched/vcpu", *(stat(f"statistic-{i}") for i in range(100)))
    for i in range(64):
        server.tell("row", "sched/vcpu", f"/vcpu[{i}]", *[VALUE] * 100)
    before = server.memory("RssAnon")
    clients = [programs.keep(Rude(server.path)) for _ in range(CLIENTS)]
    for client in clients:
        client.send_as_it_goes(NEGOTIATION)
        client.send_as_it_goes(costly.query("vcpu").encode() * 400)
    Honest(server.path).stop()
    for client in clients:
        client.close()
    assert_given_back(server, before, REQUESTS_KIB)


def ask_again_and_again(path, requests, n, deaf):
    """Each request @n times, by a client each, which reads nothing of the reply if it is @deaf."""
    for request in requests:
        clients = [Rude(path) for _ in range(n)]
        for client in clients:
            client.ask(request, deaf)
        for client in clients:
            client.close()


@pytest.mark.parametrize("dialect", ["grouped", "flat"])
def test_the_costliest_requests_stay_within_memory_max(programs, dialect):
    """One reply is written, and one request parsed, beside what is held for clients."""
    server, path = large(programs)
    if dialect == "grouped":
        path = server.path
    before = server.memory("RssAnon")
    requests = list(costly.requests(dialect).values())
    threads = [threading.Thread(target=ask_again_and_again, args=(path, requests, 5, deaf))
               for deaf in (False, True)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak = server.memory("VmHWM") - server.memory() + server.memory("RssAnon") - before
    print(f"memory_max {MEMORY_MAX >> 20} MiB; at the peak {peak / 1024:.1f} MiB more than before")
    assert peak < memory_bound(2 * MEMORY_MAX // 1024 + KEPT_KIB)
    assert_given_back(server, before, KEPT_KIB)
    print(f"when all have left {(server.memory('RssAnon') - before) / 1024:.1f} MiB more")
