#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures one pass over the VMs of a host, read from the kernel, and what `vitals` makes of it.

All VMs have two vCPUs, and are in one process or in fifty; or one VM has 1024. "list" is all that
`vitals list` takes, "turn" each further turn of `vitals stats`: the CPU time, also in passes, since
a pass is the least that it can take. "top" is what `vitals top` takes of one CPU, on a terminal and
at an interval of a second, and "-b" the same as text, with all vCPUs. Needs /dev/kvm and root:

    bench/kernel.py BUILD
"""

import argparse
import fcntl
import json
import os
import pathlib
import pty
import resource
import struct
import subprocess
import termios
import threading

PASSES = 100
TURNS = 20
SECONDS = 30  # of `vitals top`
LINES, COLUMNS = 50, 200
FILES = 16384  # a VMM with 1000 VMs has 3 for each
HOSTS = [(1, 1000, 2), (50, 20, 2), (1, 1, 2), (1, 1, 1024)]  # processes, VMs in each, vCPUs in each


class Told:
    """A program that is told by lines."""

    def __init__(self, command, last):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.last = last
        self.first = self.process.stdout.readline()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return list(iter(lambda: self.process.stdout.readline().strip(), self.last))

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def raise_limit_of_files():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))


def start_vmms(build, processes, vms, *options):
    command = [build / "tests/bare-vmm", "--vms", str(vms), "--no-rows", *options]
    return [Told(command, "ok") for _ in range(processes)]


def start_vmms_of_two(options):
    """As many as add_options() has; each vCPU has run once."""
    return start_vmms(options.build, options.processes, options.vms, "--vcpus", "0,1", "--guest", "once")


def add_options(parser, processes=50):
    parser.add_argument("build", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--processes", type=int, default=processes)
    parser.add_argument("--vms", type=int, default=20, help="of each process")


def run(*words):
    """(seconds of CPU, KiB of memory) of a command, which must succeed."""
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return used.ru_utime + used.ru_stime, used.ru_maxrss


def read_all(fd):
    """What a terminal shows."""
    try:
        while os.read(fd, 1 << 16):
            pass
    except OSError:
        pass  # nobody has it open any more


def run_on_terminal(*words):
    """run() in a window."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(list(map(str, words)), stdin=slave, stdout=slave,
                               env=os.environ | {"TERM": "xterm-256color"})  # fmt: skip
    os.close(slave)
    reader = threading.Thread(target=read_all, args=[master])
    reader.start()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    os.close(master)
    assert process.returncode == 0, words
    return used.ru_utime + used.ru_stime, used.ru_maxrss


def measure_top(vitals):
    """(per cent of a CPU on a terminal, as text, MiB on a terminal)"""
    top = [vitals, "top", "--host", "-i", 1, "-n"]
    seconds, memory = run_on_terminal(*top, 1 + SECONDS)
    seconds -= run_on_terminal(*top, 1)[0]
    text = run(*top, 1 + SECONDS, "-b")[0] - run(*top, 1, "-b")[0]
    return 100 * seconds / SECONDS, 100 * text / SECONDS, memory / 1024


def measure_vitals(vitals):
    """(ms of a list, ms of a turn, MiB)"""
    stats = [vitals, "stats", "--host", "--stat", "exits", "-i", "0.001", "-o", "json", "-n"]
    listing, _ = run(vitals, "list")
    once, _ = run(*stats, 1)
    often, memory = run(*stats, 1 + TURNS)
    return listing * 1e3, (often - once) * 1e3 / TURNS, memory / 1024


def measure(build, processes, vms, vcpus):
    """What measure_vitals() and measure_top() return, and (its name, ms, records) of passes."""
    numbers = ",".join(map(str, range(vcpus)))
    running = start_vmms(build, processes, vms, "--vcpus", numbers)
    reader = Told([build / "tests/bpf-reader"], "{}")
    passes = []
    for name, pid in (("the host", 0), ("one process", running[0].process.pid)):
        (answer,) = reader.tell(f"time {PASSES} {pid}")
        taken = json.loads(answer)
        passes.append((name, taken["ns"] / 1e6, taken["records"]))
    whole = measure_vitals(build / "vitals") + measure_top(build / "vitals")
    for program in [reader, *running]:
        program.stop()
    return whole, passes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=pathlib.Path, help="a directory that meson has set up")
    build = parser.parse_args().build.resolve()
    raise_limit_of_files()
    print(f"{'processes':>9} {'VMs each':>8} {'vCPUs':>5} {'pass over':>12} {'records':>8} {'ms':>8}"
          f" {'list ms':>8} {'turn ms':>8} {'passes':>6} {'MiB':>5}"
          f" {'top %':>6} {'-b %':>6} {'MiB':>5}")  # fmt: skip
    for host in HOSTS:
        (listing, turn, memory, *top), passes = measure(build, *host)
        (_, of_host, _), *_ = passes
        ends = [f" {listing:8.1f} {turn:8.3f} {turn / of_host:6.1f} {memory:5.1f}"
                " {:6.2f} {:6.2f} {:5.1f}".format(*top), ""]  # fmt: skip
        for (name, milliseconds, records), end in zip(passes, ends):
            print("{:9} {:8} {:5}".format(*host) + f" {name:>12} {records:8} {milliseconds:8.3f}{end}")


if __name__ == "__main__":
    main()
