# SPDX-License-Identifier: MIT
"""What a program can link to: the functions that the headers declare, and nothing else."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
# pylint: disable=wrong-import-position
from static_library import read_public_symbols

VERSION_SCRIPT = ROOT / "src" / "libvitals.map"


def declared_functions() -> list[str]:
    names = []
    for header in sorted((ROOT / "include" / "vitals").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text("utf-8"), flags=re.S)
        text = re.sub(r"\\\n", "", text)
        text = re.sub(r"^\s*#.*$", "", text, flags=re.M)
        text = re.sub(r"\b(struct|enum) \w+ \{.*?\};", "", text, flags=re.S)
        names += re.findall(r"(\w+)\s*\([^;{}]*\);", text)
    return sorted(names)


def defined_symbols(library: str, *options: str) -> list[str]:
    """The names of the global symbols that a library brings, without those of versions."""
    result = subprocess.run(["nm", "--defined-only", "--format=posix", *options, library],
                            check=True, capture_output=True, text=True)  # fmt: skip
    symbols = [line.split() for line in result.stdout.splitlines() if not line.endswith(":")]
    return sorted(words[0].split("@")[0] for words in symbols if words[1] != "A")


def test_each_function_of_the_headers_is_in_the_version_script():
    functions = declared_functions()
    assert "vitals_register" in functions and "vitals_row" in functions
    assert all(name.startswith("vitals_") for name in functions)
    assert sorted(read_public_symbols(VERSION_SCRIPT)) == functions


def test_the_version_script_names_symbols_one_by_one():
    text = VERSION_SCRIPT.read_text("utf-8")
    exported = text.split("local:")[0].split("global:")[1]
    assert "*" not in exported and "?" not in exported and "[" not in exported


def test_the_shared_library_has_the_functions_of_the_headers_and_no_others():
    assert defined_symbols(os.environ["VITALS_SHARED_LIBRARY"], "-D") == declared_functions()


def test_the_static_library_has_the_functions_of_the_headers_and_no_others():
    assert defined_symbols(os.environ["VITALS_STATIC_LIBRARY"], "-g") == declared_functions()


def test_each_function_that_can_fail_has_a_test_of_its_text():
    headers = "".join(path.read_text("utf-8") for path in (ROOT / "include" / "vitals").glob("*.h")
                      if path.name != "ffi.h")  # which has no place for a text
    can_fail = set(re.findall(r"^int (vitals_\w+)\(", headers, flags=re.M))
    test = (ROOT / "tests" / "unit" / "test_error_texts.c").read_text("utf-8")
    tried = set(re.findall(r'\{"(vitals_\w+)"', test)) | set(re.findall(r"(vitals_server_take_over)\(", test))
    assert can_fail - {"vitals_server_fd"} == tried


def test_pkg_config_names_what_the_static_library_needs(tmp_path):
    """In a directory without the shared one, so that the linker takes it."""
    library = pathlib.Path(os.environ["VITALS_STATIC_LIBRARY"]).resolve()
    (tmp_path / library.name).symlink_to(library)
    asked = ["pkg-config", "--libs", "--static", f"--define-variable=libdir={tmp_path}",
             library.parents[1] / "meson-private" / "vitals.pc"]  # fmt: skip
    flags = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
    assert "-ljson-c" in flags
    if "VITALS_SANITIZED" in os.environ:  # the library needs the sanitizer's, which it does not name
        return
    program = tmp_path / "provider"
    subprocess.run(["cc", "-I", ROOT / "include", ROOT / "examples" / "provider.c", *flags,
                    "-o", program], check=True)  # fmt: skip
    linked = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    assert "libvitals" not in linked and "libjson-c" in linked
