# SPDX-License-Identifier: MIT
"""A program and a library of different releases, in both directions.

The older program is built against the headers as they were at first, the newer program and the newer
library against headers in which each struct has a further member.
"""

import os
import pathlib
import re
import subprocess

import pytest

from grow_headers import growing_structs, read_structs

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ["VITALS_ABI"])
OLDER, NEWER = BUILT / "older-program", BUILT / "newer-program"
OURS = pathlib.Path(os.environ["VITALS_SHARED_LIBRARY"]).parent
GROWN = BUILT

STRUCTS = {}
for header in (ROOT / "include" / "vitals").glob("*.h"):
    STRUCTS |= read_structs(header.read_text("utf-8"))
FUNCTIONS = {
    "vitals_ctx_options": "vitals_ctx_new",
    "vitals_server_options": "vitals_server_new",
    "vitals_listen_options": "vitals_server_listen",
    "vitals_client_options": "vitals_server_add_client",
    "vitals_publish_options": "vitals_publish",
    "vitals_group_ops": "vitals_register",
    "vitals_stat": "vitals_register",
}
HAVE_NO_CONTEXT = ["vitals_ctx_new", "vitals_server_new"]


def run(program: pathlib.Path, library: pathlib.Path, tmp_path, asking: str = ""):
    """The program's exit status and what it prints, with the library of that directory."""
    environment = os.environ | {"LD_LIBRARY_PATH": str(library)}
    result = subprocess.run([program, tmp_path / "abi.sock", asking], env=environment, timeout=60,
                            check=False, capture_output=True, text=True)  # fmt: skip
    assert result.stderr == ""
    return result.returncode, result.stdout


def test_each_struct_can_grow_and_is_tried_here():
    assert growing_structs(STRUCTS) == set(STRUCTS), "a struct does not begin with its size"
    assert set(FUNCTIONS) == set(STRUCTS), "name it here, and fill it in program.c"


@pytest.mark.parametrize("program", [OLDER, NEWER], ids=["older", "newer"])
@pytest.mark.parametrize("library", [OURS, GROWN], ids=["ours", "grown"])
def test_a_program_of_any_release_runs_with_a_library_of_any(program, library, tmp_path):
    assert run(program, library, tmp_path) == (0, "answered\nreleased 1\n")


@pytest.mark.parametrize("struct", FUNCTIONS)
def test_what_only_a_newer_library_does_is_refused_by_ours(struct, tmp_path):
    status, text = run(NEWER, OURS, tmp_path, asking=struct)
    function = FUNCTIONS[struct]
    assert status == 3
    assert text.startswith(f"{function}: E2BIG: ")
    if function not in HAVE_NO_CONTEXT:
        assert re.search(rf"byte \d+ of the struct {struct} for {function}\(\) is 0x01", text)


@pytest.mark.parametrize("struct", FUNCTIONS)
def test_a_group_that_is_refused_is_released_once(struct, tmp_path):
    _, text = run(NEWER, OURS, tmp_path, asking=struct)
    expected = 1 if FUNCTIONS[struct] == "vitals_register" else 0
    assert text.endswith(f"released {expected}\n")


@pytest.mark.parametrize("struct", FUNCTIONS)
def test_the_newer_library_takes_what_it_knows(struct, tmp_path):
    assert run(NEWER, GROWN, tmp_path, asking=struct) == (0, "answered\nreleased 1\n")
