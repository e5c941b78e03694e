#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures one pass over the VMs of a host, read from the kernel: the fastest of many.

All VMs have two vCPUs, and are in one process or in fifty. Needs /dev/kvm and root:

    bench/kernel.py BUILD
"""

import argparse
import json
import pathlib
import resource
import subprocess

PASSES = 100
VCPUS = "0,1"
FILES = 16384  # a VMM with 1000 VMs has 3 for each
HOSTS = [(1, 1000), (50, 20), (1, 1)]  # processes, VMs in each


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


def measure(tests, processes, vms):
    """(the whole host, one process): ns of the fastest pass and its records, for each."""
    command = [tests / "bare-vmm", "--vms", str(vms), "--vcpus", VCPUS, "--no-rows"]
    running = [Told(command, "ok") for _ in range(processes)]
    reader = Told([tests / "bpf-reader"], "{}")
    passes = []
    for pid in (0, running[0].process.pid):
        (answer,) = reader.tell(f"time {PASSES} {pid}")
        passes.append(json.loads(answer))
    for program in [reader, *running]:
        program.stop()
    return passes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=pathlib.Path, help="a directory that meson has set up")
    tests = parser.parse_args().build.resolve() / "tests"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))
    print(f"{'processes':>9} {'VMs each':>8} {'pass over':>12} {'records':>8} {'ms':>8}")
    for processes, vms in HOSTS:
        for name, taken in zip(("the host", "one process"), measure(tests, processes, vms)):
            milliseconds = taken["ns"] / 1e6
            print(f"{processes:9} {vms:8} {name:>12} {taken['records']:8} {milliseconds:8.3f}")


if __name__ == "__main__":
    main()
