# SPDX-License-Identifier: MIT
"""What query-qmp-schema returns, in the form of QEMU's, to the order of the keys.

Types have numbers for names, given out at their first use, so that no client comes to depend on
them; 0 is the type without members. All integer types are one, 'int'.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from .definitions import (OTHERS, AlternateType, ArrayType, BuiltinType, Command, EnumType, Feature,
                          Member, ObjectType, Type)
from .schema import Schema

Json = dict | list | str | bool | None
EMPTY_TYPE = "0"


@dataclass(frozen=True)
class OpenValues:
    """Stands at the end of a list for the values of an open enum that only the run time knows.

    Each is between a prefix and a suffix. follows: the list has other elements, which come first.
    """

    enum: str
    prefix: str
    suffix: str
    follows: bool


@dataclass
class Piece:
    """Texts in a row, and then the values of an open enum, if there is one."""

    texts: list[str] = field(default_factory=list)
    values: OpenValues | None = None


def _qdict_bucket(key: str) -> int:
    """The place of a key in QEMU's QDict, which decides on the order of printed members."""
    value = 0x238F13AF * len(key)
    for i, byte in enumerate(key.encode()):
        value += byte << (i * 5 % 24)
    return (1103515243 * value + 12345) % 2**32 % 512


def _in_qdict_order(entry: dict) -> dict:
    return dict(sorted(entry.items(), key=lambda item: _qdict_bucket(item[0])))


def _with_open_values(elements: list, enum: str, element: Json) -> list:
    """The list, and behind it @element for each further value of @enum, which it has as OTHERS."""
    prefix, suffix = json.dumps(element).split(json.dumps(OTHERS))
    return [*elements, OpenValues(enum, f'{prefix}"', f'"{suffix}', bool(elements))]


class _Introspection:
    """The entries of all commands, and of all types that they use."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._numbers: dict[Type | None, str] = {None: EMPTY_TYPE}
        self._used: list[Type] = []
        self._uses_empty = False
        self.entries: list[dict] = []
        for command in schema.commands.values():
            self._add_command(command)
        if self._uses_empty:
            self._add_entry(EMPTY_TYPE, "object", {"members": []})
        for type_ in self._used:  # grows on the way
            self._add_type(type_)

    # ---- names

    def _same_json(self, type_: Type) -> Type:
        """All integers are one type here, and so are all lists of them."""
        if isinstance(type_, BuiltinType) and type_.json_type == "int":
            return self._schema.builtins["int"]
        if isinstance(type_, ArrayType):
            return self._schema.array_of(self._same_json(type_.element))
        return type_

    def _use(self, type_: Type | None) -> str:
        """The name of a type, which gets an entry."""
        if type_ is None:
            self._uses_empty = True
            return EMPTY_TYPE
        type_ = self._same_json(type_)
        if type_ not in self._used:
            self._used.append(type_)
        if isinstance(type_, BuiltinType):
            return type_.name
        if isinstance(type_, ArrayType):
            return f"[{self._use(type_.element)}]"
        return self._numbers.setdefault(type_, str(len(self._numbers)))

    # ---- entries

    def _add_entry(self, name: str, meta_type: str, more: dict,
                   features: list[Feature] | None = None) -> None:
        entry = {"name": name, "meta-type": meta_type, **more, **_features(features or [])}
        self.entries.append(_in_qdict_order(entry))

    def _add_command(self, command: Command) -> None:
        more = {"arg-type": self._use(command.arguments()),
                "ret-type": self._use(command.returns.type if command.returns else None)}
        if command.allow_oob:
            more["allow-oob"] = True
        self._add_entry(command.head.name, "command", more, command.head.features)

    def _add_type(self, type_: Type) -> None:
        name = self._use(type_)
        if isinstance(type_, BuiltinType):
            self._add_entry(name, "builtin", {"json-type": type_.json_type})
        elif isinstance(type_, ArrayType):
            self._add_entry(name, "array", {"element-type": self._use(type_.element)})
        elif isinstance(type_, EnumType):
            self._add_entry(name, "enum", _enum_values(type_), type_.head.features)
        elif isinstance(type_, AlternateType):
            branches = [{"type": self._use(branch.type)} for branch in type_.branches]
            self._add_entry(name, "alternate", {"members": branches}, type_.head.features)
        elif isinstance(type_, ObjectType):
            self._add_entry(name, "object", self._object(type_), self._object_features(type_))

    def _object_features(self, type_: ObjectType) -> list[Feature]:
        """A command's features are not those of its arguments."""
        return [] if type_.head.kind == "command" else type_.head.features

    def _object(self, type_: ObjectType) -> dict:
        more: dict = {"members": self._members(type_.all_members())}
        tag = type_.tag()
        if tag:
            more["tag"] = tag.name
            more["variants"] = self._variants(type_, tag)
        return more

    def _members(self, members: list[Member]) -> list[dict | OpenValues]:
        entries: list[dict | OpenValues] = [self._member(member, member.name)
                                            for member in members if not member.is_open]
        for member in members:
            if member.is_open:
                entries = _with_open_values(entries, member.name, self._member(member, OTHERS))
        return entries

    def _member(self, member: Member, name: str) -> dict:
        entry = {"name": name, "type": self._use(member.type), **_features(member.features)}
        if member.optional:
            entry["default"] = None
        return _in_qdict_order(entry)

    def _variants(self, union: ObjectType, tag: Member) -> list[dict | OpenValues]:
        """Values of the tag that have no branch come behind those that have one."""
        branches: dict[str, Type | None] = {branch.name: branch.type for branch in union.branches}
        others = branches.pop(OTHERS, None)
        for value in tag.type.values:
            branches.setdefault(value.name, None)
        variants = [self._variant(name, type_) for name, type_ in branches.items()]
        if others:
            return _with_open_values(variants, tag.type.name, self._variant(OTHERS, others))
        return variants

    def _variant(self, case: str, type_: Type | None) -> dict:
        return _in_qdict_order({"case": case, "type": self._use(type_)})


def _features(features: list[Feature]) -> dict:
    return {"features": [feature.name for feature in features]} if features else {}


def _enum_values(enum: EnumType) -> dict:
    members = [_in_qdict_order({"name": value.name, **_features(value.features)})
               for value in enum.values]
    values = [value.name for value in enum.values]
    if enum.is_open:
        return {"members": _with_open_values(members, enum.name, {"name": OTHERS}),
                "values": _with_open_values(values, enum.name, OTHERS)}
    return {"members": members, "values": values}


# ---- as text ------------------------------------------------------------------------------------

def _separated(parts: list[Iterator[str | OpenValues]]) -> Iterator[str | OpenValues]:
    """Open values have their separators from the run time: there may be none of them."""
    for i, part in enumerate(parts):
        first = next(part)
        if i and not isinstance(first, OpenValues):
            yield ", "
        yield first
        yield from part


def _tokens(value: Json | OpenValues) -> Iterator[str | OpenValues]:
    if isinstance(value, OpenValues):
        yield value
    elif isinstance(value, dict):
        yield "{"
        yield from _separated([_member_tokens(key, member) for key, member in value.items()])
        yield "}"
    elif isinstance(value, list):
        yield "["
        yield from _separated([_tokens(element) for element in value])
        yield "]"
    else:
        yield json.dumps(value)


def _member_tokens(key: str, value: Json | OpenValues) -> Iterator[str | OpenValues]:
    yield f'"{key}": '
    yield from _tokens(value)


def introspect(schema: Schema) -> list[Piece]:
    """The text, cut where the values of an open enum belong. Each entry is a text of its own."""
    pieces = [Piece(["["])]
    for i, entry in enumerate(_Introspection(schema).entries):
        pieces[-1].texts.append(", " if i else "")
        for token in _tokens(entry):
            if isinstance(token, OpenValues):
                pieces[-1].values = token
                pieces.append(Piece([""]))
            else:
                pieces[-1].texts[-1] += token
    pieces[-1].texts.append("]")
    return pieces
