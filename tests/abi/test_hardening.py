# SPDX-License-Identifier: MIT
"""What `meson setup` asks of the compiler and the linker, so that a fault is harder to use."""

import os
import pathlib
import platform
import re
import subprocess

import pytest

PROGRAM, LIBRARY = os.environ["VITALS"], os.environ["VITALS_SHARED_LIBRARY"]
ARCHIVES = [os.environ["VITALS_STATIC_LIBRARY"], os.environ["VITALS_PROGRAM_ROOMS"]]
both = pytest.mark.parametrize("file", [PROGRAM, LIBRARY], ids=["program", "library"])


def read_elf(*arguments: str) -> str:
    return subprocess.run(["readelf", "-W", *arguments], check=True, capture_output=True, text=True).stdout


def find_segment(file: str, name: str) -> list[str]:
    """The words behind a segment's name."""
    return next(line.split()[1:] for line in read_elf("-l", file).splitlines()
                if line.split()[:1] == [name])  # fmt: skip


def undefined_symbols(file: str) -> set[str]:
    lines = subprocess.run(["nm", "-u", "--format=posix", file], check=True, capture_output=True, text=True).stdout
    return {line.split()[0].split("@")[0] for line in lines.splitlines() if not line.endswith(":")}


@both
def test_nothing_that_the_linker_fills_in_can_be_written_later(file: str):
    assert find_segment(file, "GNU_RELRO")
    dynamic = read_elf("-d", file)
    assert "BIND_NOW" in dynamic or re.search(r"FLAGS_1.*NOW", dynamic)


@both
def test_the_stack_is_not_executable(file: str):
    flags = find_segment(file, "GNU_STACK")[5:-1]
    assert "E" not in "".join(flags)


def test_the_program_has_no_address_of_its_own():
    assert "Type:                              DYN" in read_elf("-h", PROGRAM)


@pytest.mark.parametrize("file", ARCHIVES, ids=["library", "program"])
def test_functions_with_arrays_look_after_their_stack(file: str):
    assert "__stack_chk_fail" in undefined_symbols(file)


@pytest.mark.parametrize("file", ARCHIVES, ids=["library", "program"])
def test_libc_checks_sizes_that_the_compiler_knows(file: str):
    if "VITALS_FORTIFIED" not in os.environ:  # not optimized, or with a sanitizer
        return
    assert any(re.fullmatch(r"__\w+_chk", name) for name in undefined_symbols(file))


def has_cet(file: str) -> bool:
    """Of all objects in it, if it is an archive."""
    notes = read_elf("-n", file)
    properties = re.findall(r"Properties: .*IBT.*SHSTK", notes)
    return len(properties) == max(notes.count("File: "), 1)


@pytest.mark.parametrize("file", ARCHIVES, ids=["library", "program"])
def test_each_object_keeps_the_rules_of_cet(file: str):
    if platform.machine() != "x86_64":  # which has CET
        return
    assert has_cet(file)


@both
def test_the_linked_files_keep_the_rules_of_cet_where_libc_does(file: str, tmp_path: pathlib.Path):
    source, linked = tmp_path / "nothing.c", tmp_path / "nothing"
    source.write_text("int main(void) { return 0; }\n", "utf-8")
    option = ["-fcf-protection"] if platform.machine() == "x86_64" else []
    subprocess.run(["cc", *option, source, "-o", linked], check=True)
    assert has_cet(file) or not has_cet(str(linked))
