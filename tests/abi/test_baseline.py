# SPDX-License-Identifier: MIT
"""The shared library beside what was recorded of it: functions, their parameters, structs and enums.

Whether programs built with other headers run is tried in test_releases.py; here none that could harm them goes unseen.
"""

import os
import pathlib
import platform
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ABI = ROOT / "scripts" / "abi.py"
RECORD = pathlib.Path(__file__).with_name("libvitals-0.1.abi")
HEADERS = ROOT / "include" / "vitals"
OURS = os.environ["VITALS_SHARED_LIBRARY"]
GROWN = pathlib.Path(os.environ["VITALS_ABI"]) / pathlib.Path(OURS).name


def run(*arguments):
    return subprocess.run([sys.executable, ABI, *arguments], capture_output=True, text=True,
                          check=False)  # fmt: skip


if platform.machine() == "x86_64":  # of which the record is

    def test_the_library_is_as_it_was_recorded():
        result = run("check", RECORD, OURS, HEADERS)
        assert (result.returncode, result.stdout + result.stderr) == (0, "")

    def test_one_whose_structs_have_grown_is_to_be_recorded_again():
        result = run("check", RECORD, GROWN, HEADERS)
        assert result.returncode == 1 and "'uint64_t grown'" in result.stdout
        assert "make abi-record" in result.stdout


# ---- what is found -------------------------------------------------------------------------------

HEADER = """
#include <stddef.h>
enum color { RED, GREEN };
struct options { size_t size; int count; enum color color; };
int take(const struct options *options, int how);
int give(void);
"""
SOURCE = """
#include "lib.h"
int take(const struct options *options, int how) { return options->count + how; }
int give(void) { return 1; }
"""
UNSEEN = {
    "nothing": [],
    "an enumerator behind the others": [("GREEN", "GREEN, BLUE")],
    "a function more": [("int give(void) {", "int other(void) { return 2; }\nint give(void) {")],
}
SEEN = {
    "a member behind the others": [("color color;", "color color; long more;")],
    "a member in between": [("int count;", "int more; int count;")],
    "a member's type": [("int count;", "long count;")],
    "an enumerator in between": [("RED,", "RED, BLUE,")],
    "a parameter more": [("int how)", "int how, int why)")],
    "a result": [("int give", "long give")],
    "a function less": [("int give(void) { return 1; }", ""), ("int give(void);", "")],
}


def build(directory, changes):
    directory.mkdir()
    header, source = HEADER, SOURCE
    for old, new in changes:
        header = header.replace(old, new) if "{ return" not in new else header
        source = source.replace(old, new)
    (directory / "lib.h").write_text(header, "utf-8")
    (directory / "lib.c").write_text(source, "utf-8")
    library = directory / "libtry.so.0"
    subprocess.run(["cc", "-g", "-shared", "-fPIC", directory / "lib.c", "-o", library], check=True)
    return library


def compare(tmp_path, changes):
    record = tmp_path / "record.abi"
    recorded = run("record", build(tmp_path / "old", []), tmp_path / "old")
    record.write_text(recorded.stdout, "utf-8")
    return run("check", record, build(tmp_path / "new", changes), tmp_path / "new")


@pytest.mark.parametrize("change", UNSEEN)
def test_what_is_not(change, tmp_path):
    assert compare(tmp_path, UNSEEN[change]).returncode == 0


@pytest.mark.parametrize("change", SEEN)
def test_what_is_seen(change, tmp_path):
    result = compare(tmp_path, SEEN[change])
    assert result.returncode == 1 and result.stdout


def test_a_library_that_can_not_be_compared_is_an_error(tmp_path):
    library = build(tmp_path / "old", [])
    subprocess.run(["strip", library], check=True)
    result = run("record", library, tmp_path)
    assert result.returncode == 1 and "has no debugging information" in result.stderr
    assert run("check", tmp_path / "none.abi", OURS, HEADERS).returncode == 1
