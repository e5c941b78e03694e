# SPDX-License-Identifier: MIT
"""Types and commands, and how each is made of its expression.

A definition by itself knows the names of other types only; the schema fills in the types.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .comments import Comment
from .names import (check_command_name, check_enum_value, check_feature_name, check_member_name,
                    check_prefix, check_type_name)
from .parser import Expression, Node, Pragmas
from .source import Position, QapiError


OTHERS = "*"


# ---- types --------------------------------------------------------------------------------------

@dataclass(eq=False)
class Type:
    """A type of values."""

    name: str


@dataclass(eq=False)
class BuiltinType(Type):
    """A type that the language has by itself. json_type: the word for it in an introspection."""

    json_type: str


@dataclass(eq=False)
class ArrayType(Type):
    """A list."""

    element: Type


@dataclass
class Reference:
    """A type as it is named in a definition."""

    position: Position
    name: str
    is_list: bool = False
    type: Type | None = None  # once the schema has found it

    def __str__(self) -> str:
        return f"[{self.name}]" if self.is_list else self.name


@dataclass(frozen=True)
class Feature:
    """A mark on a definition or member."""

    position: Position
    name: str


@dataclass
class Member:
    """A member of an object, or a branch of a union or alternate.

    is_open: it stands for a member of each value of the open enum `name` that only the run time knows.
    """

    position: Position
    name: str
    reference: Reference
    optional: bool = False
    features: list[Feature] = field(default_factory=list)
    is_open: bool = False

    @property
    def type(self) -> Type:
        """Its type."""
        assert self.reference.type
        return self.reference.type


@dataclass
class EnumValue:
    """One value of an enum."""

    position: Position
    name: str
    features: list[Feature]


@dataclass
class Head:
    """What all definitions have. kind: 'enum', 'struct', 'union', 'alternate' or 'command'."""

    position: Position
    kind: str
    name: str
    comment: Comment | None = None
    features: list[Feature] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"


@dataclass(eq=False)
class EnumType(Type):
    """A set of strings. is_open: the run time knows further ones.

    prefix: what the C constants begin with that stand for the values; None: there are none.
    """

    head: Head
    values: list[EnumValue]
    is_open: bool = False
    prefix: str | None = None


@dataclass(eq=False)
class ObjectType(Type):
    """A struct, a union, or what has no name of its own: a command's arguments.

    The branch OTHERS of a union is that of all values of the tag that only the run time knows.
    """

    head: Head
    members: list[Member] = field(default_factory=list)  # own ones, without the base's
    base: Reference | None = None
    discriminator: Node | None = None
    branches: list[Member] = field(default_factory=list)

    def base_type(self) -> ObjectType | None:
        """The type whose members this one has besides."""
        return self.base.type if self.base else None

    def all_members(self) -> list[Member]:
        """The base's members and the own ones."""
        base = self.base_type()
        return (base.all_members() if base else []) + self.members

    def tag(self) -> Member | None:
        """The member that chooses the branch."""
        if not self.discriminator:
            return None
        return next((m for m in self.all_members() if m.name == self.discriminator.value), None)


@dataclass(eq=False)
class AlternateType(Type):
    """One of several types."""

    head: Head
    branches: list[Member]


@dataclass
class Command:
    """A command. Its arguments are an object of their own, or a type that is defined elsewhere."""

    head: Head
    own_arguments: ObjectType | None = None
    named_arguments: Reference | None = None
    returns: Reference | None = None
    boxed: bool = False
    allow_oob: bool = False

    def arguments(self) -> ObjectType | None:
        """The type of its arguments; None: it has none."""
        if self.named_arguments:
            return self.named_arguments.type
        return self.own_arguments if self.own_arguments and self.own_arguments.members else None


Definition = EnumType | ObjectType | AlternateType | Command


# ---- from expressions ---------------------------------------------------------------------------

REQUIRED_KEYS = {
    "enum": {"data"},
    "struct": {"data"},
    "union": {"base", "discriminator", "data"},
    "alternate": {"data"},
    "command": set(),
}
OPTIONAL_KEYS = {
    "enum": {"features", "prefix"},
    "struct": {"base", "features"},
    "union": {"features"},
    "alternate": {"features"},
    "command": {"data", "boxed", "returns", "allow-oob", "features"},
}


def _check_keys(position: Position, keys: set[str], what: str, required: set[str],
                optional: set[str]) -> None:
    for key in sorted(keys - required - optional):
        allowed = ", ".join(f"'{name}'" for name in sorted(required | optional))
        raise QapiError(position, f"{what} has an unknown key '{key}'",
                        f"only {allowed} are expected")
    for key in sorted(required - keys):
        raise QapiError(position, f"{what} has no key '{key}'", "it is expected")


class DefinitionBuilder:
    """Makes the definition of one expression."""

    def __init__(self, expression: Expression, pragmas: Pragmas) -> None:
        self.keys = expression.node.object("an expression")
        self.pragmas = pragmas
        position = expression.node.position
        kinds = [kind for kind in REQUIRED_KEYS if kind in self.keys]
        if len(kinds) != 1:
            raise QapiError(position, "this is no definition",
                            f"exactly one of the keys {', '.join(REQUIRED_KEYS)} is expected")
        name = self.keys[kinds[0]].string(f"the name of the {kinds[0]}")
        self.head = Head(position, kinds[0], name, expression.comment)
        self._check_name()
        _check_keys(position, set(self.keys) - {self.head.kind}, str(self.head),
                    REQUIRED_KEYS[self.head.kind], OPTIONAL_KEYS[self.head.kind])
        if "features" in self.keys:
            self.head.features = self._features(self.keys["features"])

    def _check_name(self) -> None:
        if self.head.kind == "command":
            check_command_name(self.head.position, self.head.name, self.pragmas)
        else:
            check_type_name(self.head.position, self.head.name)

    def build(self) -> Definition:
        """The definition."""
        builders = {"enum": self._enum, "struct": self._struct, "union": self._union,
                    "alternate": self._alternate, "command": self._command}
        return builders[self.head.kind]()

    # ---- parts of definitions

    def _features(self, node: Node) -> list[Feature]:
        features: list[Feature] = []
        for element in node.list(f"'features' in {self.head}"):
            name = element.string(f"a feature in {self.head}")
            check_feature_name(element.position, name)
            if name in (feature.name for feature in features):
                raise QapiError(element.position, f"feature '{name}' is there twice",
                                "once is expected")
            features.append(Feature(element.position, name))
        return features

    def _reference(self, node: Node, what: str) -> Reference:
        if not isinstance(node.value, list):
            return Reference(node.position, node.string(what))
        if len(node.value) != 1:
            raise QapiError(node.position, f"{what} is a list of {len(node.value)} types",
                            "one type in brackets is expected")
        return Reference(node.position, node.value[0].string(f"in brackets, {what}"), True)

    def _type_and_features(self, node: Node, what: str,
                           optional: set[str]) -> tuple[Reference, list[Feature]]:
        """A type, or an object with a key 'type' and maybe 'features'."""
        features: list[Feature] = []
        if isinstance(node.value, dict):
            keys = node.value
            _check_keys(node.position, set(keys), what, {"type"}, optional)
            if "features" in keys:
                features = self._features(keys["features"])
            node = keys["type"]
        return self._reference(node, f"the type of {what}"), features

    def _member(self, key: str, node: Node) -> Member:
        name = key.removeprefix("*")
        is_open = name in self.pragmas.open_enums
        if not is_open:
            check_member_name(node.position, self.head.name, name, self.pragmas)
        elif not key.startswith("*"):
            raise QapiError(node.position, f"the members '{name}' of {self.head} are always there",
                            "optional ones are expected: which there are, the run time knows")
        reference, features = self._type_and_features(node, f"'{name}' in {self.head}",
                                                      {"features"})
        return Member(node.position, name, reference, key.startswith("*"), features, is_open)

    def _members(self, node: Node, what: str) -> list[Member]:
        return [self._member(key, value)
                for key, value in node.object(f"{what} of {self.head}").items()]

    def _branches(self) -> list[Member]:
        branches = []
        for name, node in self.keys["data"].object(f"'data' of {self.head}").items():
            reference, _ = self._type_and_features(node, f"'{name}' in {self.head}", set())
            branches.append(Member(node.position, name, reference))
        if not branches:
            raise QapiError(self.head.position, f"{self.head} has no branches",
                            "at least one is expected")
        return branches

    def _flag(self, key: str) -> bool:
        return key in self.keys and self.keys[key].flag(f"'{key}' of {self.head}")

    # ---- definitions

    def _enum_value(self, node: Node) -> EnumValue:
        features: list[Feature] = []
        name_node = node
        if isinstance(node.value, dict):
            _check_keys(node.position, set(node.value), f"a value of {self.head}", {"name"},
                        {"features"})
            name_node = node.value["name"]
            if "features" in node.value:
                features = self._features(node.value["features"])
        name = name_node.string(f"a value of {self.head}")
        check_enum_value(node.position, self.head.name, name, self.pragmas)
        return EnumValue(node.position, name, features)

    def _enum(self) -> EnumType:
        values: list[EnumValue] = []
        for node in self.keys["data"].list(f"'data' of {self.head}"):
            value = self._enum_value(node)
            if value.name in (other.name for other in values):
                raise QapiError(value.position, f"{self.head} has the value '{value.name}' twice",
                                "once is expected")
            values.append(value)
        is_open = self.head.name in self.pragmas.open_enums
        return EnumType(self.head.name, self.head, values, is_open, self._prefix())

    def _prefix(self) -> str | None:
        if "prefix" not in self.keys:
            return None
        prefix = self.keys["prefix"].string(f"'prefix' of {self.head}")
        check_prefix(self.keys["prefix"].position, prefix)
        return prefix

    def _struct(self) -> ObjectType:
        struct = ObjectType(self.head.name, self.head, self._members(self.keys["data"], "'data'"))
        if "base" in self.keys:
            name = self.keys["base"].string(f"'base' of {self.head}")
            struct.base = Reference(self.keys["base"].position, name)
        return struct

    def _union(self) -> ObjectType:
        base = self.keys["base"]
        union = ObjectType(self.head.name, self.head, branches=self._branches())
        if isinstance(base.value, dict):
            union.members = self._members(base, "'base'")
        else:
            union.base = Reference(base.position, base.string(f"'base' of {self.head}"))
        union.discriminator = self.keys["discriminator"]
        union.discriminator.string(f"'discriminator' of {self.head}")
        return union

    def _alternate(self) -> AlternateType:
        branches = self._branches()
        for branch in branches:
            check_member_name(branch.position, self.head.name, branch.name, self.pragmas)
        return AlternateType(self.head.name, self.head, branches)

    def _command(self) -> Command:
        command = Command(self.head, boxed=self._flag("boxed"), allow_oob=self._flag("allow-oob"))
        data = self.keys.get("data")
        if data and isinstance(data.value, dict):
            name = f"arguments of {self.head.name}"
            command.own_arguments = ObjectType(name, self.head, self._members(data, "'data'"))
        elif data:
            command.named_arguments = self._reference(data, f"'data' of {self.head}")
        if "returns" in self.keys:
            command.returns = self._reference(self.keys["returns"], f"'returns' of {self.head}")
        return command
