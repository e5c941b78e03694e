# SPDX-License-Identifier: MIT
"""What `vitals top -b` prints, as tables."""

import functools
import re
import subprocess

from support.programs import VITALS
from support.this_host import WITHOUT_VM

NAMES = {"VM", "OBJECT", "STATE", "BUSIEST"}  # columns that stand to the left


def cells(titles, line):
    """{title: text}: a number ends where its title does, all else begins there."""
    found = {}
    for title in re.finditer(r"\S+(?: \S+)*", titles):
        at = title.start() if title[0] in NAMES else title.end() - 1
        for cell in re.finditer(r"\S+(?:(?<=,) \S+| \S+)*", line):
            if cell.start() <= at < cell.end():
                found[title[0]] = cell[0]
    return found


def table(block):
    titles, *lines = block.splitlines()
    return [cells(titles, line) for line in lines]


class Report:
    """One turn: the line for all VMs is in `vms`, too."""

    def __init__(self, text):
        self.head, _, rest = text.partition("\n")
        first, *self.blocks = rest.strip("\n").split("\n\n")
        self.vms = {row["VM"]: row for row in table(first)}

    @functools.cached_property
    def objects(self):
        """Those of each VM: made of thousands of lines where there are as many VMs."""
        named = (block.partition("\n") for block in self.blocks)
        return {name: {row["OBJECT"]: row for row in table(block)} for name, _, block in named}


def reports(text):
    """Those that are whole, and perhaps the last one, too."""
    return [Report(part) for part in re.split(r"(?m)^\n(?=vitals top: )", text) if part]


def top(*words, width=200, environment=None, around=()):
    """The last report, from `vitals top -b` that must succeed."""
    command = [*around, VITALS, "top", "-b", *map(str, words)]
    env = WITHOUT_VM | {"COLUMNS": str(width)} | (environment or {})
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return reports(result.stdout)[-1]
