# SPDX-License-Identifier: MIT
"""What query-qmp-schema returns, in the form of QEMU's, to the order of the keys.

Types have numbers for names, given out at their first use, so that no client comes to depend on
them; 0 is the type without members. All integer types are one, 'int'.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from .definitions import (AlternateType, ArrayType, BuiltinType, Command, EnumType, Feature, Member,
                          ObjectType, Type)
from .schema import Schema

Json = dict | list | str | bool | None
EMPTY_TYPE = "0"


@dataclass(frozen=True)
class OpenValues:
    """Stands in a list for the values of an open enum, each between a prefix and a suffix."""

    enum: str
    prefix: str
    suffix: str


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
        more: dict = {"members": [self._member(member) for member in type_.all_members()]}
        tag = type_.tag()
        if tag:
            more["tag"] = tag.name
            more["variants"] = self._variants(type_, tag)
        return more

    def _member(self, member: Member) -> dict:
        entry = {"name": member.name, "type": self._use(member.type), **_features(member.features)}
        if member.optional:
            entry["default"] = None
        return _in_qdict_order(entry)

    def _variants(self, union: ObjectType, tag: Member) -> list[dict]:
        """Values of the tag that have no branch come behind those that have one."""
        branches: dict[str, Type | None] = {branch.name: branch.type for branch in union.branches}
        for value in tag.type.values:
            branches.setdefault(value.name, None)
        return [_in_qdict_order({"case": name, "type": self._use(type_)})
                for name, type_ in branches.items()]


def _features(features: list[Feature]) -> dict:
    return {"features": [feature.name for feature in features]} if features else {}


def _enum_values(enum: EnumType) -> dict:
    if enum.is_open:
        return {"members": [OpenValues(enum.name, '{"name": "', '"}')],
                "values": [OpenValues(enum.name, '"', '"')]}
    return {"members": [_in_qdict_order({"name": value.name, **_features(value.features)})
                        for value in enum.values],
            "values": [value.name for value in enum.values]}


# ---- as text ------------------------------------------------------------------------------------

def _separated(parts: list[Iterator[str | OpenValues]]) -> Iterator[str | OpenValues]:
    for i, part in enumerate(parts):
        if i:
            yield ", "
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
