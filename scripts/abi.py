#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares what a program sees of a shared library with what was recorded of it, by libabigail.

abi.py record LIBRARY HEADERS       prints what it has, for `check`
abi.py check RECORD LIBRARY HEADERS says what differs, and exits with 1; functions may be added,
                                    and constants behind the others of an enum

A library without debugging information shows its symbols only, and is refused.
"""

import subprocess
import sys
import tempfile

# Without the library's own types, of which programs see names only, and without where things are declared.
PUBLIC = ["--exported-interfaces-only", "--drop-private-types", "--no-show-locs", "--no-comp-dir-path",
          "--no-corpus-path", "--no-elf-needed"]  # fmt: skip

HINT = """
Programs that exist may no longer run with this library. If they do, because a struct only grew at its
end (HACKING.md), record it: make abi-record
"""


def run(*command: str) -> subprocess.CompletedProcess:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode < 0 or result.returncode & 3:  # an error of its own, or of its usage
        sys.exit(f"{command[0]}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def check_debugging_information(library: str) -> None:
    sections = run("readelf", "--section-headers", "--wide", library).stdout
    if ".debug_info" not in sections:
        sys.exit(f"{library} has no debugging information")


def read(library: str, headers: str) -> str:
    check_debugging_information(library)
    return run("abidw", *PUBLIC, "--headers-dir", headers, library).stdout


def check(recorded: str, library: str, headers: str) -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".abi", encoding="utf-8") as now:
        now.write(read(library, headers))
        now.flush()
        result = run("abidiff", "--no-added-syms", recorded, now.name)
    if result.returncode:
        print(result.stdout + HINT, end="")
    return int(result.returncode != 0)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "record":
        print(read(*sys.argv[2:]), end="")
        sys.exit(0)
    if len(sys.argv) == 5 and sys.argv[1] == "check":
        sys.exit(check(*sys.argv[2:]))
    sys.exit(__doc__)
