# SPDX-License-Identifier: MIT
"""Reads a file and all that it includes into a list of expressions with their comments."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Union

from .comments import Comment, parse_comment
from .lexer import Token, tokens
from .source import Position, QapiError

Value = Union[str, bool, list["Node"], dict[str, "Node"]]


@dataclass(frozen=True)
class Node:
    """A value of the language, and where it starts."""

    position: Position
    value: Value

    def _expect(self, kind: type, what: str, expected: str) -> Value:
        if not isinstance(self.value, kind):
            found = {str: "a string", bool: "true or false", list: "a list", dict: "an object"}
            raise QapiError(self.position, f"{what} is {found[type(self.value)]}",
                            f"{expected} is expected")
        return self.value

    def string(self, what: str) -> str:
        """The value as a string; @what it is, for the error."""
        return self._expect(str, what, "a string")

    def flag(self, what: str) -> bool:
        """The value as true or false."""
        return self._expect(bool, what, "true or false")

    def list(self, what: str) -> list["Node"]:
        """The value as a list."""
        return self._expect(list, what, "a list")

    def object(self, what: str) -> dict[str, "Node"]:
        """The value as an object."""
        return self._expect(dict, what, "an object")


@dataclass(frozen=True)
class Expression:
    """A definition as it is written."""

    node: Node
    comment: Comment | None


@dataclass
class Pragmas:
    """Names that stand in pragmas, each with the place where it does."""

    command_name_exceptions: dict[str, Position] = field(default_factory=dict)
    member_name_exceptions: dict[str, Position] = field(default_factory=dict)
    open_enums: dict[str, Position] = field(default_factory=dict)


@dataclass
class Parsed:
    """Everything that was read. items: definitions and texts for the manual, in their order."""

    items: list[Expression | Comment] = field(default_factory=list)
    pragmas: Pragmas = field(default_factory=Pragmas)
    files: list[str] = field(default_factory=list)


class _ValueParser:
    """The grammar: that of JSON, with other strings and without numbers."""

    def __init__(self, file: str, text: str) -> None:
        self._tokens = tokens(file, text)
        self.token = next(self._tokens)

    def advance(self) -> Token:
        """Takes the current token."""
        taken = self.token
        if taken.kind != "end":
            self.token = next(self._tokens)
        return taken

    def _unexpected(self, expected: str) -> QapiError:
        return QapiError(self.token.position, f"{self.token} is out of place",
                         f"{expected} is expected")

    def value(self) -> Node:
        """Any value."""
        position = self.token.position
        if self.token.kind == "{":
            return Node(position, self._object())
        if self.token.kind == "[":
            return Node(position, self._list())
        if self.token.kind == "string":
            return Node(position, self.advance().text)
        if self.token.kind == "word" and self.token.text in ("true", "false"):
            return Node(position, self.advance().text == "true")
        raise self._unexpected("a string, '{', '[', true or false")

    def _sequence(self, end: str, take_one: Callable[[], None]) -> None:
        """Takes an opening bracket, what is separated by commas, and the closing @end."""
        self.advance()
        if self.token.kind != end:
            take_one()
            while self.token.kind == ",":
                self.advance()
                take_one()
        if self.token.kind != end:
            raise self._unexpected(f"',' or '{end}'")
        self.advance()

    def _list(self) -> list[Node]:
        elements: list[Node] = []
        self._sequence("]", lambda: elements.append(self.value()))
        return elements

    def _object(self) -> dict[str, Node]:
        members: dict[str, Node] = {}

        def take_member() -> None:
            if self.token.kind != "string":
                raise self._unexpected("a key, which is a string,")
            key = self.advance()
            if key.text in members:
                raise QapiError(key.position, f"key '{key.text}' is there twice",
                                "once is expected")
            if self.token.kind != ":":
                raise self._unexpected(f"':' behind key '{key.text}'")
            self.advance()
            members[key.text] = self.value()

        self._sequence("}", take_member)
        return members

    def expression(self) -> Node:
        """An object that stands by itself."""
        if self.token.kind != "{":
            raise self._unexpected("'{'")
        return self.value()


class _Reader:
    """Goes through a file, and through what it includes."""

    def __init__(self) -> None:
        self.parsed = Parsed()
        self._open_files: list[str] = []
        self._read_files: set[str] = set()

    def read(self, file: str, included_at: Position | None) -> None:
        """Reads a file, unless it has been read."""
        real_path = os.path.realpath(file)
        position = included_at or Position(file, 1)
        if real_path in self._open_files:
            raise QapiError(position, f"'{file}' includes itself, maybe through others",
                            "a tree of files is expected")
        if real_path in self._read_files:
            return
        try:
            with open(file, encoding="ascii") as opened:
                text = opened.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
            raise QapiError(position, f"'{file}' can't be read: {reason}",
                            "a schema file is expected") from error
        self._open_files.append(real_path)
        self._read_text(file, text)
        self._open_files.pop()
        self._read_files.add(real_path)
        self.parsed.files.append(file)

    def _read_text(self, file: str, text: str) -> None:
        parser = _ValueParser(file, text)
        comment: Comment | None = None
        while parser.token.kind != "end":
            if parser.token.kind == "comment":
                _check_attached(comment)
                token = parser.advance()
                comment = self._take_comment(parse_comment(token.position, token.lines))
            else:
                self._take_expression(file, parser.expression(), comment)
                comment = None
        _check_attached(comment)

    def _take_comment(self, comment: Comment) -> Comment | None:
        if comment.name:
            return comment
        self.parsed.items.append(comment)
        return None

    def _take_expression(self, file: str, node: Node, comment: Comment | None) -> None:
        members = node.object("an expression")
        if "include" not in members and "pragma" not in members:
            self.parsed.items.append(Expression(node, comment))
            return
        _check_attached(comment)
        if len(members) != 1:
            raise QapiError(node.position, "an include or pragma has other keys besides",
                            "one key is expected")
        if "include" in members:
            name = members["include"].string("the value of 'include'")
            self.read(os.path.join(os.path.dirname(file), name), node.position)
        else:
            self._take_pragmas(members["pragma"])

    def _take_pragmas(self, node: Node) -> None:
        for name, value in node.object("the value of 'pragma'").items():
            if name not in ("command-name-exceptions", "member-name-exceptions", "open-enums"):
                raise QapiError(value.position, f"there is no pragma '{name}'",
                                "'command-name-exceptions', 'member-name-exceptions' or "
                                "'open-enums' is expected")
            names = getattr(self.parsed.pragmas, name.replace("-", "_"))
            for element in value.list(f"pragma '{name}'"):
                names[element.string(f"an element of pragma '{name}'")] = element.position


def _check_attached(comment: Comment | None) -> None:
    if comment:
        raise QapiError(comment.position, f"no definition follows the comment of '{comment.name}'",
                        "it is expected directly before its definition")


def parse(file: str) -> Parsed:
    """Reads a file and all that it includes."""
    reader = _Reader()
    reader.read(file, None)
    return reader.parsed
