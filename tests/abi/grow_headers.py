#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the public headers as a later release may have them: each struct with a further member.

Also C code that does not compile if a struct of the headers as they are ends with padding. A member
that would be appended there would not change the struct's size, and would be read where programs that
exist have garbage.
"""

import argparse
import pathlib
import re
import sys

STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)\n\};", re.M | re.S)
NEW_MEMBER = "uint64_t grown;"


def read_structs(header: str) -> dict[str, list[str]]:
    """The members of each struct that a header lays open: its name and their declarations."""
    return {name: [" ".join(member.split())
                   for member in re.sub(r"/\*.*?\*/", "", body, flags=re.S).split(";")
                   if member.strip()]
            for name, body in STRUCT.findall(header)}  # fmt: skip


def growing_structs(structs: dict[str, list[str]]) -> set[str]:
    """Those whose size the library is told: by themselves, or as size_t x_size for an array."""
    strides = re.findall(r"size_t (\w+)_size;", ";".join(sum(structs.values(), [])) + ";")
    return {name for name, members in structs.items()
            if members[0] == "size_t size" or name.removeprefix("vitals_") in strides}  # fmt: skip


def member_name(declaration: str) -> str:
    function = re.search(r"\(\*(\w+)\)", declaration)
    return function[1] if function else re.search(r"(\w+)(\[.*\])?$", declaration)[1]


def grow(header: str, growing: set[str]) -> str:
    def append(match: re.Match) -> str:
        name, body = match.groups()
        return f"struct {name} {{\n{body}\n    {NEW_MEMBER}\n}};" if name in growing else match[0]

    return STRUCT.sub(append, header)


def padding_checks(structs: dict[str, list[str]]) -> str:
    lines = ["/* Made by grow_headers.py. */", '#include "vitals/vitals.h"']
    for name, members in structs.items():
        last = member_name(members[-1])
        lines.append(f"_Static_assert(offsetof(struct {name}, {last}) + "
                     f"sizeof(((struct {name} *)0)->{last}) == sizeof(struct {name}), "
                     f'"padding behind the last member of struct {name}: append one that fills it");')  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("directory", type=pathlib.Path, help="where the headers go")
    parser.add_argument("checks", type=pathlib.Path, help="where the checks of padding go")
    parser.add_argument("all", type=pathlib.Path, help="where a header goes that includes them")
    parser.add_argument("headers", type=pathlib.Path, nargs="+")
    options = parser.parse_args()

    texts = {path.name: path.read_text("utf-8") for path in options.headers}
    structs = {}
    for text in texts.values():
        structs |= read_structs(text)
    options.directory.mkdir(exist_ok=True)
    for name, text in texts.items():
        (options.directory / name).write_text(grow(text, growing_structs(structs)), "utf-8")
    options.checks.write_text(padding_checks(structs), "utf-8")
    includes = "".join(f'#include "vitals/{name}"\n' for name in texts)
    options.all.write_text(f"/* Made by grow_headers.py. */\n{includes}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
