#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How long a client that means well waits while many others send the costliest requests there are.

First each request of tests/hostile/costly.py is asked for on its own, in both dialects; bench-turns says
how long the turns of each are, in CPU time, and the ten longest are shown. The ten requests that
take most of the server's CPU are then sent by 50 and by 1000 clients, each the next one as soon as it
has the reply, and one client asks for the statistics of the VM every few milliseconds: once as another
user than the crowd, which needs root, and once as the same. The crowd's process is nice, so that it
is the server that keeps the one client waiting, and not the CPU. Other work on the machine does so, too:
what the server itself had the CPU for meanwhile is shown beside the round trips.

    bench/hostile.py build --seconds 10
"""

import argparse
import os
import pathlib
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "hostile")]
NOBODY = 65534
NICE = 10
PAUSE = 0.005  # seconds between a reply and the next request of the one client
COSTLIEST = 10
REPEATED = 3


# ---- which requests -----------------------------------------------------------------------------


def cost(pid, path, message):
    """Milliseconds of the server's CPU, and the length of the reply."""
    client = Honest(path)
    best = None
    for _ in range(REPEATED):
        before = cpu_time(pid)
        reply = client.ask(message)
        spent = (cpu_time(pid) - before) * 1000
        best = spent if best is None else min(best, spent)
    client.stop()
    return best, len(reply)


def find_costliest(server, paths):
    """[(path, message)]; prints what each of them takes."""
    found = []
    for dialect, path in paths.items():
        for what, message in costly.requests(dialect).items():
            ms, reply = cost(server.pid, path, message)
            found.append((ms, len(message), reply, dialect, what, path, message))
    found.sort(key=lambda request: -request[0])
    print(f"{'request':32} {'dialect':8} {'bytes':>8} {'reply':>8} {'ms of CPU':>10}")
    for ms, size, reply, dialect, what, _, _ in found[:COSTLIEST]:
        print(f"{what:32} {dialect:8} {size:8} {reply:8} {ms:10.1f}")
    return [(path, message) for *_, path, message in found[:COSTLIEST]]


# ---- how long the turns are ---------------------------------------------------------------------

VMS = {"8 vCPUs": (1, 76, 8, 1), "300 schemas": (300, 100, 1, 1)}  # schemas, stats, objects, groups


def turns(build, dialect, vm):
    """(longest, all, how many, what), in ms of CPU, for each request: see bench/turns.c"""
    requests = costly.requests(dialect) | costly.short_requests(dialect)
    command = [build / "bench" / "bench-turns", dialect, *map(str, VMS[vm])]
    lines = subprocess.run(command, input=b"".join(requests.values()), stdout=subprocess.PIPE, check=True)
    for what, line in zip(requests, lines.stdout.decode().splitlines()):
        n, spent, longest, _ = line.split()
        yield float(longest), float(spent), int(n), what


def put_longest_turns(build):
    found = [(*turn, dialect, vm) for vm in VMS for dialect in ("grouped", "flat")
             for turn in turns(build, dialect, vm)]  # fmt: skip
    print(f"\n{'request':32} {'dialect':8} {'of a VM with':12} {'turns':>6} {'ms':>6} {'longest':>8}")
    for longest, spent, n, what, dialect, vm in sorted(found, reverse=True)[:COSTLIEST]:
        print(f"{what:32} {dialect:8} {vm:12} {n:6} {spent:6.1f} {longest:8.1f}")


# ---- the crowd: a process of its own -------------------------------------------------------------


class Attacker:
    """Sends one request after the other, and drops what it is answered. Where the server closes it,
    it comes again."""

    def __init__(self, path, messages, poll):
        self.path, self.messages, self.poll = path, messages, poll
        self.next = self.answered = 0
        self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)
        self.socket.sendall(NEGOTIATION)
        self.socket.setblocking(False)
        self.to_send = memoryview(b"")
        self.replies_left = 2  # the greeting, and that of the negotiation
        self.poll.register(self.socket.fileno(), select.EPOLLIN)

    def send(self):
        self.to_send = self.to_send[self.socket.send(self.to_send):]
        if not self.to_send:
            self.poll.modify(self.socket.fileno(), select.EPOLLIN)

    def receive(self):
        received = self.socket.recv(1 << 18)
        if not received:
            raise ConnectionResetError
        self.replies_left -= received.count(b"\n")
        if self.replies_left:
            return
        self.answered += 1
        self.to_send = memoryview(self.messages[self.next % len(self.messages)])
        self.next += 1
        self.replies_left = 1
        self.poll.modify(self.socket.fileno(), select.EPOLLOUT)

    def go_on(self):
        try:
            if self.to_send:
                self.send()
            else:
                self.receive()
        except BlockingIOError:
            pass
        except OSError:
            self.socket.close()
            self.connect()


def run_crowd(n, requests, report):
    """Until SIGTERM; then writes how many requests were answered."""
    poll, crowd, over = select.epoll(), {}, []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    for i in range(n):
        path = requests[i % len(requests)][0]
        messages = [message for where, message in requests if where == path]
        attacker = Attacker(path, messages, poll)
        attacker.next = i // len(requests)
        crowd[attacker.socket.fileno()] = attacker
    os.write(report, b"there\n")
    while not over:
        for fd, _ in poll.poll(0.1):
            attacker = crowd.pop(fd)
            attacker.go_on()
            crowd[attacker.socket.fileno()] = attacker
    os.write(report, b"%d\n" % sum(attacker.answered for attacker in crowd.values()))


class Crowd:
    def __init__(self, n, requests, user):
        self.report, report = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.nice(NICE)
                if user != os.geteuid():
                    os.setgroups([])
                    os.setgid(user)
                    os.setuid(user)
                run_crowd(n, requests, report)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(report)
        self.lines = os.fdopen(self.report)
        assert self.lines.readline() == "there\n"

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        answered = int(self.lines.readline())
        os.waitpid(self.pid, 0)
        self.lines.close()
        return answered


# ---- one measurement -----------------------------------------------------------------------------


def measure(server, n, requests, user, seconds):
    """Round trips, and the server's CPU meanwhile, in ms; how many requests were answered to the crowd."""
    crowd = Crowd(n, requests, user)
    time.sleep(1)
    client, trips, spent = Honest(server.path, timeout=600), [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(trips) < 3:
        start, before = time.perf_counter(), cpu_time(server.pid)
        assert client.ask().startswith(b'{"return": ')
        trips.append(1000 * (time.perf_counter() - start))
        spent.append(1000 * (cpu_time(server.pid) - before))
        time.sleep(PAUSE)
    answered = crowd.stop()
    client.stop()
    return trips, spent, answered


def figures(values):
    values = sorted(values)
    return f"{statistics.median(values):8.2f} {values[len(values) * 99 // 100]:8.2f} {values[-1]:8.2f}"


def put_row(n, who, trips, spent, answered):
    print(f"{n:7} {who:12} {len(trips):5} {figures(trips)}   {figures(spent)} {answered:8}", flush=True)


def serve(programs, vcpus):
    server = programs.server()
    server.tell("kvm", "-")
    for i in range(vcpus):
        server.tell("vcpu", costly.VCPU % i, DATA / "kvm" / "x86_64-linux-6.18" / "vcpu.stats")
    server.tell("register", "sched/vm", stat("runs"))
    server.tell("row", "sched/vm", "vm", 1)
    flat = programs.path("flat.sock")
    server.tell("listen", flat, "flat")
    os.chmod(programs.directory, 0o711)
    for path in server.path, flat:
        os.chmod(path, 0o666)
    return server, {"grouped": server.path, "flat": flat}


def run(options):
    programs = Programs()
    try:
        server, paths = serve(programs, options.vcpus)
        requests = find_costliest(server, paths)
        put_longest_turns(options.build)
        print(f"\n{'':26} {'round trip, ms':>26}   {'of the server, ms of CPU':>26}")
        names = f"{'median':>8} {'p99':>8} {'worst':>8}"
        print(f"{'clients':>7} {'they are':12} {'asked':>5} {names}   {names} {'answered':>8}")
        for n in options.clients:
            for who, user in ("another user", NOBODY), ("the same", os.geteuid()):
                if user == os.geteuid() or os.geteuid() == 0:
                    put_row(n, who, *measure(server, n, requests, user, options.seconds))
    finally:
        programs.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--clients", type=int, nargs="+", default=[50, 1000])
    parser.add_argument("--vcpus", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    os.environ.setdefault("VITALS_TEST_SERVER", str(given.build.resolve() / "tests" / "test-server"))
    import costly
    from honest import NEGOTIATION, Honest
    from support.programs import DATA, Programs, cpu_time, stat

    run(given)
