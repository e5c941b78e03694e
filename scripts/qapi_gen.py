#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes C tables or the reference manual from schemas in QAPI language.

    qapi_gen.py c --directory DIR grouped=qapi/grouped.json flat=qapi/flat.json
        writes qapi_commands.h, grouped_schema.c, flat_schema.c

    qapi_gen.py manual --output FILE grouped=qapi/grouped.json flat=qapi/flat.json
        writes the reference part of a manual page, in the language of scdoc
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True  # the source tree stays as it is

# pylint: disable=wrong-import-position
from qapi.manual import reference_manual
from qapi.schema import Schema, load
from qapi.source import QapiError
from qapi.tables import commands_header, schema_source

def parse_schema(argument: str) -> tuple[str, str]:
    """PREFIX=FILE of the command line."""
    prefix, separator, file = argument.partition("=")
    if not separator or not prefix.isidentifier():
        raise argparse.ArgumentTypeError(f"'{argument}' is not of the form PREFIX=FILE")
    return prefix, file


def write_c(options: argparse.Namespace, schemas: dict[str, Schema]) -> list[pathlib.Path]:
    """Writes the header and one C file per schema; returns their paths."""
    header = options.header
    texts = {header: commands_header(schemas, header)}
    for prefix, file in options.schemas:
        texts[f"{prefix}_schema.c"] = schema_source(prefix, schemas[prefix],
                                                    pathlib.Path(file).name, header)
    for name, text in texts.items():
        (options.directory / name).write_text(text, encoding="ascii")
    return [options.directory / name for name in texts]


def write_manual(options: argparse.Namespace, schemas: dict[str, Schema]) -> list[pathlib.Path]:
    """Writes the manual; returns its path."""
    options.output.write_text(reference_manual(schemas), encoding="ascii")
    return [options.output]


def write_depfile(depfile: pathlib.Path, made: list[pathlib.Path],
                  schemas: dict[str, Schema]) -> None:
    """A rule for make: what was made depends on all files that were read, and on this program."""
    program = pathlib.Path(__file__)
    used = {program, *(program.parent / "qapi").glob("*.py")}
    used |= {pathlib.Path(file) for schema in schemas.values() for file in schema.files}
    depfile.write_text(f"{' '.join(map(str, made))}: {' '.join(sorted(map(str, used)))}\n",
                       encoding="utf-8")


def parse_options() -> argparse.Namespace:
    """The command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--depfile", type=pathlib.Path, help="write a rule for make, too")
    common.add_argument("schemas", type=parse_schema, nargs="+", metavar="PREFIX=FILE",
                        help="a schema, and what its C names start with")
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True, metavar="{c,manual}")
    c = verbs.add_parser("c", parents=[common], help="C tables")
    c.add_argument("--directory", type=pathlib.Path, default=pathlib.Path("."))
    c.add_argument("--header", default="qapi_commands.h")
    c.set_defaults(write=write_c)
    manual = verbs.add_parser("manual", parents=[common], help="reference manual")
    manual.add_argument("--output", type=pathlib.Path, required=True)
    manual.set_defaults(write=write_manual)
    return parser.parse_args()


def main() -> int:
    """Returns the exit status."""
    options = parse_options()
    try:
        schemas = {prefix: load(file) for prefix, file in options.schemas}
    except QapiError as error:
        print(error, file=sys.stderr)
        return 1
    made = options.write(options, schemas)
    if options.depfile:
        write_depfile(options.depfile, made, schemas)
    return 0


if __name__ == "__main__":
    sys.exit(main())
