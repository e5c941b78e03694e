#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the tests of a build directory and counts the single cases.

The last line is `N passed, N failed, N skipped`. With --no-skips a skipped case counts as failed:
where KVM is known to be there, a test that did not find it is broken.
"""

import argparse
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree


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
    cases = [case for case in read_cases(logs / "testlog.junit.xml")
             if case[0].rsplit(" / ", 1)[-1] not in of_pytest]
    for path in pytest_files:
        cases += read_cases(path)
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=pathlib.Path, help="a directory that meson has set up")
    parser.add_argument("--no-skips", action="store_true", help="a skipped case is a failure")
    parser.add_argument("--suite", action="append", default=[], help="only this suite of tests")
    options = parser.parse_args()

    logs = options.build / "meson-logs"
    for old in [*logs.glob("pytest-*.xml"), logs / "testlog.junit.xml"]:
        old.unlink(missing_ok=True)
    command = ["meson", "test", "-C", str(options.build), "--print-errorlogs"]
    for suite in options.suite:
        command += ["--suite", suite]
    start = time.monotonic()
    status = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - start

    cases = collect(logs)
    count = {kind: sum(1 for case in cases if case[1] == kind)
             for kind in ("passed", "failed", "skipped")}
    for name, kind in cases:
        if kind != "passed":
            print(f"{kind}: {name}")
    if options.no_skips:
        count["failed"] += count["skipped"]
    if status and not count["failed"]:
        count["failed"] = 1  # a test that broke off has no case of its own
    print(f"{options.build}: {len(cases)} cases in {seconds:.0f} s")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
