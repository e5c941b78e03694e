# SPDX-License-Identifier: MIT
"""Cuts the text of a file into tokens. No token goes beyond its line, but for comment blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .source import Position, QapiError

BLOCK_MARK = "##"  # the first and the last line of a documentation comment

TOKEN = re.compile(r"""
    (?P<punctuation> [][{},:] )
  | '(?P<string> [^'\\]* )'
  | (?P<word> [a-z]+ )
  | (?P<rest> \#.* )
  | (?P<blank> \s+ )
""", re.VERBOSE)


@dataclass(frozen=True)
class Token:
    """kind: a punctuation mark itself, 'string', 'word', 'comment' or 'end'."""

    kind: str
    position: Position
    text: str = ""
    lines: list[str] = field(default_factory=list)  # of a comment

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end of the file"
        if self.kind == "comment":
            return "a documentation comment"
        return f"'{self.text}'"


def _line_tokens(position: Position, line: str) -> Iterator[Token]:
    at = 0
    while at < len(line):
        match = TOKEN.match(line, at)
        if not match:
            raise _bad_text(position, line[at:])
        at = match.end()
        text = match[match.lastgroup]
        if match.lastgroup == "punctuation":
            yield Token(text, position, text)
        elif match.lastgroup in ("string", "word"):
            yield Token(match.lastgroup, position, text)


def _bad_text(position: Position, text: str) -> QapiError:
    if text[0] == "'":
        return QapiError(position, f"string {text} is not closed or has a '\\'",
                         "plain text between two ' is expected, on one line")
    return QapiError(position, f"'{text[0]}' means nothing here",
                     "a string in single quotes, one of {}[],: or a comment is expected")


def _comment_text(position: Position, line: str) -> str:
    """What a line of a documentation comment says."""
    if not line.startswith("#"):
        raise QapiError(position, "the documentation comment ends without '##'",
                        "'##' is expected on the line behind its last")
    if line == "#":
        return ""
    if not line.startswith("# "):
        raise QapiError(position, f"the comment's text follows '#' at once: {line}",
                        "'# ' is expected")
    return line[2:]


def _take_block(file: str, lines: Iterator[tuple[int, str]], start: Position) -> Token:
    text: list[str] = []
    while True:
        number, line = next(lines)
        if line == BLOCK_MARK:
            return Token("comment", start, lines=text)
        text.append(_comment_text(Position(file, number), line))


def tokens(file: str, text: str) -> Iterator[Token]:
    """All tokens of a file. Comments other than documentation are left out."""
    lines = iter(enumerate(map(str.rstrip, [*text.rstrip("\n").split("\n"), ""]), start=1))
    number = 1
    for number, line in lines:
        position = Position(file, number)
        if line == BLOCK_MARK:
            yield _take_block(file, lines, position)
        elif line.startswith(BLOCK_MARK):
            raise QapiError(position, f"a documentation comment starts with text: {line}",
                            "'##' alone is expected")
        else:
            yield from _line_tokens(position, line)
    yield Token("end", Position(file, number - 1))
