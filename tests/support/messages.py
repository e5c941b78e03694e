# SPDX-License-Identifier: MIT
"""The messages in the sources, for the test that compares them with the manual."""

import re

from support import manual
from support.programs import ROOT

SOURCES = ROOT / "src"
LOOKING = ["describe", "diff", "doctor", "export", "hist", "list", "schemas", "snap", "stats", "top"]

# What says a message, and which argument has the text: (name, files, number).
SAYING = [
    ("client_fail", ["client/*.c", "look/*.c", "cli/cmd_top.c"], 3),
    ("look_fail", ["look/*.c", "cli/*.c"], 2),
    ("cli_usage_error", ["look/*.c", "args/values.c", "cli/main.c", *(f"cli/cmd_{v}.c" for v in LOOKING)], 1),
    ("fprintf", ["look/*.c", "args/values.c", *(f"cli/cmd_{v}.c" for v in LOOKING)], 1),
]

LITERAL = r'"(?:[^"\\]|\\.)*"'
CONVERSION = r"%[-+ #0]*[0-9]*(?:\.[0-9]+)?(?:hh|h|ll|l|z)?[a-zA-Z]"

# What stands in a text where a message of the manual has a word in capitals.
PLACEHOLDERS = {word: CONVERSION for word in manual.PLACEHOLDERS} | {
    "OPTION": f"{CONVERSION}|--?[a-z]+",
    "KIND": CONVERSION,
    "COMMAND": f"{CONVERSION}|query-[a-z-]+",
    "VERSION": rf"{CONVERSION}\.{CONVERSION}\.{CONVERSION}",
    "REASON": f"{CONVERSION}|(?:{CONVERSION}|[0-9.]+) to {CONVERSION}|table json(?: csv)?",
}


def arguments(text):
    """Those of a call, of which @text begins behind the parenthesis."""
    found, depth = [""], 0
    for token in re.findall(rf"{LITERAL}|.", text, re.DOTALL):
        depth += (token in "([{") - (token in ")]}")
        if depth < 0:
            return [argument.strip() for argument in found]
        if token == "," and depth == 0:
            found.append("")
        else:
            found[-1] += token
    raise AssertionError(f"a call without an end: {text[:60]}")


def literal(argument):
    """The text of literals that stand side by side, or None: it is something else."""
    if not re.fullmatch(rf"(?:{LITERAL}\s*)+", argument):
        return None
    text = "".join(part[1:-1] for part in re.findall(LITERAL, argument))
    return text.replace(r"\n", "\n").replace(r"\"", '"')


def calls(name, path):
    """The arguments of each call of a function; its own definition is none."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
    for match in re.finditer(rf"\b{name}\(", text):
        found = arguments(text[match.end() :])
        if not found[0].startswith(("struct ", "const ")):
            yield found


def first_line(text):
    """What fprintf() prints of a message behind the verb's name; None: it prints something else."""
    match = re.match(r"%s: (.*)\n", text)
    return match[1] if match and match[1] != "%s" else None


def messages():
    """(file, text as printf() takes it) of each message."""
    for name, patterns, number in SAYING:
        for path in sorted({path for pattern in patterns for path in SOURCES.glob(pattern)}):
            for found in calls(name, path):
                text = literal(found[number])
                assert text is not None, f"{path}: {name}() with a text from elsewhere: {found}"
                text = first_line(text) if name == "fprintf" else text
                if text is not None:
                    yield path.name, text


def stands_in_manual(text):
    return any(
        re.fullmatch(manual.message_pattern(entry, PLACEHOLDERS), text)
        for entry in manual.messages()
    )
