#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the tests of a build directory and counts the single cases.

The last line is `N passed, N failed, N skipped`. With --no-skips a skipped case counts as failed:
where KVM is known to be there, a test that did not find it is broken. With --emulate-kvm, where
/dev/kvm is not there, the suites that need it run in an emulated machine (emulated_kvm.py).
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
SUITES = ["unit", "wire", "hostile", "kvm", "bpf", "qemu"]
OF_KVM = ["kvm", "bpf", "qemu"]  # the suites that need /dev/kvm
EMULATED_SECONDS = 1500
EMULATED_SLOWNESS = 5  # how often the usual time a suite may take there


def has_kvm() -> bool:
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def run_suites(build: pathlib.Path, suites: list[str], emulated: bool) -> int:
    """Runs them with meson; its exit status."""
    command = ["meson", "test", "-C", str(build), "--print-errorlogs"]
    for suite in suites:
        command += ["--suite", suite]
    if emulated:
        print("No /dev/kvm here: running in an emulated machine:", *suites, flush=True)
        command += ["--no-rebuild", "--logbase", "emulated", "-t", str(EMULATED_SLOWNESS)]
        emulator = [str(HERE / "emulated_kvm.py"), "--write", str(build), "--cache",
                    str(build / "emulated-kvm"), "--seconds", str(EMULATED_SECONDS), "--"]  # fmt: skip
        command = emulator + command
    return subprocess.run(command, check=False).returncode


def read_cases(path: pathlib.Path) -> list[tuple[str, str]]:
    """The cases of a JUnit file: (name, 'passed' | 'failed' | 'skipped')."""
    cases = []
    for suite in ElementTree.parse(path).iter("testsuite"):
        for case in suite.iter("testcase"):
            name = f"{suite.get('name')}: {case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                cases.append((name, "failed"))
            elif case.find("skipped") is not None:
                cases.append((name, "skipped"))
            else:
                cases.append((name, "passed"))
    return cases


def collect(logs: pathlib.Path) -> list[tuple[str, str]]:
    """A pytest run is one test to meson; its own file has the single cases."""
    pytest_files = sorted(logs.glob("pytest-*.xml"))
    of_pytest = {path.stem.removeprefix("pytest-") for path in pytest_files}
    cases = [case for path in logs.glob("*.junit.xml") for case in read_cases(path)
             if case[0].rsplit(" / ", 1)[-1] not in of_pytest]
    for path in pytest_files:
        cases += read_cases(path)
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=pathlib.Path, help="a directory that meson has set up")
    parser.add_argument("--no-skips", action="store_true", help="a skipped case is a failure")
    parser.add_argument("--emulate-kvm", action="store_true",
                        help="without /dev/kvm: run what needs it in an emulated machine")  # fmt: skip
    parser.add_argument("--suite", action="append", choices=SUITES, help="only this suite of tests")
    options = parser.parse_args()

    logs = options.build / "meson-logs"
    for old in [*logs.glob("pytest-*.xml"), *logs.glob("*.junit.xml")]:
        old.unlink()
    start = time.monotonic()
    chosen = options.suite or SUITES
    emulated = [suite for suite in chosen
                if suite in OF_KVM and options.emulate_kvm and not has_kvm()]  # fmt: skip
    here = [suite for suite in chosen if suite not in emulated]
    status = run_suites(options.build, here, emulated=False) if here else 0
    if emulated:
        status = run_suites(options.build, emulated, emulated=True) or status
    seconds = time.monotonic() - start

    cases = collect(logs)
    count = {kind: sum(1 for case in cases if case[1] == kind)
             for kind in ("passed", "failed", "skipped")}
    for name, kind in cases:
        if kind != "passed":
            print(f"{kind}: {name}")
    if count["skipped"] and not has_kvm():
        print("No /dev/kvm here: 'make check-emulated' runs these in an emulated machine.")
    if options.no_skips:
        count["failed"] += count["skipped"]
    if status and not count["failed"]:
        count["failed"] = 1  # a test that broke off has no case of its own
    print(f"{options.build}: {len(cases)} cases in {seconds:.0f} s")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
