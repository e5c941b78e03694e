# SPDX-License-Identifier: MIT
"""The generator for QAPI language, by golden files.

cases/ has schemas that are wrong, each with the error that is expected; good/ has schemas with the
expected outputs. UPDATE_GOLDEN=1 in the environment writes the golden files anew: read the
difference before you keep it.
"""

import ast
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = pathlib.Path(__file__).with_name("cases")
GOOD = pathlib.Path(__file__).with_name("good")
GENERATOR = ROOT / "scripts" / "qapi_gen.py"
SCHEMAS = ["everything=everything.json", "brief=brief.json"]

sys.path.insert(0, str(GENERATOR.parent))
# pylint: disable=wrong-import-position
from qapi.introspection import introspect
from qapi.schema import Schema, load
from qapi.source import QapiError


def check_golden(path: pathlib.Path, text: str) -> None:
    """Compares a text with a golden file."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.exists() and text == path.read_text(encoding="utf-8")


def generate(*arguments: str | pathlib.Path,
             cwd: pathlib.Path = GOOD) -> subprocess.CompletedProcess:
    """Runs the program itself."""
    return subprocess.run([sys.executable, GENERATOR, *arguments], cwd=cwd, text=True,
                          capture_output=True, check=False)


def open_values(schema: Schema, **values: list[str]) -> list[dict]:
    """The introspection as a server returns it that has these values of open enums."""
    text = ""
    for piece in introspect(schema):
        text += "".join(piece.texts)
        if piece.values:
            elements = [piece.values.prefix + value + piece.values.suffix
                        for value in values.get(piece.values.enum, [])]
            text += ", " if elements and piece.values.follows else ""
            text += ", ".join(elements)
    entries = json.loads(text)
    assert json.dumps(entries) == text  # the spacing is right, too
    return entries


# ---- schemas that are wrong ---------------------------------------------------------------------

@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.json")))
def test_wrong_schema(case, monkeypatch):
    """The error is the expected one, to the letter."""
    monkeypatch.chdir(CASES)
    with pytest.raises(QapiError) as caught:
        load(f"{case}.json")
    check_golden(CASES / f"{case}.err", f"{caught.value}\n")


def error_places() -> set[tuple[str, int]]:
    """Where the generator's sources make an error."""
    places = set()
    for path in (GENERATOR.parent / "qapi").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "QapiError":
                places.add((path.name, node.lineno))
    return places


def test_each_error_has_a_case(monkeypatch):
    """Whoever adds a check adds a case."""
    places = set()
    make_error = QapiError.__init__

    def note_place(self, *arguments):
        # pylint: disable=protected-access
        caller = sys._getframe(1)
        places.add((pathlib.Path(caller.f_code.co_filename).name, caller.f_lineno))
        make_error(self, *arguments)

    monkeypatch.setattr(QapiError, "__init__", note_place)
    monkeypatch.chdir(CASES)
    for path in CASES.glob("*.json"):
        with pytest.raises(QapiError):
            load(path.name)
    assert error_places() - places == set()


def test_no_expected_error_is_left_over():
    """Each expected error belongs to a schema."""
    errors = {path.stem for path in CASES.glob("*.err")}
    assert errors == {path.stem for path in CASES.glob("*.json")}


def test_the_program_reports_an_error():
    """On stderr, with status 1, and it writes nothing."""
    done = generate("manual", "--output", "/dev/null/none", "x=type-unknown.json", cwd=CASES)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (CASES / "type-unknown.err").read_text(encoding="utf-8")


@pytest.mark.parametrize("argument", ["everything.json", "=everything.json", "a-b=everything.json"])
def test_a_schema_needs_a_prefix(argument):
    """Otherwise the C names would have no beginning."""
    done = generate("c", argument)
    assert done.returncode == 2
    assert "is not of the form PREFIX=FILE" in done.stderr


# ---- schemas that are right ---------------------------------------------------------------------

def test_c_tables(tmp_path):
    """Header, tables and the rule for make are as expected."""
    done = generate("c", "--directory", tmp_path, "--depfile", tmp_path / "depfile", *SCHEMAS)
    assert (done.returncode, done.stderr) == (0, "")
    check_golden(GOOD / "qapi_commands.h", (tmp_path / "qapi_commands.h").read_text("ascii"))
    for prefix in ("everything", "brief"):
        check_golden(GOOD / f"{prefix}_schema.c",
                     (tmp_path / f"{prefix}_schema.c").read_text("ascii"))
    made, _, used = (tmp_path / "depfile").read_text("ascii").partition(":")
    assert {pathlib.Path(path).name for path in made.split()} == {
        "qapi_commands.h", "everything_schema.c", "brief_schema.c"}
    assert {"shapes.json", "everything.json", "brief.json", "qapi_gen.py", "lexer.py"} <= {
        pathlib.Path(path).name for path in used.split()}


def test_the_header_has_a_name(tmp_path):
    """Two sets of tables can live in one program."""
    done = generate("c", "--directory", tmp_path, "--header", "other.h", "brief=brief.json")
    assert done.returncode == 0
    assert (tmp_path / "other.h").exists()
    assert '#include "other.h"' in (tmp_path / "brief_schema.c").read_text("ascii")


def test_manual(tmp_path):
    """What both schemas have is there once, what differs is told apart."""
    done = generate("manual", "--output", tmp_path / "manual.scd", *SCHEMAS)
    assert (done.returncode, done.stderr) == (0, "")
    check_golden(GOOD / "manual.scd", (tmp_path / "manual.scd").read_text("ascii"))


def test_the_manual_is_valid_scdoc():
    """scdoc takes it behind a preamble."""
    scdoc = shutil.which("scdoc")
    if not scdoc:
        pytest.skip("scdoc is not installed")
    page = f"qapi-test(7)\n\n{(GOOD / 'manual.scd').read_text('ascii')}"
    done = subprocess.run([scdoc], input=page, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_introspection(monkeypatch):
    """As a server returns it that knows two further values of each open enum."""
    monkeypatch.chdir(GOOD)
    entries = open_values(load("everything.json"), Plugin=["moon", "sunset"],
                          Weather=["fog", "hail"])
    check_golden(GOOD / "introspection.json", json.dumps(entries, indent=1) + "\n")


# ---- the contract -------------------------------------------------------------------------------

@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "qapi").glob("*.json")))
def test_each_file_of_the_contract_stands_by_itself(file, monkeypatch):
    """A file includes what it needs."""
    monkeypatch.chdir(ROOT / "qapi")
    load(file)


def expanded(entries: dict[str, dict], name: str) -> dict:
    """An entry with the entries of its types in it, and without the names that mean nothing."""
    entry = {key: value for key, value in entries[name].items() if key != "name"}
    for key in ("arg-type", "ret-type", "element-type"):
        if key in entry:
            entry[key] = expanded(entries, entry[key])
    for key in ("members", "variants"):
        if key in entry:
            entry[key] = [{**part, "type": expanded(entries, part["type"])} if "type" in part
                          else part for part in entry[key]]
    return entry


def by_name(entries: list[dict]) -> dict[str, dict]:
    """Entries of an introspection."""
    return {entry["name"]: entry for entry in entries}


OURS = {"help", "failures", "failure"}  # optional, and said only to those who ask for it


def without_ours(value):
    if isinstance(value, list):
        return [without_ours(each) for each in value
                if not (isinstance(each, dict) and each.get("name") in OURS and "default" in each)]  # fmt: skip
    if isinstance(value, dict):
        return {key: without_ours(each) for key, each in value.items()}
    return value


@pytest.mark.parametrize("file", ["flat.json", "machine.json", "introspect.json"])
def test_commands_are_those_of_qemu(file, monkeypatch):
    """qemu-7.2.jsonl is what QEMU 7.2 says of these commands, with its 'kvm' as the provider."""
    monkeypatch.chdir(ROOT / "qapi")
    recorded = pathlib.Path(__file__).with_name("qemu-7.2.jsonl").read_text("ascii").splitlines()
    qemu = by_name(map(json.loads, recorded))
    schema = load(file)
    ours = by_name(open_values(schema, StatsProvider=["kvm"]))
    shared = [name for name in schema.commands if name in qemu]
    assert len(shared) >= 1
    for name in shared:
        assert json.dumps(without_ours(expanded(ours, name))) == json.dumps(expanded(qemu, name))


def test_the_empty_type_is_0(monkeypatch):
    """In all schemas, although its first use may come late."""
    monkeypatch.chdir(ROOT / "qapi")
    for file in ("grouped.json", "flat.json"):
        entries = by_name(open_values(load(file)))
        assert entries["0"]["members"] == []
        assert entries["qmp_capabilities"]["ret-type"] == "0"
