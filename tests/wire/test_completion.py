# SPDX-License-Identifier: MIT
"""What the shell offers behind `vitals`, from the same tables as --help."""

import re
import shutil
import subprocess

import pytest

from support.programs import TIMEOUT, VITALS, run

VERBS = re.findall(r"^  (\w+) ", run("--help").stdout, re.MULTILINE)


def options_of(verb):
    """What --help names."""
    text = run(verb, "--help").stdout
    return re.findall(r"^  (?:    |-\w, )(--[\w-]+)", text, re.MULTILINE)


def bash(script):
    return subprocess.run(
        ["bash", "--norc", "-c", f'source <("{VITALS}" completion bash)\n{script}'],
        capture_output=True, text=True, timeout=TIMEOUT, check=True,
    ).stdout.split()  # fmt: skip


def completed(*words):
    """What bash offers for the last of the words."""
    line = " ".join(f"'{word}'" for word in ("vitals", *words))
    return bash(
        f'COMP_WORDS=({line}); COMP_CWORD={len(words)}; _vitals; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )


def test_verbs():
    assert set(VERBS) <= set(completed(""))
    assert completed("sche") == ["schemas"]
    assert set(completed("help", "")) >= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_options(verb):
    assert set(completed(verb, "--")) == set(options_of(verb)) != set()


def test_values():
    assert completed("stats", "--target", "v") == ["vm", "vcpu"]
    assert completed("stats", "-o", "") == ["table", "json", "csv"]
    assert completed("demo", "--guest", "sp") == ["spin"]
    assert completed("stats", "--timeout", "") == []


def test_files(programs):
    path = programs.write("one.sock", b"")
    assert completed("stats", "--socket", programs.path("o")) == [path]


HISTOGRAMS = {"halt_poll_success_hist", "halt_poll_fail_hist", "halt_wait_hist"}


def test_operands(programs, monkeypatch):
    """Files only where files belong."""
    programs.write("before.json", b"")
    programs.write("halt_wait.txt", b"")
    monkeypatch.chdir(programs.directory)
    assert completed("completion", "") == ["bash", "zsh"]
    assert completed("diff", "b") == ["before.json"]
    assert HISTOGRAMS <= set(completed("hist", ""))
    assert all(name.endswith("_hist") for name in completed("hist", ""))
    assert completed("describe", "halt_wait") == ["halt_wait_ns", "halt_wait_hist"]
    assert len(set(completed("describe", ""))) == len(completed("describe", "")) > 50
    for verb in set(VERBS) - {"completion", "describe", "diff", "hist"}:
        assert completed(verb, "") == []


def zsh_parts():
    """What stands there for each verb."""
    text = run("completion", "zsh").stdout
    assert text.startswith("#compdef vitals\n")
    parts = re.findall(r"^    (\w+)\)\n(.*?);;$", text, re.MULTILINE | re.DOTALL)
    assert [verb for verb, _ in parts] == VERBS
    return dict(parts)


def test_zsh_names_all_options():
    for verb, part in zsh_parts().items():
        for option in options_of(verb):
            assert f"{option}[" in part or f"{option}=[" in part


def test_zsh_operands():
    found = {verb: re.findall(r"'\*:[^:]*:(.*)'", part) for verb, part in zsh_parts().items()}
    assert found.pop("diff") == ["_files"]
    assert found.pop("completion") == ["(bash zsh)"]
    for verb, some in ("hist", HISTOGRAMS), ("describe", {"exits", *HISTOGRAMS}):
        (names,) = found.pop(verb)
        assert some <= set(names.strip("()").split())
    assert set(map(tuple, found.values())) == {()}


def test_zsh_reads_it():
    if not shutil.which("zsh"):
        pytest.fail("zsh is missing: it reads the completion")
    script = run("completion", "zsh").stdout
    subprocess.run(["zsh", "-f", "-n"], input=script, text=True, timeout=TIMEOUT, check=True)
    loaded = subprocess.run(
        ["zsh", "-f", "-c", f'autoload -U compinit; compinit -u -D; source <("{VITALS}" completion '
         'zsh); print -- $_comps[vitals]'],
        capture_output=True, text=True, timeout=TIMEOUT, check=True,
    )  # fmt: skip
    assert (loaded.stdout, loaded.stderr) == ("_vitals\n", "")


@pytest.mark.parametrize("arguments, text", [
    ([], "which shell? There is: bash zsh"),
    (["fish"], "unknown shell 'fish'; there is: bash zsh"),
])  # fmt: skip
def test_wrong_usage(arguments, text):
    result = run("completion", *arguments)
    assert (result.returncode, result.stdout) == (2, "") and text in result.stderr
