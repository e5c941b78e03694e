# SPDX-License-Identifier: MIT
"""Documentation comments: the parts of one, and where they may stand.

A comment that begins with `@name:` documents the definition that follows. It has, in this order
and each set off by a blank line: the name, alone; an overview; the members, each as `@name: text`;
under `Features:` the features, in the same form; and sections such as `Since:`. What belongs to a
member or a section and is not on its first line is indented.

Any other comment is text for the manual. It can begin with a heading, `= Title`.
"""

import re
import textwrap
from dataclasses import dataclass, field

from .source import Position, QapiError

SECTIONS = ("Returns", "Errors", "Note", "Example", "Since")
NAME_TAG = re.compile(r"@([\w-]+):\s*(.*)")
SECTION_TAG = re.compile(r"([A-Z]\w*):(?:\s+(.*))?")


@dataclass
class Part:
    """Text under a name: that of a member, a feature or a section."""

    position: Position
    label: str
    first_line: str = ""
    more_lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The text without its indentation."""
        more = textwrap.dedent("\n".join(self.more_lines))
        return f"{self.first_line}\n{more}".strip("\n")


@dataclass
class Comment:
    """A documentation comment. name: of its definition, or None: it is text for the manual."""

    position: Position
    name: str | None = None
    title: str | None = None
    overview: list[str] = field(default_factory=list)
    members: dict[str, Part] = field(default_factory=dict)
    features: dict[str, Part] = field(default_factory=dict)
    sections: dict[str, Part] = field(default_factory=dict)

    def overview_text(self) -> str:
        """The overview in one string."""
        return "\n".join(self.overview).strip("\n")

    def section_text(self, name: str) -> str:
        """The text of a section, or ''."""
        return self.sections[name].text() if name in self.sections else ""


class _DefinitionComment:
    """Takes the lines of a definition's comment one by one."""

    def __init__(self, comment: Comment) -> None:
        self.comment = comment
        self.part: Part | None = None  # None: the overview
        self.names = comment.members  # what a @name: goes to
        self.behind_blank = True

    def take(self, position: Position, line: str) -> None:
        """The next line."""
        name = NAME_TAG.fullmatch(line)
        section = self.behind_blank and SECTION_TAG.fullmatch(line)
        if not line:
            self._add_text(line)
        elif name:
            self._start_name(position, name[1], name[2])
        elif section:
            self._start_section(position, section[1], section[2] or "")
        else:
            self._check_text(position, line)
            self._add_text(line)
        self.behind_blank = not line

    def _start_name(self, position: Position, name: str, text: str) -> None:
        if self.part is None and not self.behind_blank:
            raise QapiError(position, f"'@{name}:' follows the overview at once",
                            "a blank line is expected between an overview and its members")
        if self.comment.sections:
            raise QapiError(position, f"'@{name}:' comes behind a section",
                            "members and features are expected before all sections")
        if name in self.names:
            raise QapiError(position, f"'@{name}:' is described twice", "once is expected")
        self.part = Part(position, f"@{name}:", text)
        self.names[name] = self.part

    def _start_section(self, position: Position, name: str, text: str) -> None:
        if name == "Features":
            self.names = self.comment.features
            self.part = Part(position, "Features:")
            return
        if name not in SECTIONS:
            raise QapiError(position, f"'{name}:' is no section",
                            f"one of {', '.join(SECTIONS)}, Features is expected")
        if name in self.comment.sections:
            raise QapiError(position, f"section '{name}:' comes twice", "once is expected")
        self.part = Part(position, f"{name}:", text)
        self.comment.sections[name] = self.part

    def _check_text(self, position: Position, line: str) -> None:
        tag = SECTION_TAG.fullmatch(line)
        if tag and tag[1] in (*SECTIONS, "Features"):
            raise QapiError(position, f"'{tag[1]}:' follows other text at once",
                            "a blank line is expected before a section")
        if self.part and not line.startswith(" "):
            raise QapiError(position, f"text below '{self.part.label}' is not indented",
                            "text of a member or section is expected to be")

    def _add_text(self, line: str) -> None:
        (self.part.more_lines if self.part else self.comment.overview).append(line)


def _check_parts(comment: Comment) -> None:
    if not comment.overview_text():
        raise QapiError(comment.position, f"the comment of '{comment.name}' has no overview",
                        "a sentence on what it is for is expected below the name")
    for parts in (comment.members, comment.features, comment.sections):
        for part in parts.values():
            if not part.text():
                raise QapiError(part.position, f"'{part.label}' has no text",
                                "a description is expected")


def _parse_definition_comment(comment: Comment, lines: list[str]) -> None:
    name = NAME_TAG.fullmatch(lines[0])
    first = Position(comment.position.file, comment.position.line + 1)
    if not name or name[2] or (lines[1:] and lines[1]):
        raise QapiError(first, f"the comment starts with '{lines[0]}'",
                        "'@name:' alone on a line is expected, and a blank line below")
    comment.name = name[1]
    parser = _DefinitionComment(comment)
    for number, line in enumerate(lines[1:], start=first.line + 1):
        parser.take(Position(first.file, number), line)
    _check_parts(comment)


def parse_comment(position: Position, lines: list[str]) -> Comment:
    """The parts of a comment; @position is that of its first '##'."""
    comment = Comment(position)
    if lines and lines[0].startswith("@"):
        _parse_definition_comment(comment, lines)
        return comment
    if lines and lines[0].startswith("= "):
        comment.title = lines.pop(0)[2:]
    comment.overview = lines
    return comment
