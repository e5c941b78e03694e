#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clients that do anything at all, in any order, beside one that means well and checks its replies.

They half-close, abort, send bytes out of band, descriptors, credentials, garbage and halves of
messages, ask more than they read, and read slowly. A seed makes their choices the same again; what
the server meets then also depends on who comes first.

    tests/hostile/chaos.py build-asan --seconds 600
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import select
import socket
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.programs import stat, wait_until  # noqa: E402

CLIENTS = 48  # of one process
PROCESSES = 2
STALL = 60  # STALL_MS of src/server/internal.h
IMPATIENCE = 0.02  # that a client which would have to wait goes
PATIENCE = 180  # seconds that a reply may take; sanitizers and a busy machine included
GARBAGE = random.Random(0).randbytes(1 << 16)
NESTED = b"[" * 1025 + b"]" * 1025

REQUESTS = [line.encode() + b"\n" for line in [
    '{"execute": "qmp_capabilities"}',
    '{"execute": "query-stats", "arguments": {"target": "vm"}}',
    '{"execute": "query-stats", "arguments": {"target": "vcpu"}, "id": [{}, "\\u0001"]}',
    '{"execute": "query-stats", "arguments": {"target": "vcpu", "vcpus": ["/a", "/b", "/a"]}}',
    '{"execute": "query-stats", "arguments": {"target": "block", "objects": ["/a", "/b", "/a"]}}',
    '{"execute": "query-stats-schemas"}',
    '{"execute": "query-qmp-schema"}',
    '{"execute": "query-cpus-fast"}',
    '{"execute": "query-name", "id": "%s"}' % ("\x7f" * 20000),
    '{"execute": "query-name", "id": %s}' % ("1" * 3000),
    '{"execute": "no-such-command", "arguments": {}}',
    '{"execute": 1}',
    '{"exec',
    "]}]}",
]]  # fmt: skip


# ---- those that do anything: a process of their own ---------------------------------------------


class Attacker:
    """One client. It never waits; what it does is chosen by `random`."""

    def __init__(self, path, choose):
        self.choose = choose
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.setblocking(False)
        self.set_small_buffers()
        self.socket.connect(path)
        self.actions = choose.sample(ACTIONS, choose.randint(2, len(ACTIONS)))

    def set_small_buffers(self):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            if self.choose.random() < 0.3:
                self.socket.setsockopt(socket.SOL_SOCKET, option, self.choose.randint(1, 8192))

    def act(self):
        """Returns the name of what it did; the connection may be gone behind it."""
        action = self.choose.choice(self.actions)
        action(self)
        return action.__name__

    def message(self):
        return self.choose.choice(REQUESTS)

    def ask(self):
        self.socket.send(self.message())

    def negotiate(self):
        self.socket.send(REQUESTS[0])

    def pipeline(self):
        self.socket.send(b"".join(self.message() for _ in range(self.choose.randint(2, 60))))

    def ask_half(self):
        message = self.message()
        self.socket.send(message[: self.choose.randint(1, len(message))])

    def send_garbage(self):
        start = self.choose.randrange(len(GARBAGE))
        self.socket.send(GARBAGE[start : start + self.choose.randint(1, 4096)])

    def reset(self):
        self.socket.send(b"\xff" * self.choose.randint(1, 3))

    def nest(self):
        self.socket.send(NESTED[: self.choose.randint(1, len(NESTED))])

    def send_large(self):
        self.socket.send(b'{"execute": "query-name", "id": "' + b"x" * self.choose.randint(1, 1 << 19))

    def send_out_of_band(self):
        self.socket.send(self.message(), socket.MSG_OOB)

    def send_descriptors(self):
        files = [self.socket.fileno()] * self.choose.randint(0, 3)
        pipe = os.pipe()
        try:
            socket.send_fds(self.socket, [self.message()], [*files, *pipe])
        finally:
            os.close(pipe[0])
            os.close(pipe[1])

    def send_credentials(self):
        own = struct.pack("iII", os.getpid(), os.getuid(), os.getgid())
        self.socket.sendmsg([self.message()], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, own)])

    def read_little(self):
        self.socket.recv(self.choose.randint(1, 200))

    def read_all(self):
        while self.socket.recv(1 << 16):
            pass
        raise ConnectionResetError

    def peek(self):
        self.socket.recv(100, socket.MSG_PEEK)

    def half_close(self):
        self.socket.shutdown(self.choose.choice([socket.SHUT_WR, socket.SHUT_RD]))

    def close_both(self):
        self.socket.shutdown(socket.SHUT_RDWR)

    def abort(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionResetError

    def has_patience(self):
        return self.choose.random() > IMPATIENCE

    def close(self):
        self.socket.close()


ACTIONS = [
    Attacker.ask, Attacker.negotiate, Attacker.pipeline, Attacker.ask_half, Attacker.send_garbage,
    Attacker.reset, Attacker.nest, Attacker.send_large, Attacker.send_out_of_band,
    Attacker.send_descriptors, Attacker.send_credentials, Attacker.read_little, Attacker.read_all,
    Attacker.peek, Attacker.half_close, Attacker.close_both, Attacker.abort,
]  # fmt: skip


def wait(client):
    if client.has_patience():
        return "wait", True
    client.close()
    return "go", False


def step(client):
    """What it did, and whether it is still there."""
    try:
        return client.act(), True
    except BlockingIOError:
        return wait(client)
    except PermissionError:  # SO_PASSRIGHTS: nothing was sent
        return "be refused a descriptor", True
    except OSError:
        client.close()
        return "go", False


def attack(path, seed):
    """Until the end of standard input. Prints how often it did what."""
    os.nice(10)
    choose = random.Random(seed)
    clients, counts = [], collections.Counter()
    while not select.select([sys.stdin], [], [], 0)[0]:
        if len(clients) < CLIENTS:
            with contextlib.suppress(BlockingIOError):  # the queue is full
                clients.append(Attacker(path, choose))
        if not clients:
            continue
        i = choose.randrange(len(clients))
        action, is_there = step(clients[i])
        counts[action] += 1
        if not is_there:
            clients[i] = clients[-1]
            clients.pop()
    print(json.dumps(counts))


class Attack:
    """Such a process."""

    def __init__(self, path, seed):
        self.process = subprocess.Popen(
            [sys.executable, __file__, path, "--attack", str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip

    def end(self):
        """{what: how often}"""
        output, _ = self.process.communicate()
        assert self.process.returncode == 0
        return collections.Counter(json.loads(output))


# ---- the one that means well --------------------------------------------------------------------


def check_reply(client, number):
    """The reply is the one to this request, and says what the VM was told last."""
    request = {"execute": "query-stats", "arguments": {"target": "vm"}, "id": number}
    reply = json.loads(client.ask(json.dumps(request).encode() + b"\n"))
    assert reply["id"] == number, reply
    assert reply["return"]["vm"][0]["stats"] == [{"name": "runs", "value": number}], reply


def change(server, number):
    """What a VMM does meanwhile: vCPUs and providers come and go."""
    server.tell("row", "sched/vm", "vm", number)
    server.tell("register", "xyz/vcpu", stat("runs"), stat("waits"))
    server.tell("object", "xyz/vcpu", "/a", 0)
    server.tell("row", "xyz/vcpu", "/a", number, number)
    server.tell("row", "xyz/vcpu", "/b", number, number)
    if number % 3:
        server.tell("gone", "xyz/vcpu", "/a")
    server.tell("unregister", "xyz/vcpu")


def open_files(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def ask_and_change(server, client, seconds, counts):
    end = time.monotonic() + seconds
    while time.monotonic() < end or counts["honest replies"] < 3:
        number = counts["honest replies"] + 1
        change(server, number)
        start = time.monotonic()
        check_reply(client, number)
        client.trips.append(time.monotonic() - start)
        counts["honest replies"] = number


def run(server, client, seconds, seed):
    """Returns how often what was done, replies among it. The server has closed all clients then."""
    files = open_files(server)
    attacks = [Attack(server.path, seed * PROCESSES + i) for i in range(PROCESSES)]
    counts = collections.Counter()
    try:
        ask_and_change(server, client, seconds, counts)
    finally:
        for each in attacks:
            counts += each.end()
    check_reply(client, counts["honest replies"])
    # Who sent his own socket, and is not read, is only closed as one that stalls.
    if not counts["send_descriptors"] or seconds > STALL:
        wait_until(lambda: open_files(server) == files, "the server has closed all", PATIENCE)
    return counts


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("build", help="a directory that meson has set up")
    parser.add_argument("--seconds", type=float, default=60, help="half of it as on an older kernel (default: 60)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000)
    parser.add_argument("--attack", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack is not None:
        attack(options.build, options.attack)
        return 0
    variables = {
        "VITALS_TEST_SERVER": f"{pathlib.Path(options.build).resolve()}/tests/test-server",
        "VITALS_CHAOS_SECONDS": str(options.seconds),
        "VITALS_CHAOS_SEED": str(options.seed),
    }
    command = ["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", HERE / "test_chaos.py"]
    return subprocess.run([sys.executable, *command], env=os.environ | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
