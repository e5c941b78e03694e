# SPDX-License-Identifier: MIT
"""What the manual pages promise, for the tests that hold the program to it."""

import os
import re

from support.programs import ROOT

DOCS = ROOT / "docs"

# What the words in capitals of vitals-messages(7) stand for.
PLACEHOLDERS = {
    "PATH": "[^:]+",
    "WORD": "[^']*",
    "OPTION": "--?[a-z]+",
    "KIND": "target|format|order|preset",
    "COMMAND": "q[a-z_-]+",
    "N": "[0-9]+",
    "SECONDS": "[0-9.]+",
    "VERSION": r"[0-9]+\.[0-9]+\.[0-9]+",
    "REASON": ".+",
    "ERROR": "|".join(re.escape(os.strerror(i)) for i in range(1, 134)),
}


def page(name):
    return (DOCS / f"{name}.scd").read_text("utf-8")


def section(name, title):
    """The text below a title."""
    return re.search(rf"^# {title}\n(.*?)(?=^# |\Z)", page(name), re.MULTILINE | re.DOTALL)[1]


def messages():
    """The messages of vitals-messages(7), as they stand there."""
    heads = re.findall(r"^\*(.+)\*\n\t", page("vitals-messages.7"), re.MULTILINE)
    return [message for head in heads for message in head.split("*, *")]


def message_pattern(message, placeholders=PLACEHOLDERS):
    """A regular expression for a message of the page."""
    words = re.split(rf"\b({'|'.join(placeholders)})\b", message)
    return "".join(
        f"(?:{placeholders[word]})" if i % 2 else re.escape(word) for i, word in enumerate(words)
    )


def json_members(name):
    """The members that the section JSON of a page names, in order: a list for each table."""
    tables = section(name, "JSON").split("[[ *Member*")[1:]
    rows = [re.findall(r"^\|  (.+)$", table, re.MULTILINE) for table in tables]
    return [[name for row in table for name in re.split(", | or ", row)] for table in rows]


def csv_columns(name):
    """The columns that the section CSV of a page names: a list for each paragraph of them."""
    paragraphs = re.split(r"\n\n+", section(name, "CSV").strip())
    lists = [text.replace("\n", " ").split(", ") for text in paragraphs]
    return [
        [word.strip("_") for word in words]
        for words in lists
        if all(re.fullmatch("_[a-z_]+_", word) for word in words)
    ]
