# SPDX-License-Identifier: MIT
"""The command line: exit status 0, 1 for an error, 2 for wrong usage, which is said on stderr."""

import json
import os
import re
import shlex
import subprocess

import pytest

from support.programs import ROOT, TIMEOUT, VITALS, run
from support.strangers import FakeQemu

VERBS = ["completion", "demo", "describe", "diff", "doctor", "export", "hist", "list", "schemas", "snap", "stats",
         "top"]


# ---- help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["help"]])
def test_help(arguments):
    result = run(*arguments)
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.startswith("Usage: vitals VERB")
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("form", [["{}", "--help"], ["help", "{}"], ["{}", "-h"], ["--help", "{}"]])
def test_help_of_a_verb(verb, form):
    result = run(*[word.format(verb) for word in form])
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.startswith(f"Usage: vitals {verb}")


def widest(words, columns=None):
    """The columns of the widest line that a command prints to what is no terminal."""
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "VITALS_SOCKET")}
    result = run(*words, env={**environment, **({"COLUMNS": columns} if columns else {})})
    assert result.stdout
    return max(map(len, result.stdout.splitlines()))


TEXTS = [["--help"], *([verb, "--help"] for verb in VERBS), ["describe", "exits", "halt_wait_hist"],
         ["doctor"]]  # fmt: skip


@pytest.mark.parametrize("words", TEXTS, ids=" ".join)
def test_text_is_as_wide_as_the_terminal(words):
    assert widest(words) <= 79
    for columns in 120, 80, 60:
        assert widest(words, str(columns)) <= min(columns, 100)


def test_help_of_demo_has_all_options():
    text = run("demo", "--help").stdout
    options = "vcpus guest qmp name seconds pause-after record recording help version"
    for option in options.split():
        assert f" --{option} " in text


def test_help_of_demo_has_all_that_can_stand_behind_a_path():
    shown = run("demo", "--help").stdout.partition("--qmp ")[2].partition("--name ")[0]
    for key in "dialect=grouped|flat", "mode=OCTAL", "providers=NAME":
        assert re.search(rf"^ +{re.escape(key)}", shown, re.MULTILINE)


def test_version():
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    result = run("--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"vitals {version}\n", "")


@pytest.mark.parametrize("words", [["-V"], *([verb, word] for verb in VERBS for word in ("-V", "--version"))])
def test_version_everywhere(words):
    assert run(*words).stdout == run("--version").stdout != ""


@pytest.mark.parametrize("words", [["-h"], ["--json", "--help"], ["help", "-h"]])
def test_help_in_short(words):
    assert run(*words).stdout == run("--help").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["--version"]])
def test_help_that_cant_be_written_is_an_error(arguments):
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [VITALS, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False
        )
    assert result.returncode == 1


@pytest.mark.parametrize("verb, options, status", [
    ("stats", [], 1), ("hist", [], 1), ("list", ["--json"], 1), ("snap", ["-f", "{file}"], 0),
    ("snap", [], 1),
])  # fmt: skip
def test_closed_files_do_not_become_the_socket(programs, verb, options, status):
    """What is meant for standard output and standard error does not reach the VM."""

    class Vm(FakeQemu):
        asked = []

        def answer(self, line):
            self.asked.append(json.loads(line)["execute"])  # fails where it is no command
            return super().answer(line)

    hist = {"name": "wait", "type": "log2-histogram"}
    schemas = {"return": [{"provider": "kvm", "target": "vm", "stats": [hist]}]}
    values = {"return": [{"provider": "kvm", "stats": [{"name": "wait", "value": [1, 2]}]}]}
    vm = programs.keep(Vm(programs.path("vm.sock"), query_stats_schemas=schemas, query_stats=values))
    words = [word.format(file=programs.path("file")) for word in options]
    command = shlex.join([VITALS, verb, "--socket", vm.path, *words])
    result = subprocess.run(["sh", "-c", f"exec {command} >&- 2>&- <&-"], timeout=TIMEOUT, check=False)
    assert result.returncode == status
    assert set(vm.asked) <= {"qmp_capabilities", "query-stats-schemas", "query-stats", "query-name",
                             "query-cpus-fast", "query-status"} and "query-stats-schemas" in vm.asked  # fmt: skip
    result = subprocess.run(["sh", "-c", f"exec {command} >&-"], stderr=subprocess.PIPE,
                            timeout=TIMEOUT, check=False)  # fmt: skip
    assert result.returncode == status
    assert (b"standard output: Bad file descriptor" in result.stderr) == bool(status)


# ---- wrong usage --------------------------------------------------------------------------------


def assert_usage_error(result, command, text):
    assert result.returncode == 2 and result.stdout == ""
    assert f"{command}: {text}" in result.stderr
    assert result.stderr.endswith(f"\nTry '{command} --help'.\n")


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "the verb is missing"),
        (["frobnicate"], "unknown verb 'frobnicate'"),
        (["dmeo"], "unknown verb 'dmeo'; did you mean 'demo'?"),
        (["help", "dem"], "unknown verb 'dem'; did you mean 'demo'?"),
        (["--frobnicate"], "unknown option '--frobnicate'"),
        (["--json"], "the verb is missing"),
        (["-n", "3"], "the verb is missing"),
        ([""], "unknown verb ''"),
        (["x" * 1000], "unknown verb 'xxx"),
    ],
)
def test_wrong_verbs(arguments, text):
    assert_usage_error(run(*arguments), "vitals", text)


LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    "options, text",
    [
        (["extra"], "unexpected argument 'extra'"),
        (["--vcpus", "0"], "--vcpus: '0' is no number from 1 to 1024"),
        (["--vcpus", "-1"], "--vcpus: '-1' is no number"),
        (["--vcpus", "1025"], "--vcpus: '1025' is no number"),
        (["--vcpus", "18446744073709551617"], "--vcpus: '18446744073709551617' is no number"),
        (["--vcpus", "2x"], "--vcpus: '2x' is no number"),
        (["--vcpus", ""], "--vcpus: '' is no number"),
        (["--vcpus", "129"], "--vcpus: 129 is too many: guest 'work' has at most 128"),
        (["--vcpus", "129", "--guest", "spin"], "--vcpus: 129 is too many: guest 'spin'"),
        (["--guest", "none", "--vcpus", "1025"], "--vcpus: '1025' is no number"),
        (["--guest", "linux"], "--guest: unknown kind 'linux'; there is: work spin halted none"),
        (["--qmp", ""], "--qmp: the path is missing"),
        (["--qmp", ",mode=0600"], "--qmp: the path is missing"),
        (["--qmp", "/tmp/x,mode=0999"], "--qmp: mode '0999' is no octal number"),
        (["--qmp", "/tmp/x,mode=1000"], "--qmp: mode '1000' is no octal number"),
        (["--qmp", "/tmp/x,mode="], "--qmp: mode '' is no octal number"),
        (["--qmp", "/tmp/x,dialect=latin"], "--qmp: unknown dialect 'latin'; there is: grouped"),
        (["--qmp", "/tmp/x,colour=red"], "--qmp: 'colour=red' is not understood"),
        (["--qmp", "/tmp/x,"], "--qmp: '' is not understood"),
        (["--qmp", "/tmp/x,providers="], "--qmp: providers: entry 1 is empty"),
        (["--qmp", "/tmp/x,providers=kvm::demo"], "--qmp: providers: entry 2 is empty"),
        (["--qmp", "/tmp/x,providers=kvm:"], "--qmp: providers: entry 2 is empty"),
        (["--qmp", "/tmp/x,providers=KVM"], "--qmp: provider name 'KVM' is not [a-z]"),
        (["--qmp", f"/tmp/x,providers={'n' * 64}"], f"--qmp: provider name '{'n' * 64}' has 64"),
        (["--qmp", "/tmp/x,providers=kvm:kvm"], "--qmp: providers: 'kvm' is named twice"),
        (["--qmp", "/tmp/x,providers=kvm,sched"], "--qmp: 'sched' is not understood; behind the "
         "path there can be dialect=NAME, mode=OCTAL and providers=NAME:NAME"),
        (["--qmp", f"/tmp/x,providers={':'.join(LETTERS[:17])}"], "--qmp: providers: more than 16"),
        (["--qmp", "/tmp/x"] * 17, "--qmp: no more than 16 sockets"),
        (["--seconds", "0"], "--seconds: '0' is no number of seconds from 0.001 to 1e+09"),
        (["--seconds", "-1"], "--seconds: '-1' is no number"),
        (["--seconds", "nan"], "--seconds: 'nan' is no number"),
        (["--seconds", "inf"], "--seconds: 'inf' is no number"),
        (["--seconds", "1x"], "--seconds: '1x' is no number"),
        (["--seconds", "s"], "--seconds: 's' is no number"),
        (["--seconds", "0.5ms"], "--seconds: '0.5ms' is no number"),
        (["--seconds", "300000h"], "--seconds: '300000h' is no number"),
        (["--pause-after", "soon"], "--pause-after: 'soon' is no number"),
        (["--recording", "x", "--vcpus", "2"], "--recording runs no guest"),
        (["--recording", "x", "--guest", "work"], "--recording runs no guest"),
        (["--recording", "x", "--record", "y"], "--recording runs no guest"),
        (["--frobnicate"], "unrecognized option '--frobnicate'"),
        (["--vcpus"], "option '--vcpus' requires an argument"),
    ],
)
def test_wrong_options_of_demo(options, text):
    assert_usage_error(run("demo", *options), "vitals demo", text)


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, text",
    [
        ("missing/vm.sock", "No such file or directory"),
        ("x" * 120, "File name too long"),
    ],
)
def test_a_socket_that_cant_be_made(programs, recording, path, text):
    path = programs.path(path)
    result = run("demo", "--recording", recording, "--qmp", path)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith(f"vitals demo: {path}: {text}\nhint: ")


def test_a_recording_that_is_missing(programs):
    result = run("demo", "--recording", programs.path("nothing"))
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("vitals demo: opening the recording '")
    assert "No such file or directory\nhint: " in result.stderr


def test_a_recording_that_is_none(programs, recording):
    """A file that is no statistics file is refused, with a word on what is wrong with it."""
    with open(f"{recording}/vcpu1.0", "wb") as file:
        file.write(b"no statistics")
    result = run("demo", "--recording", recording, "--qmp", programs.path("qmp.sock"))
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("vitals demo: /machine/unattached/device[1]: ")
