# SPDX-License-Identifier: MIT
"""The rooms of src/ as HACKING.md's table has them, and what the sources include."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (beside it )?`(?:src|include)/(\w+)/` \| (.*) \|$", re.MULTILINE)
USES_ONLY = re.compile(r"\buses (?:nobody|only `(?:src|include)/(\w+)/`)")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Room:
    name: str
    step: int  # what stands further down has a larger one
    uses_only: frozenset[str] | None  # None: all that are below


def read_rooms(text):
    """By name, from the text of HACKING.md."""
    rooms, step = {}, 0
    for beside, name, job in ROW.findall(text):
        step += not beside
        promise = USES_ONLY.search(job)
        used = frozenset(filter(None, promise.groups())) if promise else None
        rooms[name] = Room(name, step, used)
    return rooms


def read_includes(source):
    """(file, header) of each quoted include, both relative to @source."""
    return [
        (path.relative_to(source).as_posix(), header)
        for path in sorted(source.glob("**/*.[chS]"))
        for header in INCLUDE.findall(path.read_text("utf-8"))
    ]


def why_wrong(user, used):
    """Why one room can't use the other, or None."""
    if user == used:
        return None
    if user.uses_only is not None and used.name not in user.uses_only:
        return f"{user.name} uses only {', '.join(user.uses_only) or 'itself'}"
    if used.step < user.step:
        return f"{used.name} stands above {user.name}"
    return f"{used.name} stands beside {user.name}" if used.step == user.step else None


def wrong_includes(rooms, includes, made):
    """A line for each. @made: the room of each header that the build makes."""
    lines = []
    for file, header in includes:
        names = file.split("/")[0], made.get(header, header.split("/")[0])
        missing = [name for name in names if name not in rooms]
        why = f"HACKING.md has no {missing[0]}" if missing else why_wrong(*map(rooms.get, names))
        if why:
            lines.append(f"{file} includes {header}: {why}")
    return lines
