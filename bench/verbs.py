#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the verbs take that look at many VMs through the daemon.

A thousand VMs of two vCPUs, in processes of twenty, and `vitals serve` beside them. Each verb is run some times:
the time until it has ended, its own CPU time, and that of the daemon meanwhile; of `top`, for each turn behind the
first. With --before, the same with the `vitals` of another build, such as one of a release that has a connection
to each VM. Needs /dev/kvm and root:

    bench/verbs.py BUILD [--before BUILD]
"""

import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

from kernel import add_options, raise_limit_of_files, start_vmms_of_two

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
TURNS = 4  # of top
PATIENCE = 60  # seconds
VERBS = {
    "list": ["list"],
    "stats": ["stats", "-o", "csv"],
    "stats of one statistic": ["stats", "-o", "csv", "--stat", "exits"],
    "stats of one VM": ["stats", "-o", "csv", "--vm"],
    "export": ["export"],
    "top, a turn": ["top", "-b", "-i", "1", "-n"],
}


def cpu_of(pid):
    """Seconds that all threads of a process have run."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_once(program, words, daemon):
    """(s until it has ended, s of its CPU, s of the daemon's)"""
    before, spent = cpu_of(daemon.pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"} | {"VITALS_RUN_DIR": daemon.run_directory}
    begin = time.perf_counter()
    words = [*words, "--timeout", str(PATIENCE)]
    result = subprocess.run([program, *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    elapsed, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr[:1000]
    return elapsed, after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime, cpu_of(daemon.pid) - before


def measure(program, what, words, daemon, n):
    rows = []
    for _ in range(n):
        if what.startswith("top"):
            short, long = (run_once(program, [*words, str(turns)], daemon) for turns in (1, 1 + TURNS))
            rows.append([(more - less) / TURNS for less, more in zip(short, long, strict=True)])
        else:
            rows.append(run_once(program, words, daemon))
    return [1e3 * statistics.median(column) for column in zip(*rows, strict=True)]


def run(options):
    raise_limit_of_files()
    programs, vmms = Programs(), []
    try:
        vmms = start_vmms_of_two(options)
        daemon = programs.keep(Daemon(programs.directory, "--user", "root", "--group", "root"))
        assert daemon.ready, daemon.log()
        print(f"{options.processes * options.vms} VMs of 2 vCPUs; ms, medians of {options.runs}\n"
              f"{'':10} {'':24} {'time':>8} {'CPU':>8} {'daemon':>8}", flush=True)  # fmt: skip
        for what, words in VERBS.items():
            words = [*words, sorted(daemon.names())[0]] if words[-1] == "--vm" else words
            for when, build in ("before", options.before), ("now", options.build):
                if build:
                    figures = measure(build / "vitals", what, words, daemon, options.runs)
                    print(f"{when:10} {what:24} {figures[0]:8.0f} {figures[1]:8.0f} {figures[2]:8.0f}", flush=True)
    finally:
        programs.close()
        for vmm in vmms:
            vmm.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_options(parser)
    parser.add_argument("--before", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    os.environ.setdefault("VITALS", str(given.build / "vitals"))
    from support.daemon import Daemon
    from support.programs import Programs

    run(given)
