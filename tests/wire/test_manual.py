# SPDX-License-Identifier: MIT
"""The manual pages: they can be rendered, name all options, and their examples are true."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from support import manual, shapes
from support.introspection import Schema
from support.programs import ROOT, run, stat

DOCS = ROOT / "docs"
PAGES = ["vitals.1", "vitals.3", "vitals-demo.1", "vitals-qmp.7"]
SCHEMAS = [f"{dialect}={ROOT}/qapi/{dialect}.json" for dialect in ("grouped", "flat")]


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The part of the page on the protocol that is made from the contract."""
    path = tmp_path_factory.mktemp("manual") / "reference.scd"
    generator = ROOT / "scripts" / "qapi_gen.py"
    command = [sys.executable, generator, "manual", "--output", path, *SCHEMAS]
    subprocess.run(command, check=True)
    return path.read_text("utf-8")


@pytest.fixture(params=PAGES)
def page(request, reference):
    """(name, the whole text) of each page."""
    text = (DOCS / f"{request.param}.scd").read_text("utf-8")
    return request.param, text + (reference if request.param == "vitals-qmp.7" else "")


# ---- the form -----------------------------------------------------------------------------------


def filtered(command, data, **options):
    """What a command makes of its input, without any complaint."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, input=data, capture_output=True, check=False, **options)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_a_page_can_be_rendered(programs, page):
    name, text = page
    path = programs.write(name, filtered(["scdoc"], text.encode()))
    shown = filtered(["man", "--warnings=all", "-l", path], b"").decode()
    for title in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert re.search(f"^{title}$", shown, re.MULTILINE)
    assert f"{name[:-2]} - " in " ".join(shown.split())


def test_each_page_has_a_name_of_its_own(page):
    name, text = page
    assert text.startswith(f"{name[:-2]}({name[-1]})\n")


def test_pages_name_each_other(page):
    name, text = page
    for other in set(PAGES) - {name}:
        assert f"*{other[:-2]}*({other[-1]})" in text


def test_the_first_page_names_all_others():
    pages = {path.name.removesuffix(".scd") for path in DOCS.glob("*.scd")} - {"vitals.1"}
    named = re.findall(r"\*(vitals(?:-[a-z]+)?)\*\((\d)\)", manual.section("vitals.1", "SEE ALSO"))
    assert {f"{name}.{number}" for name, number in named} == pages
    for page in pages:
        assert "*vitals*(1)" in manual.section(page, "SEE ALSO")


def test_the_environment_is_that_of_the_program():
    sources = (path.read_text("utf-8") for path in (ROOT / "src").rglob("*.c"))
    read = {name for text in sources for name in re.findall(r'getenv\("([A-Z_]+)"\)', text)}
    described = set(re.findall(r"^_([A-Z_]+)_", manual.section("vitals.1", "ENVIRONMENT"), re.MULTILINE))
    assert read and read <= described


def test_readme_begins_with_what_a_reader_needs():
    """Without a scroll: what it is for, how to begin, and what it can be pointed at."""
    begin = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:25])
    for text in ("sudo vitals top", "docs/top.svg", "-qmp unix:", "virt-qemu-qmp-proxy", "Proxmox",
                 "kvm_stat", "make demo", "make check"):  # fmt: skip
        assert text in begin


# ---- options ------------------------------------------------------------------------------------


def options_of(text):
    return set(re.findall(r"--[a-z][a-z-]*", text))


@pytest.mark.parametrize("name, verb", [("vitals.1", []), ("vitals-demo.1", ["demo"])])
def test_options_are_those_of_the_program(name, verb):
    text = run(*verb, "--help").stdout
    page = manual.section(name, "OPTIONS")
    described = re.findall(r"^(?:\*-\w\*(?: _\S+_)?, )?\*(--[a-z-]+)\*", page, re.MULTILINE)
    assert set(described) == options_of(text) != set()


VERBS = re.findall(r"^  ([a-z]+) ", run("--help").stdout, re.MULTILINE)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "completion"])
def test_each_option_is_described(verb):
    """A page has the options of --help, in the same order. `completion` has none."""
    text = (DOCS / f"vitals-{verb}.1.scd").read_text("utf-8")
    described = re.findall(r"^(?:\*-\w\*(?: _\S+_)?, )?\*(--[a-z-]+)\*", text, re.MULTILINE)
    shown = re.findall(r"^  (?:    |-\w, )(--[a-z-]+)", run(verb, "--help").stdout, re.MULTILINE)
    assert described == shown != []


def test_keys_are_those_of_the_program():
    """The page of top has each key of its help, in the same order."""
    source = (ROOT / "src/top/keys.c").read_text("utf-8")
    table = re.search(r"keys\[\] = \{\n(.*?)^\};", source, re.MULTILINE | re.DOTALL)[1]
    # Behind the codes of a key are its names.
    names = re.findall(r'^    \{\{[^}]*\},\s+"([^"]+)"', table, re.MULTILINE)
    shown = re.findall(r"^\*.*\*$", manual.section("vitals-top.1", "KEYS"), re.MULTILINE)
    assert len(names) > 10
    assert [key for each in names for key in each.split(", ")] == [
        key.strip("*").replace("\\", "") for line in shown for key in line.split(", ")
    ]


def test_verbs_are_those_of_the_program():
    text = (DOCS / "vitals.1.scd").read_text("utf-8")
    verbs = re.search(r"^# VERBS\n(.*?)^#", text, re.MULTILINE | re.DOTALL)[1]
    assert re.findall(r"^\*([a-z]+)\*$", verbs, re.MULTILINE) == [*VERBS, "help"]


# ---- examples -----------------------------------------------------------------------------------


def messages(block):
    """[(direction, message)] of a literal block; a message can have several lines."""
    parts = re.findall(r"^(->|<-) (.*?)(?=^->|^<-|\Z)", block, re.MULTILINE | re.DOTALL)
    return [(direction, json.loads(text)) for direction, text in parts]


def examples(text):
    """(dialect, request, reply) of each example."""
    found, dialect = [], "grouped"
    for heading, block in re.findall(r"^(#+ .*?$)|^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if heading.startswith("# "):
            dialect = "grouped"
        if "DIALECT" in heading.upper():
            dialect = heading.lower().split()[-1]
        lines = messages(block.replace("\\\\", "\\")) if block else []
        for (_, request), (direction, reply) in zip(lines, lines[1:]):
            if direction == "<-" and "execute" in request:
                found.append((dialect, request, reply))
    return found


@pytest.fixture
def clients(programs, server):
    """A client for each dialect, of a VM with the providers of the examples."""
    for target in ("vm", "vcpu"):
        for provider in ("kvm", "xyz"):
            server.tell("register", f"{provider}/{target}", stat(f"{provider}_stat"))
    server.tell("register", "drive/block", stat("reads"))
    path = programs.path("flat.sock")
    server.tell("listen", path, "flat")
    return {"grouped": programs.client(server), "flat": programs.client(path)}


def check_example(client, request, reply):
    schema = Schema(client.execute("query-qmp-schema"))
    command, arguments = request["execute"], request.get("arguments", {})
    shapes.check_reply(reply)
    assert reply.get("id") == request.get("id")
    if command == "qmp_capabilities":
        assert reply == {"return": {}}
    elif "error" in reply:
        assert client.ask(json.dumps(request)) == reply
    else:
        assert "return" in client.ask(json.dumps(request))
        schema.check_return(command, reply["return"])
        shapes.check_return(command, arguments, reply["return"])


def test_examples_are_true(clients, reference):
    """Requests are answered, and the replies have the form that the server's would have."""
    found = examples((DOCS / "vitals-qmp.7.scd").read_text("utf-8")) + examples(reference)
    for dialect, request, reply in found:
        check_example(clients[dialect], request, reply)
    commands = [(dialect, request["execute"]) for dialect, request, _ in found]
    for dialect in ("grouped", "flat"):
        assert commands.count((dialect, "query-stats")) >= 4
        assert commands.count((dialect, "query-stats-schemas")) >= 2
    assert len(found) >= 20


def test_the_greeting_of_the_page_is_one():
    text = (DOCS / "vitals-qmp.7.scd").read_text("utf-8")
    block = re.search(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    shapes.check_greeting(messages(block)[0][1])


# ---- limits -------------------------------------------------------------------------------------


def limits_of_headers():
    """(name, value) of the limits that the public header and the sources name."""
    sources = {
        "VITALS_MESSAGE_MAX": "include/vitals/qmp.h",
        "VITALS_NESTING_MAX": "include/vitals/qmp.h",
        "VITALS_CLIENTS_MAX": "include/vitals/qmp.h",
        "VITALS_MEMORY_MAX": "include/vitals/qmp.h",
        "VITALS_PROVIDERS_MAX": "include/vitals/qmp.h",
        "FRAME_TOKENS_MAX": "src/qmp/frame.h",
        "JSON_MEMBERS_MAX": "src/base/json_members.h",
        "FLAT_PROVIDERS_MAX": "src/qmp/flat.c",
        "SERVER_REPLY_MAX": "src/server/internal.h",
    }
    for name, file in sources.items():
        text = (ROOT / file).read_text("utf-8")
        yield name, re.search(rf"{name}\s+(?:= )?([^/,}}\n]+)", text)[1]


def value_of(expression):
    """Of what C and Python write alike."""
    assert re.fullmatch(r"[0-9()<* ]+", expression), expression
    return eval(expression)  # pylint: disable=eval-used


def test_limits_are_those_of_the_sources():
    text = (DOCS / "vitals-qmp.7.scd").read_text("utf-8")
    section = re.search(r"^# LIMITS\n(.*?)^# ", text, re.MULTILINE | re.DOTALL)[1]
    stated = re.findall(r"^\|.*\n:  (\d+)( MiB)?", section, re.MULTILINE)
    values = {int(number) << (20 if unit else 0) for number, unit in stated}
    assert values == {value_of(expression) for _, expression in limits_of_headers()}
