# SPDX-License-Identifier: MIT
"""Places in a schema's files, and errors about them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class QapiError(Exception):
    """Something is wrong with a schema."""

    def __init__(self, position: Position, problem: str, expected: str) -> None:
        super().__init__(f"{position}: {problem}; {expected}")
