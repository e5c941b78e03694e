#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How long one client waits for its replies, alone and in a crowd of 200.

The crowd: 60 clients are silent, 60 ask and never read, 60 send random bytes (half of them read the
errors), 19 connect and disconnect in a loop; the last one asks, and its round trips are measured.
Alone and crowd take turns, so that another load on the machine meets both alike. The time includes
that in which others have the CPU; what the server itself does until the reply is there does not.

    tests/wire/crowd.py /tmp/vitals.sock --seconds 5
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import select
import socket
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.programs import cpu_time  # noqa: E402

SILENT, DEAF, NOISY, RESTLESS = 60, 60, 60, 19
REQUEST = b'{"execute": "query-stats", "arguments": {"target": "vcpu"}}\n'
NEGOTIATION = b'{"execute": "qmp_capabilities"}\n'
NOISE = random.Random(1).randbytes(1 << 16)


# ---- the crowd: a process of its own, so that the asker has its own interpreter -----------------


def connect(path):
    """A client that never waits; None: the server's queue is full."""
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    try:
        client.connect(path)
    except OSError:
        client.close()
        return None
    return client


def send(client, data):
    """Sends what the socket takes. Returns whether the connection is still there."""
    try:
        client.send(data)
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


def drain(client):
    with contextlib.suppress(OSError):
        client.recv(1 << 16)


class Crowd:
    """All clients but the one that asks."""

    def __init__(self, path):
        self.path = path
        self.silent = [self.join() for _ in range(SILENT)]
        self.deaf = [self.join() for _ in range(DEAF)]
        self.noisy = [self.join() for _ in range(NOISY)]
        self.restless = [None] * RESTLESS
        for client in self.deaf:
            send(client, NEGOTIATION)

    def join(self):
        while not (client := connect(self.path)):
            time.sleep(0.001)
        return client

    def make_noise(self):
        for i, client in enumerate(self.noisy):
            start = random.randrange(len(NOISE) - 512)
            if not send(client, NOISE[start : start + 512]):
                self.noisy[i] = self.join()
            elif i % 2:
                drain(client)

    def ask_and_never_read(self):
        for i, client in enumerate(self.deaf):
            if not send(client, REQUEST * 4):
                self.deaf[i] = self.join()
                send(self.deaf[i], NEGOTIATION)

    def come_and_go(self):
        for i, client in enumerate(self.restless):
            if client:
                client.close()
            self.restless[i] = None if client else connect(self.path)

    def close(self):
        for client in self.silent + self.deaf + self.noisy + self.restless:
            if client:
                client.close()


def next_word():
    """The next line of standard input, or "" if there is none yet."""
    return sys.stdin.readline().strip() if select.select([sys.stdin], [], [], 0)[0] else ""


def run_crowd(path):
    """Makes a crowd at "start", ends it at "stop", and itself at "end"."""
    crowd = None
    os.nice(10)  # the server is to be measured, not the scheduler of a machine with few CPUs
    while (word := next_word()) != "end":
        if word == "start":
            crowd = Crowd(path)
        elif word == "stop":
            crowd.close()
            crowd = None
        if word:
            print("done", flush=True)
        if crowd:
            crowd.make_noise()
            crowd.ask_and_never_read()
            crowd.come_and_go()
        else:
            time.sleep(0.001)


class CrowdProcess:
    """The process that is the crowd."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, __file__, path, "--crowd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        if word != "end":
            assert self.process.stdout.readline() == "done\n"

    def end(self):
        self.tell("end")
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


# ---- the one that asks --------------------------------------------------------------------------


class Asker:
    """A client whose round trips are measured."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.server = self.server_pid()
        self.receive_line()
        self.round_trip(NEGOTIATION)

    def receive_line(self):
        data = b""
        while not data.endswith(b"\n"):
            data += self.socket.recv(1 << 20)
        return data

    def round_trip(self, request):
        """Its time, and that of the server's CPU, in microseconds."""
        start, work = time.perf_counter(), cpu_time(self.server)
        self.socket.sendall(request)
        data = self.receive_line()
        work, end = cpu_time(self.server) - work, time.perf_counter()
        assert data.startswith(b'{"return": '), data[:200]
        return (end - start) * 1e6, work * 1e6

    def measure(self, seconds):
        """Round trips for so long."""
        end = time.monotonic() + seconds
        trips = []
        while time.monotonic() < end:
            trips.append(self.round_trip(REQUEST))
        return trips

    def count_vcpus(self):
        self.socket.sendall(REQUEST)
        return len(json.loads(self.receive_line())["return"]["vcpus"])

    def server_pid(self):
        credentials = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.unpack("iII", credentials)[0]


def memory(pid, name):
    """MiB: VmRSS now, VmHWM the most so far."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def times(trips):
    return [duration for duration, _ in trips]


def quick_work(trips):
    """The lower quartile of the server's CPU time."""
    return statistics.quantiles([work for _, work in trips])[0]


@dataclasses.dataclass
class Result:
    vcpus: int
    alone: list[tuple[float, float]]
    crowd: list[tuple[float, float]]
    memory_before: float
    memory_after: float
    memory_peak: float

    @property
    def ratio(self):
        return statistics.median(times(self.crowd)) / statistics.median(times(self.alone))

    @property
    def work_ratio(self):
        """How much more the server does before the reply. Where the one that asks has no CPU for a
        while, the server goes on, so the quick round trips count."""
        return quick_work(self.crowd) / quick_work(self.alone)

    def __str__(self):
        def describe(name, trips):
            durations = times(trips)
            quantiles = statistics.quantiles(durations, n=100)
            return (
                f"{name}: median {statistics.median(durations):.0f} us, "
                f"99 % below {quantiles[98]:.0f} us, {len(durations)} round trips"
            )

        return "\n".join(
            [
                f"one client asks for all of {self.vcpus} vCPUs",
                describe("alone", self.alone),
                describe("crowd", self.crowd),
                f"ratio of the medians: {self.ratio:.2f}, of the server's work {self.work_ratio:.2f}",
                f"memory of the server: before {self.memory_before:.1f} MiB, "
                f"after {self.memory_after:.1f} MiB, peak {self.memory_peak:.1f} MiB",
            ]
        )


def measure(path, seconds, rounds):
    asker = Asker(path)
    pid = asker.server
    crowd = CrowdProcess(path)
    asker.measure(0.1)  # warm up
    alone, crowded = [], []
    before = memory(pid, "VmRSS")
    for _ in range(rounds):
        alone += asker.measure(seconds)
        crowd.tell("start")
        crowded += asker.measure(seconds)
        crowd.tell("stop")
        time.sleep(0.1)  # until the server has closed its side
    crowd.end()
    after = memory(pid, "VmRSS")
    return Result(asker.count_vcpus(), alone, crowded, before, after, memory(pid, "VmHWM"))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("socket")
    parser.add_argument("--seconds", type=float, default=5, help="of each turn (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each kind (default: 3)")
    parser.add_argument("--crowd", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.crowd:
        run_crowd(options.socket)
    else:
        print(measure(options.socket, options.seconds, options.rounds))


if __name__ == "__main__":
    main()
