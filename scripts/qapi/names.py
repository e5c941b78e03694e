# SPDX-License-Identifier: MIT
"""What things may be called."""

import re

from .parser import Pragmas
from .source import Position, QapiError

TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")
COMMAND_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MEMBER_NAME = COMMAND_NAME
ENUM_VALUE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
PREFIX = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
EXCEPTIONAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def check_type_name(position: Position, name: str) -> None:
    """Types are in CamelCase; some endings are taken by what QEMU generates."""
    if not TYPE_NAME.fullmatch(name):
        raise QapiError(position, f"'{name}' is no name for a type", "CamelCase is expected")
    if name.endswith(("Kind", "List")):
        raise QapiError(position, f"the type name '{name}' ends in 'Kind' or 'List'",
                        "another ending is expected, these are reserved")


def check_command_name(position: Position, name: str, pragmas: Pragmas) -> None:
    """Commands are in lower case, with dashes."""
    excepted = name in pragmas.command_name_exceptions and EXCEPTIONAL_NAME.fullmatch(name)
    if not excepted and not COMMAND_NAME.fullmatch(name):
        raise QapiError(position, f"'{name}' is no name for a command",
                        "lower case letters, digits and '-' are expected, or a pragma "
                        "'command-name-exceptions'")


def check_member_name(position: Position, owner: str, name: str, pragmas: Pragmas) -> None:
    """Members and branches are in lower case, with dashes."""
    excepted = owner in pragmas.member_name_exceptions and EXCEPTIONAL_NAME.fullmatch(name)
    if not excepted and not MEMBER_NAME.fullmatch(name):
        raise QapiError(position, f"'{name}' is no name for a member of '{owner}'",
                        "lower case letters, digits and '-' are expected, or a pragma "
                        "'member-name-exceptions'")
    if name == "u" or name.startswith("has-"):
        raise QapiError(position, f"the member name '{name}' is reserved",
                        "another name is expected")


def check_enum_value(position: Position, owner: str, name: str, pragmas: Pragmas) -> None:
    """Values of enums are in lower case, with dashes, and can start with a digit."""
    excepted = owner in pragmas.member_name_exceptions and EXCEPTIONAL_NAME.fullmatch(name)
    if not excepted and not ENUM_VALUE.fullmatch(name):
        raise QapiError(position, f"'{name}' is no name for a value of '{owner}'",
                        "lower case letters, digits and '-' are expected, or a pragma "
                        "'member-name-exceptions'")


def check_feature_name(position: Position, name: str) -> None:
    """Features are named as members are."""
    if not MEMBER_NAME.fullmatch(name):
        raise QapiError(position, f"'{name}' is no name for a feature",
                        "lower case letters, digits and '-' are expected")


def check_prefix(position: Position, prefix: str) -> None:
    """C constants are in upper case, with underscores."""
    if not PREFIX.fullmatch(prefix):
        raise QapiError(position, f"'{prefix}' is no prefix for C constants",
                        "upper case letters, digits and '_' are expected")


def c_name(name: str) -> str:
    """The name as a part of a C identifier."""
    return re.sub(r"[^A-Za-z0-9]", "_", name)


def c_constant(prefix: str, name: str) -> str:
    """The C constant that stands for a value of an enum, or for a type: VITALS_LOG_HIST."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return f"{prefix}_{c_name(words)}".upper()
