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


def test_zsh_names_all_options():
    text = run("completion", "zsh").stdout
    assert text.startswith("#compdef vitals\n")
    for verb in VERBS:
        (part,) = re.findall(rf"^    {verb}\)\n(.*?);;$", text, re.MULTILINE | re.DOTALL)
        for option in options_of(verb):
            assert f"{option}[" in part or f"{option}=[" in part


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
