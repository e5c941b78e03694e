#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a scrape of many VMs takes, and what others notice of those who scrape.

A thousand VMs of two vCPUs, in processes of twenty, and `vitals serve` beside them. First, for each preset:
the bytes of /metrics as OpenMetrics without gzip, the time until the last of them is there, and the CPU time
of the daemon's threads of HTTP.

The limit is the sum of two times. One is a pass over the kernel, which has every VM, vCPU and thread with all its
values, by a program that does nothing else, and does not look at what it has read. It comes after the same rest as
a scrape, and the two take turns, as both find cold what they read. The other is the same bytes, those of a scrape before,
from one thread by one sendall() through a socket of the loopback into the same buffer of the same reader; of its CPU time,
that of the sender. So it has nothing for taking VMs apart, for control groups, for text, or for HTTP. The last column has
the fastest of 50 passes made one after the other, each with what it reads in caches already, which no scrape after a
rest has.

Then, also with a hundred VMs, the round trips of a client that asks a socket of one VM, while nobody
scrapes; while one scraper takes a byte a second; and while ten scrape with gzip, as fast as they are
answered, and a thousand come with wrong passwords. The crowd is nice. Beside the round trips stands what is
left of them without the time that the client and the daemon's main thread could have run, and had no CPU,
as others had it. Before Linux 6.1 each query needs a pass over the host, so it depends on how many VMs there
are. Needs /dev/kvm and root:

    bench/scrape.py BUILD
"""

import argparse
import base64
import contextlib
import json
import os
import pathlib
import signal
import socket
import statistics
import sys
import threading
import time

from kernel import Told, add_options, raise_limit_of_files, start_vmms_of_two

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "hostile")]
PRESETS = ["minimal", "default", "full"]
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
PASSES = 50
REST = 0.3  # seconds between scrapes: each takes a turn that has its share already
SCRAPERS, WRONG = 10, 1000
PASSWORD = "right"
NICE = 10
PAUSE = 0.005  # seconds between a reply and the next request of the one client
CHUNK = 1 << 20


# ---- HTTP ---------------------------------------------------------------------------------------


def login(password):
    return "Basic " + base64.b64encode(f"bench:{password}".encode()).decode()


def request(preset, **headers):
    lines = [f"GET /metrics?preset={preset} HTTP/1.1", "Host: localhost", f"Accept: {OPENMETRICS}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def length_of(head):
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise AssertionError(head)


def read_head(connection):
    """The reply's head, and what has come of its body."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(4096)
        if not more:
            raise ConnectionResetError
        head += more
    head, _, body = head.partition(b"\r\n\r\n")
    return head, body


def read_reply(connection, buffer):
    """(status, bytes of the body)"""
    head, body = read_head(connection)
    left = length_of(head) - len(body)
    while left:
        taken = connection.recv_into(buffer, min(left, CHUNK))
        if not taken:
            raise ConnectionResetError
        left -= taken
    return int(head.split()[1]), length_of(head)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=120)


# ---- one scrape, and the limit ------------------------------------------------------------------


def cpu_of_others(pid):
    """Nanoseconds that all threads but the main one have run."""
    spent = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        if int(task) != pid:
            with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                spent += int(file.read().split()[0])
    return spent


def time_of_passes(reader, n):
    """The fastest of so many that follow each other, in ms: no other process has its CPU time, so it is both."""
    (answer,) = reader.tell(f"time-all {n}")
    return json.loads(answer)["ns"] / 1e6


class Scrapes:
    """Those of one preset in turns with passes of the program that does nothing else, each after a rest."""

    def __init__(self, web, preset, reader, n):
        self.ms, self.cpu_ms, self.pass_ms, self.size, buffer = [], [], [], 0, bytearray(CHUNK)
        with connect(web.port) as connection:
            for _ in range(n):
                time.sleep(REST)
                cpu, begin = cpu_of_others(web.daemon.pid), time.perf_counter()
                connection.sendall(request(preset, Authorization=login(PASSWORD)))
                status, self.size = read_reply(connection, buffer)
                self.ms.append(1e3 * (time.perf_counter() - begin))
                self.cpu_ms.append((cpu_of_others(web.daemon.pid) - cpu) / 1e6)
                assert status == 200
                time.sleep(REST)
                self.pass_ms.append(time_of_passes(reader, 1))


def document(web, preset):
    with connect(web.port) as connection:
        connection.sendall(request(preset, Authorization=login(PASSWORD)))
        head, body = read_head(connection)
        with connection.makefile("rb") as rest:
            return body + rest.read(length_of(head) - len(body))


def send_limit(data, n):
    """([ms until all is there], [ms of the sender's CPU])"""
    times, spent, buffer = [], [], bytearray(CHUNK)
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader = socket.create_connection(server.getsockname())
        writer, _ = server.accept()

    def send():
        begin = time.thread_time()
        writer.sendall(data)
        spent.append(1e3 * (time.thread_time() - begin))

    for _ in range(n):
        sender, left, begin = threading.Thread(target=send), len(data), time.perf_counter()
        sender.start()
        while left:
            left -= reader.recv_into(buffer, min(left, CHUNK))
        times.append(1e3 * (time.perf_counter() - begin))
        sender.join()
    reader.close()
    writer.close()
    return times, spent


def measure_scrapes(build, web, pids, n):
    reader = Told([build / "tests/bpf-reader"], "{}")
    for pid in pids:
        reader.tell(f"threads {pid}")
    print(f"{'preset':8} {'MB':>6} {'ms':>7} {'limit':>7} {'ratio':>6} {'ms of CPU':>10} {'limit':>7} {'ratio':>6}"
          f"   {'its pass':>8} {'warm':>6}  (medians; then the same of the fastest)")  # fmt: skip
    for preset in PRESETS:
        warm = time_of_passes(reader, PASSES)
        scrapes = Scrapes(web, preset, reader, n)
        send_ms, send_cpu_ms = send_limit(document(web, preset), n)
        for name, of in (preset, statistics.median), ("", min):
            of_pass = of(scrapes.pass_ms)
            limit, cpu_limit = of_pass + of(send_ms), of_pass + of(send_cpu_ms)
            print(f"{name:8} {scrapes.size / 1e6:6.2f} {of(scrapes.ms):7.1f} {limit:7.1f} {of(scrapes.ms) / limit:6.2f}"
                  f" {of(scrapes.cpu_ms):10.1f} {cpu_limit:7.1f} {of(scrapes.cpu_ms) / cpu_limit:6.2f}"
                  f"   {of_pass:8.2f} {warm:6.2f}", flush=True)  # fmt: skip
    reader.stop()


# ---- what others notice -------------------------------------------------------------------------


def crowd(count, work):
    """A process with a thread for each; work(i) says how many were answered. Returns what ends it.

    In a session of its own, as others are: for the scheduler it is not a part of the client."""
    report, to_report = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.nice(NICE)
        stop, answered = threading.Event(), [0] * count
        signal.signal(signal.SIGTERM, lambda *_: stop.set())

        def run(i):
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    answered[i] += work(i)

        threads = [threading.Thread(target=run, args=[i], daemon=True) for i in range(count)]
        for thread in threads:
            thread.start()
        while not stop.wait(0.1):
            pass
        os.write(to_report, b"%d\n" % sum(answered))
        os._exit(0)
    os.close(to_report)

    def end():
        os.kill(pid, signal.SIGTERM)
        with os.fdopen(report) as lines:
            n = int(lines.readline())
        os.waitpid(pid, 0)
        return n

    return end


def scrape_with_gzip(port):
    def work(_):
        with connect(port) as connection:
            connection.sendall(request("full", Authorization=login(PASSWORD), Accept_Encoding="gzip"))
            return read_reply(connection, bytearray(CHUNK))[0] == 200

    return work


def come_with_wrong_passwords(port):
    def work(i):
        with connect(port) as connection:
            connection.sendall(request("full", Authorization=login(f"wrong-{i}-{time.monotonic_ns()}")))
            return read_reply(connection, bytearray(CHUNK))[0] in (401, 503)

    return work


def read_a_byte_a_second(port):
    def work(_):
        with connect(port) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(request("full", Authorization=login(PASSWORD)))
            n = 0
            while connection.recv(1):
                n += 1
                time.sleep(1)
            return n

    return work


def waited(pid):
    """Nanoseconds that the main threads of the daemon and of this program could have run, and had no CPU."""
    total = 0
    for process in pid, "self":
        with open(f"/proc/{process}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[1])
    return total


def measure_client(web, path, what, seconds, crowds):
    ends = [crowd(count, work(web.port)) for count, work in crowds]
    time.sleep(1 if crowds else 0)
    client, trips, rest = Honest(path, timeout=600), [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        wait, begin = waited(web.daemon.pid), time.perf_counter()
        assert client.ask().startswith(b'{"return": ')
        trips.append(1e3 * (time.perf_counter() - begin))
        rest.append(max(0, trips[-1] - (waited(web.daemon.pid) - wait) / 1e6))
        time.sleep(PAUSE)
    client.stop()
    answered = [end() for end in ends]
    print(f"{what:42} {len(trips):6} {figures(trips)}   {figures(rest)}   {answered}", flush=True)


def figures(values):
    values = sorted(values)
    return f"{statistics.median(values):7.2f} {values[len(values) * 99 // 100]:7.2f} {values[-1]:7.2f}"


def socket_of_one(daemon, vmms, ended):
    """That of a VM which stays, as soon as those that have ended are gone."""
    host = Honest(os.path.join(daemon.run_directory, "host.sock"), timeout=600)
    ended = {vmm.process.pid for vmm in ended}
    while True:
        listed = json.loads(host.ask(b'{"execute": "query-vms"}\n'))["return"]
        if not ended & {vm.get("pid") for vm in listed}:
            break
        time.sleep(PAUSE)
    host.stop()
    return next(vm["sockets"]["grouped"] for vm in listed if vm.get("pid") == vmms[0].process.pid)


def measure_clients(web, path, seconds):
    print(f"\n{'round trips of query-stats, ms':42} {'asked':>6} {'median':>7} {'p99':>7} {'worst':>7}"
          f"   {'median':>7} {'p99':>7} {'worst':>7}   answered\n{'':75}but for waiting for a CPU")  # fmt: skip
    measure_client(web, path, "nobody scrapes", seconds, [])
    measure_client(web, path, "one takes a byte a second", seconds, [(1, read_a_byte_a_second)])
    measure_client(web, path, f"{SCRAPERS} scrape with gzip", seconds, [(SCRAPERS, scrape_with_gzip)])
    measure_client(web, path, f"{WRONG} wrong passwords", seconds, [(WRONG, come_with_wrong_passwords)])
    measure_client(web, path, "both at once", seconds,
                   [(SCRAPERS, scrape_with_gzip), (WRONG, come_with_wrong_passwords)])  # fmt: skip
    measure_client(web, path, "nobody scrapes", seconds, [])


# ---- the host -----------------------------------------------------------------------------------


def start_web(programs):
    config = programs.write("web.yml", f"basic_auth_users:\n  bench: {bcrypt(PASSWORD, 10)}\n".encode())
    daemon = programs.keep(Daemon(programs.directory, "--user", "root", "--group", "root", "--metrics", "127.0.0.1:0",
                                  "--web-config", config))  # fmt: skip
    assert daemon.ready, daemon.log()
    return Web(daemon)


def run(options):
    raise_limit_of_files()
    programs, vmms = Programs(), []
    try:
        vmms = start_vmms_of_two(options)
        web = start_web(programs)
        print(f"{options.processes * options.vms} VMs of 2 vCPUs in {options.processes} processes", flush=True)
        measure_scrapes(options.build, web, [vmm.process.pid for vmm in vmms], options.scrapes)
        measure_clients(web, socket_of_one(web.daemon, vmms, []), options.seconds)
        for vmm in vmms[options.few :]:
            vmm.stop()
        vmms, ended = vmms[: options.few], vmms[options.few :]
        print(f"\n{options.few * options.vms} VMs", flush=True)
        measure_clients(web, socket_of_one(web.daemon, vmms, ended), options.seconds)
    finally:
        programs.close()
        for vmm in vmms:
            vmm.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_options(parser)
    parser.add_argument("--few", type=int, default=5, help="processes for the clients' second turn")
    parser.add_argument("--scrapes", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    os.environ.setdefault("VITALS", str(given.build / "vitals"))
    from honest import Honest
    from support.daemon import Daemon
    from support.programs import Programs
    from support.web import Web, bcrypt

    run(given)
