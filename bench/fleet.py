#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `vitals serve` is beside a thousand VMs: its start, its memory, queries, and how all of it goes away.

VMs of two vCPUs, most of them in processes of twenty that know nothing of vitals; some have registered, each by
the call of libvitals (examples/publish.c, whose VMs have one vCPU). Then:

 - until the daemon says that it is ready, and until each VM has its sockets; its memory and CPU time;
 - the statistics of all VMs, asked for at a socket of each at once, and of one VM alone;
 - the daemon killed (SIGKILL), and started again: until all are there again, and the registered ones, too;
 - all VMMs killed at once: until each is gone, the daemon has the files and sockets that it had without VMs,
   and the kernel the memory.

The same host without the daemon is beside it: what the kernel has for VMs, and until that is given back. Memory of
the kernel is that of /proc/meminfo: slabs that can't be given back (SUnreclaim), page tables and stacks. It is of
the whole host, so nothing else should run; or, with --cgroup, what a control group is charged for, in which the bench and all that
it starts then are. The run directory is in memory, as /run is: on a disk, making and removing thousands of sockets is
what takes the time. Needs /dev/kvm and root:

    bench/fleet.py BUILD
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from kernel import add_options, raise_limit_of_files, start_vmms_of_two

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "hostile")]
REQUESTS = [b'{"execute": "query-stats", "arguments": {"target": "%s"}}\n' % target for target in (b"vm", b"vcpu")]
NEGOTIATION = b'{"execute": "qmp_capabilities"}\n'
LIST = b'{"execute": "query-vms"}\n'
KERNEL = ["SUnreclaim", "PageTables", "KernelStack"]
SETTLED = 5  # seconds after which what is still there stays
PAUSE = 0.005
AT_ONCE = 1000  # clients, of which a daemon has no more than it has files
PATIENCE = 600
IN_MEMORY = "/dev/shm"
MIB = 1024


# ---- what there is ------------------------------------------------------------------------------


def of_cgroup(directory):
    """KiB of memory of the kernel, by either version."""
    old = directory / "memory.kmem.usage_in_bytes"
    if old.exists():
        return int(old.read_text("ascii")) // 1024
    lines = (directory / "memory.stat").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("kernel ")) // 1024


def kernel_memory():
    """KiB."""
    if given.cgroup:
        return of_cgroup(given.cgroup)
    with open("/proc/meminfo", encoding="ascii") as file:
        found = dict(line.split(":") for line in file)
    return sum(int(found[name].split()[0]) for name in KERNEL)


def files_of(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def sockets_of(daemon):
    """Below its directory."""
    return sum(len(files) for _, _, files in os.walk(daemon.run_directory))


def figures_of(daemon):
    if daemon is None:
        return {"kernel": kernel_memory()}
    return {"kernel": kernel_memory(), "files": files_of(daemon), "sockets": sockets_of(daemon), "memory": daemon.memory()}


def until(condition):
    """Seconds."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + PATIENCE
        time.sleep(PAUSE)
    return time.monotonic() - begin


# ---- the VMs ------------------------------------------------------------------------------------


class Fleet:
    """VMMs, which keep running whatever becomes of a daemon."""

    def __init__(self, options, run_directory):
        self.bare = start_vmms_of_two(options)
        publish = options.build / "examples/example-publish"
        self.published = [subprocess.Popen([publish, f"registered-{i}", os.path.join(run_directory, "register.sock")],
                                           stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
                          for i in range(options.registered)]  # fmt: skip
        self.n = options.processes * options.vms + options.registered
        until(lambda: all(len(os.listdir(f"/proc/{process.pid}/fd")) > 5 for process in self.published))

    def kill(self):
        """All at once; returns when it began, when none is there."""
        begin = time.monotonic()
        processes = [told.process for told in self.bare] + self.published
        for process in processes:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            process.wait()
            process.stdin.close()
        return begin


# ---- the daemon ---------------------------------------------------------------------------------


def start_daemon(programs):
    begin = time.monotonic()
    daemon = programs.keep(Daemon(programs.directory, "--user", "root", "--group", "root"))
    assert daemon.ready, daemon.log()
    return daemon, time.monotonic() - begin


def listed(host):
    return json.loads(host.ask(LIST))["return"]


def wait_for_all(daemon, fleet):
    """(seconds until all are listed, until the registered ones are by that way)"""
    host = Honest(os.path.join(daemon.run_directory, "host.sock"), timeout=PATIENCE)
    begin = time.monotonic()

    def ways():
        return [vm["way"] for vm in listed(host) if vm["vcpus"]]

    all_there = until(lambda: len(ways()) == fleet.n)
    until(lambda: ways().count("registered") == len(fleet.published))
    host.stop()
    return all_there, time.monotonic() - begin


def connected(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(path)
    return client


def ask_each(clients, requests, lines):
    """All are sent before any answer is read."""
    for client in clients:
        client.sendall(b"".join(requests))
    for client in clients:
        answer = b""
        while answer.count(b"\n") < lines:
            more = client.recv(1 << 20)
            assert more
            answer += more
        assert b'"error"' not in answer


def ask_paths(paths):
    """Seconds for the statistics of these VMs, asked for at once."""
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(connected(path)) for path in paths]
        ask_each(clients, [NEGOTIATION], 2)  # with the greeting
        begin = time.perf_counter()
        ask_each(clients, REQUESTS, len(REQUESTS))
        return time.perf_counter() - begin


def ask_all(daemon, fleet):
    """
    The statistics of all VMs through a socket of each, asked at once as far as there is room for clients: (how many
    have one, as there may be files for no more; seconds; median and worst round trip for one VM alone).
    """
    host = Honest(os.path.join(daemon.run_directory, "host.sock"), timeout=PATIENCE)
    vms = listed(host)
    paths = [vm["sockets"]["grouped"] for vm in vms if vm["sockets"]]
    assert len(vms) == fleet.n and paths
    at_once = min(AT_ONCE, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 8)
    taken = sum(ask_paths(paths[i : i + at_once]) for i in range(0, len(paths), at_once))
    one = Honest(paths[0], timeout=PATIENCE).measure(2, pause=PAUSE)
    for client in host, one:
        client.stop()
    return len(paths), taken, statistics.median(one.trips), max(one.trips)


def wait_for_the_end(daemon, before, begin):
    """{figure: seconds until it is back where it was, or None}"""
    back = {}
    while time.monotonic() < begin + SETTLED and len(back) < len(before):
        now = figures_of(daemon)
        for name in before:
            if name not in back and now[name] <= before[name] + tolerated(name):
                back[name] = time.monotonic() - begin
        time.sleep(PAUSE)
    return {name: back.get(name) for name in before}


def tolerated(name):
    """Memory is never the same twice: KiB."""
    return {"kernel": 4 * MIB, "memory": 1 << 40}.get(name, 0)


# ---- a run --------------------------------------------------------------------------------------


def run_with(programs, options):
    daemon, taken = start_daemon(programs)
    print(f"the daemon is ready without VMs after {taken:.2f} s", flush=True)
    before = figures_of(daemon)
    fleet = Fleet(options, daemon.run_directory)
    try:
        print(f"{fleet.n} VMs, {options.registered} of them registered", flush=True)
        print("after the last was made, all are listed in {:.2f} s, the registered ones in {:.2f} s".format(*wait_for_all(daemon, fleet)))
        served, together, median, worst = ask_all(daemon, fleet)
        print(f"{served} VMs have sockets; all by one of each: {together:.2f} s; one: median {1e3 * median:.1f} ms,"
              f" worst {1e3 * worst:.1f} ms", flush=True)  # fmt: skip
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        again, taken = start_daemon(programs)
        there, registered = wait_for_all(again, fleet)
        print(f"killed, and started again: ready after {taken:.2f} s, all listed {there:.2f} s later, the registered ones"
              f" {registered:.2f} s later", flush=True)  # fmt: skip
        ask_all(again, fleet)
        during = figures_of(again)
    finally:
        begin = fleet.kill()
    return before, during, wait_for_the_end(again, before, begin), figures_of(again)


def run_without(options):
    before = figures_of(None)
    fleet = Fleet(options, "/nonexistent")
    during = figures_of(None)
    begin = fleet.kill()
    return before, during, wait_for_the_end(None, before, begin), figures_of(None)


def put(what, before, during, back, after):
    for name in before:
        taken = "not" if back[name] is None else f"{back[name]:.2f}"
        print(f"{what:16} {name:8} {before[name]:10} {during[name]:10} {after[name]:10} {taken:>8}", flush=True)


def run(options):
    raise_limit_of_files()
    tempfile.tempdir = IN_MEMORY
    programs = Programs()
    if options.cgroup:
        (options.cgroup / "cgroup.procs").write_text(str(os.getpid()), "ascii")
    try:
        run_without(options)  # so that what the kernel keeps for later is there in both
        results = [("with the daemon", *run_with(programs, options)), ("without it", *run_without(options))]
    finally:
        programs.close()
    print(f"\n{'':16} {'':8} {'before':>10} {'with VMs':>10} {'after':>10} {'back, s':>8}   (memory in KiB; kernel: within 4 MiB)")
    for result in results:
        put(*result)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_options(parser, processes=49)
    parser.add_argument("--registered", type=int, default=20, help="processes whose VM registers")
    parser.add_argument("--cgroup", type=pathlib.Path, help="a directory of control groups of memory")
    given = parser.parse_args()
    os.environ.setdefault("VITALS", str(given.build / "vitals"))
    from honest import Honest
    from support.daemon import Daemon
    from support.programs import Programs

    run(given)
