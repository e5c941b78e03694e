# SPDX-License-Identifier: MIT
"""What the shell offers behind `vitals`, from the same tables as --help, and from VMs."""

import os
import re
import shlex
import subprocess

import pytest

from support import shells
from support.programs import TIMEOUT, run, stat, without_right_to_read_the_kernel

VERBS = re.findall(r"^  (\w+) ", run("--help").stdout, re.MULTILINE)
SHELLS = ["bash", "zsh", "fish"]
WITHOUT_VM = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}


def options_of(verb):
    """What --help names."""
    text = run(verb, "--help").stdout
    return re.findall(r"^  (?:    |-\w, )(--[\w-]+)", text, re.MULTILINE)


def answer(*words):
    """What is said for the last of the words: what kind it is, and the names. No host is read."""
    result = run("completion", "words", "--", *words, env=WITHOUT_VM,
                 preexec_fn=without_right_to_read_the_kernel)  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    kind, *names = result.stdout.splitlines()
    return kind, [name.split("\t")[0] for name in names]


def offered(*words):
    kind, names = answer(*words)
    assert kind == "words"
    return names


# ---- what there is ------------------------------------------------------------------------------


def test_verbs():
    assert set(VERBS) <= set(offered(""))
    assert offered("sche") == ["schemas"]
    assert set(offered("help", "")) >= set(VERBS)
    assert offered("--json", "--vm", "stats", "sche") == ["schemas"]


@pytest.mark.parametrize("verb", VERBS)
def test_options(verb):
    assert offered(verb, "--") == options_of(verb) != []


def test_options_before_the_verb():
    names = offered("--")
    assert len(names) == len(set(names))
    assert set(names) == {option for verb in VERBS for option in options_of(verb)}


def test_values():
    assert offered("stats", "--target", "v") == ["vm", "vcpu"]
    assert offered("stats", "-o", "") == ["table", "json", "csv"]
    assert offered("stats", "--output=c") == ["csv"]
    assert offered("stats", "-zo", "j") == ["json"]
    assert offered("--output", "c") == ["csv"]
    assert offered("demo", "--guest", "sp") == ["spin"]
    assert offered("stats", "--timeout", "") == []
    assert answer("stats", "--", "--stat", "") == ("files", [])
    for words in ["stats", "--socket", ""], ["stats", "--socket="], ["snap", "-f", "x"], ["diff", ""]:
        assert answer(*words) == ("files", [])


HISTOGRAMS = {"halt_poll_success_hist", "halt_poll_fail_hist", "halt_wait_hist"}


def test_operands():
    """Files only where files belong; statistics that are known where no VM answers."""
    assert offered("completion", "") == SHELLS
    assert set(offered("hist", "")) == HISTOGRAMS
    assert offered("describe", "halt_wait") == ["halt_wait_hist", "halt_wait_ns"]
    assert len(set(offered("describe", ""))) == len(offered("describe", "")) > 50
    assert offered("stats", "--stat", "exits,halt_wait_h") == ["exits,halt_wait_hist"]
    for verb in set(VERBS) - {"completion", "describe", "diff", "hist"}:
        assert answer(verb, "")[1] == []


# ---- what VMs have ------------------------------------------------------------------------------


@pytest.fixture
def vms(programs):
    """The sockets of two VMs."""
    servers = [programs.server(name=name) for name in ("web:1", "$(touch x) y")]
    for i, server in enumerate(servers):
        server.tell("register", f"p{i}/vcpu", stat(f"count{i}"), stat(f"odd{i}", "log-hist", count=3))
        server.tell("row", f"p{i}/vcpu", "cpu/0", 1, 1, 1, 1)
    return [server.path for server in servers]


def test_paths_of_objects(programs):
    """Those that --vcpu knows by their numbers are not among them."""
    server = programs.server()
    for target, path in ("vcpu", "cpu/0"), ("disk", "disk/ab"), ("nic", "nic/0"):
        server.tell("register", f"p/{target}", stat("count"))
        server.tell("row", f"p/{target}", path, 1)
    for verb in "stats", "snap", "hist":
        assert offered(verb, "--socket", server.path, "--object", "") == ["disk/ab", "nic/0"]
    assert offered("stats", "--socket", server.path, "--object", "n") == ["nic/0"]


def test_names_of_vms(vms, programs):
    both = ["--socket", vms[0], f"--socket={vms[1]}"]
    assert offered("stats", *both, "--stat", "") == ["count0", "count1", "odd0", "odd1"]
    assert offered("stats", *both, "--provider", "") == ["p0", "p1"]
    assert offered("stats", *both, "--provider", "p1", "--stat", "c") == ["count1"]
    assert offered("hist", *both, "") == ["odd0", "odd1"]
    assert offered("stats", *both, "--vm", "") == ["$(touch x) y", "web:1"]
    assert offered("stats", *both, "--vm", "web*", "--stat", "") == ["count0", "odd0"]
    assert offered("stats", "--socket", vms[0], "--stat=") == ["count0", "odd0"]
    demo = programs.demo("--vcpus", 3, "--guest", "none")
    assert offered("stats", "--socket", demo.path, "--vcpu", "0,") == ["0,0", "0,1", "0,2"]


def test_a_vm_that_is_named_in_the_environment(vms):
    words = ["completion", "words", "--", "stats", "--stat", ""]
    text = run(*words, env={**os.environ, "VITALS_SOCKET": vms[0]}).stdout
    assert text.split() == ["words", "count0", "odd0"]


@pytest.mark.parametrize("line, names", [
    ("vitals sche", ["schemas"]), ("vitals stats  -o js", ["json"]), ("vitals stats -o ", 3),
    ("vitals 'stats' \"-o\" 'cs", ["csv"]), ("vitals st\\ats -o c\\s", ["csv"]),
    ("true; cd x && vitals sche", ["schemas"]), ('vitals stats -o "\\"', []), ("vitals", None), ("", None),
    ("vitals stats -o js\\", []),
])  # fmt: skip
def test_a_line_of_bash(line, names):
    """Its words, without their quotes, as far as they have been typed."""
    result = run("completion", "line", "--", line, env=WITHOUT_VM)
    assert (result.returncode, result.stderr) == (0, "")
    found = [name.split("\t")[0] for name in result.stdout.splitlines()[1:]]
    assert found == (names or []) or len(found) == names


def test_sockets_that_do_not_answer_are_no_trouble(programs):
    missing = programs.path("missing.sock")
    assert "halt_wait_ns" in offered("stats", "--socket", missing, "--stat", "")
    assert offered("stats", "--socket", missing, "--vm", "") == []


# ---- shells -------------------------------------------------------------------------------------

ODD = "a b:c=d'e\"f$g\\h.sock"


@pytest.fixture(params=["bash", "zsh"])
def shell(request, programs):
    return programs.keep(shells.Shell(request.param, programs.directory))


@pytest.mark.parametrize("typed, line", [
    ("vitals sche", "vitals schemas "),
    ("vitals stats --nonz", "vitals stats --nonzero "),
    ("vitals --jso", "vitals --json "),
    ("vitals stats -o js", "vitals stats -o json "),
    ("vitals stats --output=js", "vitals stats --output=json "),
    ("vitals describe halt_wait_n", "vitals describe halt_wait_ns "),
    ("vitals describe --stat exits,halt_wait_n", "vitals describe --stat exits,halt_wait_ns "),
    ("vitals describe --stat=halt_wait_n", "vitals describe --stat=halt_wait_ns "),
])  # fmt: skip
def test_typed(shell, typed, line):
    assert shell.complete(typed).rstrip() == line.rstrip()


@pytest.mark.parametrize("option", ["--socket ", "--socket=", "-f "])
def test_files_of_any_name(shell, programs, option):
    programs.write(ODD, b"")
    line = shell.complete(f"vitals snap {option}{programs.directory}/a")
    assert shlex.split(line.replace("=", "= ", 1) if "=" in option else line)[-1] == (
        programs.path(ODD))


def test_names_are_quoted(shell, programs, vms):
    line = shell.complete(f"vitals stats --socket {vms[0]} --vm we")
    assert shlex.split(line)[-1] == "web:1"
    shell.send("\x15")
    line = shell.complete(f"vitals stats --socket {vms[0]} --vm web\\:")
    assert shlex.split(line)[-1] == "web:1"
    shell.send("\x15")
    line = shell.complete(f"vitals stats --socket {vms[1]} --vm \\$")
    assert shlex.split(line)[-1] == "$(touch x) y"
    assert not os.path.exists(programs.path("x"))


def test_fish(programs, vms):
    assert shells.fish("vitals sche") == ["schemas"]
    assert shells.fish("vitals stats --output=js") == ["--output=json"]
    assert shells.fish("vitals describe --stat exits,halt_wait_n") == ["exits,halt_wait_ns"]
    assert shells.fish(f"vitals stats --socket {vms[0]} --vm w") == ["web:1"]
    assert shells.fish(f"vitals stats --socket={vms[1]} --vm ") == ["$(touch x) y"]
    programs.write(ODD, b"")
    assert shells.fish(f"vitals diff {programs.directory}/a") == [programs.path(ODD)]
    assert shells.fish(f"vitals stats --socket={programs.directory}/a") == [
        f"--socket={programs.path(ODD)}"
    ]


def test_zsh_loads_it_as_a_file_of_its_own(programs):
    """As it is installed: a function named _vitals in the path of functions."""
    programs.write("_vitals", run("completion", "zsh").stdout.encode())
    loaded = subprocess.run(
        ["zsh", "-f", "-c", f'fpath=("{programs.directory}" $fpath); autoload -U compinit; '
         'compinit -u -D; print -- $_comps[vitals]'],
        capture_output=True, text=True, timeout=TIMEOUT, check=True,
    )  # fmt: skip
    assert (loaded.stdout, loaded.stderr) == ("_vitals\n", "")


@pytest.mark.parametrize("arguments, text", [
    ([], "which shell? There is: bash zsh fish"),
    (["bash", "zsh"], "which shell? There is: bash zsh fish"),
    (["tcsh"], "unknown shell 'tcsh'; there is: bash zsh fish"),
])  # fmt: skip
def test_wrong_usage(arguments, text):
    result = run("completion", *arguments)
    assert (result.returncode, result.stdout) == (2, "") and text in result.stderr
