# SPDX-License-Identifier: MIT
"""C tables: the commands of a schema, the types of their arguments, and the introspection.

src/qmp/qapi.h has the structs that are filled here.
"""

import json
from collections.abc import Iterable

from .definitions import (OTHERS, ArrayType, BuiltinType, Command, EnumType, Member, ObjectType,
                          Type)
from .introspection import Piece, introspect
from .names import c_constant, c_name
from .schema import Schema

BUILTIN_KINDS = {"string": "QAPI_STRING", "boolean": "QAPI_BOOLEAN", "int": "QAPI_INTEGER"}
NO_ARGUMENTS = "no_arguments"


def quoted(text: str) -> str:
    """A C string."""
    return json.dumps(text)


def handler_name(command: Command) -> str:
    """The C function that runs a command."""
    return f"qmp_{c_name(command.head.name)}"


def _initializer(**fields: str) -> str:
    return "{" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "}"


def _array(declaration: str, elements: Iterable[str]) -> list[str]:
    return [f"{declaration}[] = {{", *(f"    {element}," for element in elements), "};"]


class _Types:
    """Tables of the types that arguments consist of."""

    def __init__(self) -> None:
        self._names: dict[Type, str] = {}
        self._definitions: list[str] = []

    def use(self, type_: Type) -> str:
        """The address of a type's table."""
        if type_ not in self._names:
            self._names[type_] = self._c_name(type_)
            self._definitions += self._define(type_)
        return f"&{self._names[type_]}"

    def lines(self) -> list[str]:
        """All tables. A type can contain itself: all are declared before the first is defined."""
        declarations = [f"static const struct qapi_type {name};" for name in self._names.values()]
        return [*declarations, "", *self._definitions]

    @staticmethod
    def _c_name(type_: Type) -> str:
        if isinstance(type_, ArrayType):
            return f"list_of_{c_name(type_.element.name)}"
        return f"type_{c_name(type_.name)}"

    def _define(self, type_: Type) -> list[str]:
        name = self._names[type_]
        arrays: list[str] = []
        if isinstance(type_, BuiltinType):
            fields = self._builtin_fields(type_)
        elif isinstance(type_, ArrayType):
            fields = {"kind": "QAPI_LIST", "element": self.use(type_.element)}
        elif isinstance(type_, EnumType):
            fields, arrays = self._enum(type_, name)
        else:
            fields, arrays = self._object(type_, name)
        return [*arrays, f"static const struct qapi_type {name} = {_initializer(**fields)};"]

    @staticmethod
    def _builtin_fields(type_: BuiltinType) -> dict[str, str]:
        fields = {"kind": BUILTIN_KINDS[type_.json_type]}
        if fields["kind"] == "QAPI_INTEGER":
            integer = "int64" if type_.name == "int" else type_.name
            fields["name"] = quoted(f"{integer}_t")
            fields["range"] = f"{{{integer.upper()}_MIN, {integer.upper()}_MAX}}"
        return fields

    @staticmethod
    def _enum(type_: EnumType, name: str) -> tuple[dict[str, str], list[str]]:
        fields = {"kind": "QAPI_ENUM", "name": quoted(type_.name)}
        is_open = str(type_.is_open).lower()
        if not type_.values:
            fields["enumeration"] = f"{{.open = {is_open}}}"
            return fields, []
        fields["enumeration"] = f"{{{name}_values, {len(type_.values)}, {is_open}}}"
        values = [quoted(value.name) for value in type_.values]
        return fields, _array(f"static const char *const {name}_values", values)

    def _member(self, member: Member) -> str:
        return f"{{{quoted(member.name)}, {self.use(member.type)}, {str(member.optional).lower()}}}"

    def _object(self, type_: ObjectType, name: str) -> tuple[dict[str, str], list[str]]:
        members = [self._member(member) for member in type_.all_members()]
        variants = [f"{{{'NULL' if branch.name == OTHERS else quoted(branch.name)}, "
                    f"{self.use(branch.type)}}}" for branch in type_.branches]
        parts: dict[str, str] = {}
        arrays: list[str] = []
        if members:
            parts |= {"members": f"{name}_members", "n_members": str(len(members))}
            arrays += _array(f"static const struct qapi_member {name}_members", members)
        if variants:
            parts |= {"tag": quoted(type_.tag().name), "variants": f"{name}_variants",
                      "n_variants": str(len(variants))}
            arrays += _array(f"static const struct qapi_variant {name}_variants", variants)
        fields = {"kind": "QAPI_OBJECT"}
        if parts:
            fields["object"] = _initializer(**parts)
        return fields, arrays


def _commands(schema: Schema, types: _Types) -> list[str]:
    def entry(command: Command) -> str:
        arguments = command.arguments()
        return _initializer(name=quoted(command.head.name),
                            arguments=types.use(arguments) if arguments else f"&{NO_ARGUMENTS}",
                            run=handler_name(command))

    return _array("static const struct qapi_command commands",
                  map(entry, schema.commands.values()))


def _introspection_piece(piece: Piece) -> list[str]:
    texts = [f"         {quoted(text)}" for text in piece.texts if text]
    lines = ["    {.text =", *texts]
    lines[-1] += ","
    if piece.values:
        lines.append(f"     .open_enum = {quoted(piece.values.enum)},")
        lines.append(f"     .value_prefix = {quoted(piece.values.prefix)},")
        lines.append(f"     .value_suffix = {quoted(piece.values.suffix)},")
        lines.append(f"     .follows = {str(piece.values.follows).lower()}")
    lines[-1] += "},"
    return lines


def _introspection(schema: Schema) -> list[str]:
    lines = ["static const struct qapi_introspection introspection[] = {"]
    for piece in introspect(schema):
        lines += _introspection_piece(piece)
    return [*lines, "};"]


def schema_source(prefix: str, schema: Schema, top_file: str, header: str) -> str:
    """The C file that defines PREFIX_schema."""
    types = _Types()
    commands = _commands(schema, types)
    definition = [
        f"const struct qapi_schema {prefix}_schema = {{",
        "    .commands = commands,",
        "    .n_commands = sizeof(commands) / sizeof(commands[0]),",
        "    .introspection = introspection,",
        "    .n_introspection = sizeof(introspection) / sizeof(introspection[0]),",
        "};",
    ]
    parts = [
        ["/* SPDX-License-Identifier: MIT */", f"/* Made by qapi_gen.py from {top_file}. */",
         f'#include "{header}"'],
        types.lines(),
        [f"static const struct qapi_type {NO_ARGUMENTS} = {{.kind = QAPI_OBJECT}};"],
        commands, _introspection(schema), definition,
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _open_enums(schemas: dict[str, Schema]) -> list[str]:
    """The names of enums whose values the run time knows, each once."""
    names = {type_.name for schema in schemas.values() for type_ in schema.types.values()
             if isinstance(type_, EnumType) and type_.is_open}
    lines = [f"#define {c_constant('QAPI', name)} {quoted(name)}" for name in sorted(names)]
    return ["/* The open enums. */", *lines, ""] if lines else []


def _value_names(schemas: dict[str, Schema]) -> list[str]:
    """What the values of an enum are called, for a table by the C constants that have its prefix."""
    lines = ["/* The elements of tables: what a schema calls the values of an enum. */"]
    for schema_prefix, schema in schemas.items():
        for type_ in schema.types.values():
            if isinstance(type_, EnumType) and type_.prefix:
                elements = [f"[{c_constant(type_.prefix, value.name)}] = {quoted(value.name)}"
                            for value in type_.values]
                lines.append(f"#define {c_constant(schema_prefix, type_.name)}_NAMES \\\n    "
                             + ", \\\n    ".join(elements))
    return [*lines, ""] if len(lines) > 1 else []


def commands_header(schemas: dict[str, Schema], header: str) -> str:
    """The C header: the schemas, the handlers that they need, and the names of values."""
    guard = f"{c_name(header).upper()}"
    commands = {handler_name(command) for schema in schemas.values()
                for command in schema.commands.values()}
    return "\n".join([
        "/* SPDX-License-Identifier: MIT */",
        "/* Made by qapi_gen.py. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        '#include "qmp/qapi.h"',
        "",
        *(f"extern const struct qapi_schema {prefix}_schema;" for prefix in schemas),
        "",
        "/* The handlers, which are written by hand. */",
        *(f"void {handler}(struct qmp_call *call);" for handler in sorted(commands)),
        "",
        *_open_enums(schemas),
        *_value_names(schemas),
        "#endif",
        "",
    ])
