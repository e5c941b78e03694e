# SPDX-License-Identifier: MIT
"""A schema as a whole: its types find each other, and fit."""

from dataclasses import dataclass, field

from .comments import Comment
from .definitions import (OTHERS, AlternateType, ArrayType, BuiltinType, Command, Definition,
                          DefinitionBuilder, EnumType, Member, ObjectType, Reference, Type)
from .documentation import check_documentation
from .parser import Expression, Parsed, Pragmas, parse
from .source import Position, QapiError

JSON_TYPES = {
    "str": "string", "number": "number", "bool": "boolean", "null": "null", "any": "value",
    "int": "int", "int8": "int", "int16": "int", "int32": "int", "int64": "int",
    "uint8": "int", "uint16": "int", "uint32": "int", "uint64": "int", "size": "int",
}

# What the checks of arguments (src/qmp/qapi_check.c) know of built-in types.
ARGUMENT_BUILTINS = ("str", "bool", "int", "int8", "int16", "int32", "int64")


@dataclass
class Schema:
    """All definitions, in the order in which they are written."""

    files: list[str]
    builtins: dict[str, BuiltinType] = field(default_factory=lambda: {
        name: BuiltinType(name, json) for name, json in JSON_TYPES.items()})
    arrays: dict[str, ArrayType] = field(default_factory=dict)  # by the name of the element
    types: dict[str, Type] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)
    items: list[Definition | Comment] = field(default_factory=list)

    def definitions(self) -> list[Definition]:
        """All types and commands."""
        return [item for item in self.items if not isinstance(item, Comment)]

    def array_of(self, element: Type) -> ArrayType:
        """The one type of lists of @element."""
        return self.arrays.setdefault(element.name, ArrayType(f"[{element.name}]", element))


# ---- collecting ---------------------------------------------------------------------------------

def _add(schema: Schema, definition: Definition) -> None:
    head = definition.head
    known = {**schema.types, **schema.commands}
    if head.name in schema.builtins or head.name in known:
        raise QapiError(head.position, f"'{head.name}' is defined already",
                        "one definition is expected")
    if isinstance(definition, Command):
        schema.commands[head.name] = definition
    else:
        schema.types[head.name] = definition
    schema.items.append(definition)


def _collect(parsed: Parsed) -> Schema:
    schema = Schema(parsed.files)
    for item in parsed.items:
        if isinstance(item, Expression):
            _add(schema, DefinitionBuilder(item, parsed.pragmas).build())
        else:
            schema.items.append(item)
    return schema


def _check_pragmas(schema: Schema, pragmas: Pragmas) -> None:
    def check(names: dict[str, Position], known: set[str], expected: str) -> None:
        for name, position in names.items():
            if name not in known:
                raise QapiError(position, f"a pragma names '{name}'", f"{expected} is expected")

    enums = {name for name, type_ in schema.types.items() if isinstance(type_, EnumType)}
    check(pragmas.command_name_exceptions, set(schema.commands), "the name of a command")
    check(pragmas.member_name_exceptions, set(schema.types) | set(schema.commands),
          "the name of a type or command")
    check(pragmas.open_enums, enums, "the name of an enum")


# ---- finding types ------------------------------------------------------------------------------

def _references(definition: Definition) -> list[Reference]:
    """All places where a definition names a type."""
    if isinstance(definition, Command):
        references = [definition.named_arguments, definition.returns]
        if definition.own_arguments:
            references += [member.reference for member in definition.own_arguments.members]
    elif isinstance(definition, ObjectType):
        references = [definition.base]
        references += [member.reference for member in definition.members + definition.branches]
    elif isinstance(definition, AlternateType):
        references = [branch.reference for branch in definition.branches]
    else:
        references = []
    return [reference for reference in references if reference]


def _find_type(schema: Schema, reference: Reference) -> None:
    found = schema.builtins.get(reference.name) or schema.types.get(reference.name)
    if not found:
        raise QapiError(reference.position, f"there is no type '{reference.name}'",
                        "a built-in type or one that is defined is expected")
    reference.type = schema.array_of(found) if reference.is_list else found


# ---- rules of objects ---------------------------------------------------------------------------

def _check_base(type_: ObjectType) -> None:
    base = type_.base
    if base and not (isinstance(base.type, ObjectType) and base.type.head.kind == "struct"):
        raise QapiError(base.position, f"the base of {type_.head} is '{base}'",
                        "a struct is expected")


def _check_no_circle(type_: ObjectType) -> None:
    seen = [type_]
    base = type_.base_type()
    while base:
        if base in seen:
            raise QapiError(type_.base.position, f"the bases of {type_.head} go round in a circle",
                            "a last base is expected")
        seen.append(base)
        base = base.base_type()


def _check_distinct(members: list[Member], what: str) -> None:
    """Own members come last, so the error is at what the definition adds."""
    names: set[str] = set()
    for member in members:
        if member.name in names:
            raise QapiError(member.position, f"{what} has the member '{member.name}' twice",
                            "once is expected, also counting those of its base")
        names.add(member.name)


def _check_tag(union: ObjectType) -> EnumType:
    position = union.discriminator.position
    name = union.discriminator.value
    tag = union.tag()
    if not tag:
        raise QapiError(position, f"the discriminator '{name}' of {union.head} is no member",
                        "a member of its base is expected")
    if tag.optional or not isinstance(tag.type, EnumType):
        raise QapiError(position, f"the discriminator '{name}' of {union.head} is optional or no "
                        "enum", "a member that is always there, of an enum type, is expected")
    return tag.type


def _check_branches(union: ObjectType, enum: EnumType) -> None:
    values = {value.name for value in enum.values}
    has_others = OTHERS in (branch.name for branch in union.branches)
    if enum.is_open and has_others:
        values.add(OTHERS)
    for branch in union.branches:
        if branch.name not in values and (not enum.is_open or has_others):
            raise QapiError(branch.position, f"{union.head} has a branch '{branch.name}'",
                            f"a value of enum '{enum.name}' is expected")
        if not isinstance(branch.type, ObjectType) or branch.type.head.kind != "struct":
            raise QapiError(branch.position, f"branch '{branch.name}' of {union.head} is of type "
                            f"'{branch.reference}'", "a struct is expected")
        taken = {member.name for member in union.all_members()}
        for member in branch.type.all_members():
            if member.name in taken:
                raise QapiError(branch.position, f"branch '{branch.name}' of {union.head} has a "
                                f"member '{member.name}', and so has the base",
                                "different names are expected")


def _check_object(type_: ObjectType) -> None:
    _check_distinct(type_.all_members(), str(type_.head))
    if type_.discriminator:
        _check_branches(type_, _check_tag(type_))


# ---- other rules --------------------------------------------------------------------------------

def json_kind(type_: Type) -> str | None:
    """The kind of JSON value that a type takes; all numbers are one. None: it takes several."""
    if isinstance(type_, ArrayType):
        return "array"
    if isinstance(type_, ObjectType):
        return "object"
    if isinstance(type_, EnumType):
        return "string"
    if isinstance(type_, BuiltinType) and type_.json_type != "value":
        return "number" if type_.json_type == "int" else type_.json_type
    return None


def _check_alternate(alternate: AlternateType) -> None:
    kinds: dict[str, str] = {}
    for branch in alternate.branches:
        kind = json_kind(branch.type)
        if kind is None:
            raise QapiError(branch.position, f"branch '{branch.name}' of {alternate.head} takes "
                            "values of several kinds", "a type with one kind is expected")
        if kind in kinds:
            raise QapiError(branch.position, f"branches '{kinds[kind]}' and '{branch.name}' of "
                            f"{alternate.head} both take a JSON {kind}",
                            "each kind of JSON value is expected once")
        kinds[kind] = branch.name


def _check_argument(command: Command, type_: Type, position: Position, seen: set[Type]) -> None:
    """A value of this type can be checked, and so can all that is inside of it."""
    if type_ in seen:
        return
    seen.add(type_)
    if isinstance(type_, ArrayType):
        _check_argument(command, type_.element, position, seen)
    elif isinstance(type_, ObjectType):
        for member in type_.all_members() + type_.branches:
            if member.is_open:
                raise QapiError(member.position, f"an argument of {command.head} has members "
                                f"'{member.name}' of an open enum",
                                "they are expected in what is returned only")
            _check_argument(command, member.type, member.position, seen)
    elif not isinstance(type_, EnumType) and type_.name not in ARGUMENT_BUILTINS:
        raise QapiError(position, f"an argument of {command.head} is of type '{type_.name}'",
                        "a string, a boolean, an integer with a sign, an enum, a list or an object "
                        "is expected")


def _check_command(command: Command) -> None:
    head = command.head
    data = command.named_arguments
    if data and not isinstance(data.type, ObjectType):
        raise QapiError(data.position, f"the arguments of {head} are of type '{data}'",
                        "a struct or union is expected")
    if data and data.type.discriminator and not command.boxed:
        raise QapiError(data.position, f"the arguments of {head} are a union",
                        "'boxed': true is expected with it")
    if command.boxed and not data:
        raise QapiError(head.position, f"{head} is boxed, but its arguments have no type of their "
                        "own", "'data' with the name of a type is expected")
    if command.own_arguments:
        _check_object(command.own_arguments)
    if command.arguments():
        _check_argument(command, command.arguments(), head.position, set())
    if command.returns:
        returned = command.returns.type
        element = returned.element if isinstance(returned, ArrayType) else returned
        if not isinstance(element, ObjectType):
            raise QapiError(command.returns.position, f"{head} returns '{command.returns}'",
                            "an object or a list of objects is expected, others can't grow")


def _check_definition(definition: Definition) -> None:
    if isinstance(definition, ObjectType):
        _check_object(definition)
    elif isinstance(definition, AlternateType):
        _check_alternate(definition)
    elif isinstance(definition, Command):
        _check_command(definition)


def load(file: str) -> Schema:
    """Reads a schema and checks all of it."""
    parsed = parse(file)
    schema = _collect(parsed)
    _check_pragmas(schema, parsed.pragmas)
    for definition in schema.definitions():
        for reference in _references(definition):
            _find_type(schema, reference)
    objects = [type_ for type_ in schema.types.values() if isinstance(type_, ObjectType)]
    for type_ in objects:
        _check_base(type_)
    for type_ in objects:
        _check_no_circle(type_)
    for definition in schema.definitions():
        _check_definition(definition)
    for definition in schema.definitions():
        check_documentation(definition)
    return schema
