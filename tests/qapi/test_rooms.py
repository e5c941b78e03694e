# SPDX-License-Identifier: MIT
"""Who may use whom: HACKING.md says it, and each #include of src/ keeps to it."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
# pylint: disable=wrong-import-position
from support.rooms import read_includes, read_rooms, wrong_includes

SOURCE = ROOT / "src"
# By qapi_gen.py and by bpftool, into the build directory.
MADE = {"qapi_commands.h": "qmp", "qapi_host.h": "serve", "qapi_register.h": "serve",
        "web_page.h": "web", "kvm_files.skel.h": "bpf", "threads.skel.h": "bpf"}

LIST = """
| folder | job |
|---|---|
| `scripts/` | no room |
| `src/attic/` | sees all |
| `src/hall/` | with a door |
| beside it `src/stairs/` | uses only `include/street/` |
| `src/cellar/` | tools; uses nobody |
| `include/street/` | where all others pass |
"""


def rooms_of_the_tree():
    return read_rooms((ROOT / "HACKING.md").read_text("utf-8"))


def test_each_room_is_in_the_list():
    """And the list has no room that is gone."""
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert set(rooms_of_the_tree()) == folders | {"vitals"}


def test_each_include_points_down_the_list():
    includes = read_includes(SOURCE)
    assert {file.split("/")[0] for file, _ in includes} == set(rooms_of_the_tree()) - {"vitals"}
    assert wrong_includes(rooms_of_the_tree(), includes, MADE) == []


@pytest.mark.parametrize(
    "file, header, why",
    [
        ("attic/roof.c", "hall/door.h", None),
        ("attic/roof.c", "stairs/rail.h", None),
        ("attic/roof.c", "street/lamp.h", None),
        ("hall/door.c", "hall/door.h", None),
        ("hall/door.c", "made.h", None),
        ("stairs/rail.c", "street/lamp.h", None),
        ("hall/door.c", "attic/roof.h", "attic stands above hall"),
        ("hall/door.c", "stairs/rail.h", "stairs stands beside hall"),
        ("stairs/rail.c", "hall/door.h", "stairs uses only street"),
        ("stairs/rail.c", "cellar/shelf.h", "stairs uses only street"),
        ("cellar/shelf.c", "street/lamp.h", "cellar uses only itself"),
        ("cellar/shelf.c", "made.h", "cellar uses only itself"),
        ("hall/door.c", "garden/gate.h", "HACKING.md has no garden"),
        ("garden/gate.c", "hall/door.h", "HACKING.md has no garden"),
        ("hall/door.c", "door.h", "HACKING.md has no door.h"),
    ],
)
def test_what_is_wrong_with_an_include(file, header, why):
    wrong = wrong_includes(read_rooms(LIST), [(file, header)], {"made.h": "hall"})
    assert wrong == ([f"{file} includes {header}: {why}"] if why else [])
