# SPDX-License-Identifier: MIT
"""The reference part of the manual, for scdoc: all definitions with what their comments say.

Several schemas make one manual. What they share is there once; what only some have says so in its
heading. A section is what one file says under one title.
"""

import re
from dataclasses import dataclass, field

from .comments import Comment
from .definitions import (OTHERS, AlternateType, Command, Definition, EnumType, EnumValue, Head,
                          Member, ObjectType, Reference)
from .documentation import own_members
from .schema import Schema

REFERENCE = re.compile(r"@([A-Za-z][\w-]*\w)")
LIST_ITEM = re.compile(r"\s*- ")


# ---- text ---------------------------------------------------------------------------------------

def escaped(text: str) -> str:
    """Text in which scdoc sees no markup."""
    return re.sub(r"([\\*_`])", r"\\\1", text)


def _line(text: str) -> str:
    """A line of a comment. @name is set apart; a list's item keeps its mark."""
    item = LIST_ITEM.match(text)
    rest = text[item.end():] if item else text.strip()
    pieces = REFERENCE.split(rest)  # text and names in turn
    marked = "".join(f"_{escaped(piece)}_" if i % 2 else escaped(piece)
                     for i, piece in enumerate(pieces))
    if item:
        return f"- {marked}"
    return f"\\{marked}" if marked[:1] in tuple("#-.;[|]") else marked


def _lines(text: str) -> list[str]:
    """The lines of a comment's text; those that go on with a list's item are lined up with it."""
    lines: list[str] = []
    in_item = False
    for text_line in text.split("\n"):
        is_item = bool(LIST_ITEM.match(text_line))
        in_item = is_item or (in_item and text_line.strip() != "")
        lines.append(("  " if in_item and not is_item else "") + _line(text_line))
    return lines


def _literal(text: str) -> list[str]:
    return ["```", *(line.replace("\\", "\\\\") for line in text.split("\n")), "```"]


# ---- definitions --------------------------------------------------------------------------------

def _type_text(reference: Reference) -> str:
    name = f"_{escaped(reference.name)}_"
    return f"list of {name}" if reference.is_list else name


def _features_text(member: Member | EnumValue) -> str:
    return "".join(f", {escaped(feature.name)}" for feature in member.features)


def _member_heading(member: Member | EnumValue) -> str:
    name = f"*{escaped(member.name)}*"
    if isinstance(member, EnumValue):
        features = _features_text(member)
        return f"{name} ({features[2:]})" if features else name
    optional = ", optional" if member.optional else ""
    if member.is_open:
        name = f"any other _{escaped(member.name)}_"
    return f"{name} ({_type_text(member.reference)}{optional}{_features_text(member)})"


def _described(heading: str, text: str) -> list[str]:
    return [heading, *(f"\t{line}" if line else "" for line in _lines(text)), ""]


def _members(definition: Definition, comment: Comment) -> list[str]:
    members = own_members(definition)
    lines: list[str] = []
    if isinstance(definition, Command) and members:
        lines = ["Arguments:", ""]
    for member in members:
        lines += _described(_member_heading(member), comment.members[member.name].text())
    return lines


def _other_members(definition: Definition) -> list[str]:
    """Members that are described elsewhere."""
    if isinstance(definition, Command) and definition.named_arguments:
        return [f"Arguments: the members of {_type_text(definition.named_arguments)}.", ""]
    if not isinstance(definition, ObjectType):
        return []
    lines = []
    if definition.base:
        lines += [f"Also the members of {_type_text(definition.base)}.", ""]
    for branch in definition.branches:
        value = "any other" if branch.name == OTHERS else f"*{escaped(branch.name)}*"
        lines += [f"If _{escaped(definition.tag().name)}_ is {value}, also the "
                  f"members of {_type_text(branch.reference)}.", ""]
    return lines


def _section(definition: Definition, name: str, text: str) -> list[str]:
    if name == "Example":
        return ["Example:", "", *_literal(text), ""]
    if name == "Since":
        return [f"Since: {text}", ""]
    label = f"Returns {_type_text(definition.returns)}:" if name == "Returns" else f"{name}:"
    lines = _lines(text)
    if lines[0].startswith("- "):
        return [label, "", *lines, ""]
    return [f"{label} {lines[0]}", *lines[1:], ""]


def _definition(definition: Definition) -> list[str]:
    comment = definition.head.comment
    lines = [f"## {escaped(definition.head.name)} ({_kind(definition.head)})", ""]
    lines += [*_lines(comment.overview_text()), ""]
    lines += _members(definition, comment) + _other_members(definition)
    for name, part in comment.features.items():
        lines += _described(f"Feature *{escaped(name)}*", part.text())
    for name in ("Returns", "Errors", "Note", "Example", "Since"):
        if name in comment.sections:
            lines += _section(definition, name, comment.section_text(name))
    return lines


def _kind(head: Head) -> str:
    return "object" if head.kind in ("struct", "union") else head.kind


# ---- sections -----------------------------------------------------------------------------------

@dataclass
class _Section:
    """What one file says under one title."""

    title: str
    schemas: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)


def _add_schema(sections: dict[tuple[str, str], _Section], prefix: str, schema: Schema) -> None:
    titles: dict[str, str] = {}  # the current one of each file
    for item in schema.items:
        head = item if isinstance(item, Comment) else item.head
        file = head.position.file
        if isinstance(item, Comment) and item.title:
            titles[file] = item.title
        title = titles.get(file, "Definitions")
        section = sections.setdefault((file, title), _Section(title))
        section.schemas.add(prefix)
        if not isinstance(item, Comment):
            section.definitions[item.head.name] = item
        elif item.overview_text() and item.overview_text() not in section.texts:
            section.texts.append(item.overview_text())


def _section_lines(section: _Section, all_prefixes: list[str]) -> list[str]:
    title = section.title
    if len(section.schemas) < len(all_prefixes):
        where = " and ".join(prefix for prefix in all_prefixes if prefix in section.schemas)
        title = f"{title}, dialect {where}"
    lines = [f"# {escaped(title.upper())}", ""]
    for text in section.texts:
        lines += [*_lines(text), ""]
    commands_first = sorted(section.definitions.values(),
                            key=lambda definition: not isinstance(definition, Command))
    for definition in commands_first:
        lines += _definition(definition)
    return lines


def reference_manual(schemas: dict[str, Schema]) -> str:
    """The sections of the manual page, without its preamble."""
    sections: dict[tuple[str, str], _Section] = {}
    for prefix, schema in schemas.items():
        _add_schema(sections, prefix, schema)
    lines: list[str] = []
    for section in sections.values():
        lines += _section_lines(section, list(schemas))
    return "\n".join(lines)
