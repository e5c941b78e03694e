# SPDX-License-Identifier: MIT
"""`vitals describe`: what statistics mean, with a VM and without."""

import csv
import io
import json
import os

import pytest

from support.programs import DATA, EXAMPLE_COUNTERS, run
from support.programs import stat as described
from support.strangers import FakeQemu, reply_to

WITHOUT_VM = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}
NEW = "There is no explanation of this statistic here"


def describe(*arguments, env=WITHOUT_VM):
    """What a run prints that must succeed."""
    result = run("describe", *arguments, env=env)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def describe_json(*arguments):
    reply = json.loads(describe(*arguments, "-o", "json"))
    assert reply["schema_version"] == 1
    return reply["stats"]


@pytest.fixture
def vm(programs):
    """A VM with all statistics of the recorded kernel."""
    return programs.demo("--recording", DATA / "recording").path


# ---- without a VM -------------------------------------------------------------------------------


def test_all_in_a_line_each():
    titles, *lines = describe().splitlines()
    assert titles.split() == ["NAME", "MEANING"]
    names = [line.split()[0] for line in lines]
    assert "halt_wait_ns" in names and "demo_ticks" in names and len(names) > 60
    assert all(line.endswith(".") for line in lines)
    assert describe("--no-legend").splitlines() == lines


def test_a_statistic_without_a_vm():
    text = describe("halt_poll_fail_ns")
    assert text.startswith("halt_poll_fail_ns\n  Time that KVM polled for a halted vCPU in vain.\n")
    assert "  Of:       each vCPU\n  Provider: kvm\n" in text
    assert "a VM knows type and unit: give --socket" in text
    assert "kvm.halt_poll_ns" in text
    assert max(map(len, text.splitlines())) <= 100


def test_each_is_explained_in_full_once():
    stats = describe_json()
    keys = [(stat["provider"], stat["target"], stat["name"]) for stat in stats]
    assert len(set(keys)) == len(keys)
    for stat in stats:
        for member in ("meaning", "high", "next"):
            assert stat[member].endswith(".") and "  " not in stat[member], stat["name"]
        assert stat["type"] is stat["unit"] is stat["base"] is stat["exponent"] is None


def test_what_is_explained_is_what_the_list_has():
    """Kernels bring what they bring, so the list is here."""
    lines = (DATA / "kvm" / "x86_64.txt").read_text(encoding="ascii").splitlines()
    listed = [tuple(line.split()) for line in lines if not line.startswith("#")]
    explained = describe_json("--provider", "kvm")
    assert [(stat["target"], stat["name"]) for stat in explained] == listed


def test_globs_are_taken_together():
    names = [stat["name"] for stat in describe_json("*_hist", "exits")]
    assert names == ["halt_poll_success_hist", "halt_poll_fail_hist", "halt_wait_hist", "exits"]


def test_targets_and_providers():
    everything = describe_json()
    for target in "vm", "vcpu":
        of_target = [stat for stat in everything if stat["target"] == target]
        assert describe_json("--target", target) == of_target != []
    assert describe_json("--target", "all") == everything
    for provider in "kvm", "sched", "demo":
        of_provider = [stat for stat in everything if stat["provider"] == provider]
        assert describe_json("--provider", provider) == of_provider != []


def test_stat_is_the_same_as_a_name():
    assert describe("--stat", "exits") == describe("exits")
    assert [stat["name"] for stat in describe_json("--stat", "exits", "nx_*")] == [
        "nx_lpage_splits", "exits"]  # fmt: skip


@pytest.mark.parametrize("options, text", [
    (["--provider", "kvn"], "no provider matches 'kvn'; did you mean 'kvm'?"),
    (["--provider", "xyzzy", "exits"], "no provider matches 'xyzzy'\n  'vitals describe' lists"),
    (["--provider", "demo", "exits"], "no statistic matches 'exits'"),
    (["--target", "vm", "exits"], "no statistic matches 'exits'"),
])  # fmt: skip
def test_what_is_of_another_target_or_provider(options, text):
    result = run("describe", *options, env=WITHOUT_VM)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("vitals describe: ") and text in result.stderr


@pytest.mark.parametrize("name, text", [
    ("exist", "no statistic matches 'exist'; did you mean 'exits'?"),
    ("halt_wiat_ns", "no statistic matches 'halt_wiat_ns'; did you mean 'halt_wait_ns'?"),
    ("zzzzzzzz*", "no statistic matches 'zzzzzzzz*'\n  'vitals describe' lists"),
])  # fmt: skip
def test_what_matches_nothing(name, text):
    for names in ([name], ["exits", name]):
        result = run("describe", *names, env=WITHOUT_VM)
        assert (result.returncode, result.stdout) == (3, "")
        assert result.stderr.startswith("vitals describe: ") and text in result.stderr


def test_a_target_that_nobody_knows():
    result = run("describe", "--target", "disk", env=WITHOUT_VM)
    assert (result.returncode, result.stdout) == (3, "")
    assert "no target matches 'disk'" in result.stderr


def test_wrong_usage():
    result = run("describe", "-o", "xml", env=WITHOUT_VM)
    assert result.returncode == 2 and "Try 'vitals describe --help'." in result.stderr


# ---- with a VM ----------------------------------------------------------------------------------


def test_all_statistics_of_the_recorded_kernel_are_explained(vm):
    stats = describe_json("--socket", vm)
    assert [stat["name"] for stat in stats if stat["meaning"] is None] == []
    schemas = json.loads(run("schemas", "--socket", vm, "-o", "json").stdout)["stats"]
    members = ("target", "provider", "name", "type", "unit", "base", "exponent")
    assert [[stat[m] for m in members] for stat in stats] == [
        [stat[m] for m in members] for stat in schemas
    ]


def test_the_socket_of_the_environment(vm):
    text = describe("exits", env={**os.environ, "VITALS_SOCKET": vm})
    assert "  Type:     cumulative: " in text and "  Unit:     a number\n" in text


@pytest.mark.parametrize("name, unit, buckets", [
    ("halt_wait_ns", "seconds, times 10^-9: nanoseconds", None),
    ("halt_wait_hist", "seconds, times 10^-9: nanoseconds (of the bounds)", "0, 1, 2-3, 4-7, ..."),
    ("demo_exits_per_tick", "a number (of the bounds)", "each 32 wide, from 0"),
    ("demo_memory", "bytes", None),
])  # fmt: skip
def test_units_and_buckets_in_words(vm, name, unit, buckets):
    text = describe("--socket", vm, name)
    assert f"  Unit:     {unit}\n" in text
    assert ("  Buckets:" in text) == (buckets is not None)
    assert not buckets or f"  Buckets:  {buckets}" in text


def test_a_statistic_that_nobody_knows(server):
    server.tell("register", "kvm/vm", described("new_one", unit="bytes", base=2, exponent=20))
    text = describe("--socket", server.path, "new_one")
    assert NEW in text and "added it" in text and "  High:" not in text
    assert "  Unit:     bytes, times 2^20: MiB\n" in text
    (stat,) = describe_json("--socket", server.path)
    assert stat["meaning"] is stat["high"] is stat["next"] is None
    assert (stat["unit"], stat["base"], stat["exponent"]) == ("bytes", 2, 20)
    assert NEW in describe("--socket", server.path)


def test_what_a_vmm_says_of_its_statistics(programs):
    """In full, in the list, and in JSON; it has no advice."""
    path = programs.example(EXAMPLE_COUNTERS).path
    text = describe("--socket", path, "disk_requests")
    assert "\n  Requests of the disk.\n" in text and NEW not in text and "High:" not in text
    assert "disk_size_hist  Requests by size.\n" in describe("--socket", path)
    stats = describe_json("--socket", path)
    assert [stat["meaning"] for stat in stats] == ["Requests of the disk.", "Requests by size."]
    assert stats[0]["high"] is stats[0]["next"] is None


def test_a_peer_that_knows_no_help_is_no_error(programs):
    """As one of an earlier release."""
    vm = programs.keep(Older(programs.path("older.sock")))
    assert NEW in describe("--socket", vm.path, "new_one")
    assert vm.asked == [None, {"help": True}]


class Older(FakeQemu):
    def __init__(self, path):
        self.asked = []
        super().__init__(path)
        self.banner = self.banner.replace(b'"package": ""', b'"package": "vitals 0.0.9"')

    def answer(self, line):
        request = json.loads(line)
        if request["execute"] != "query-stats-schemas":
            return super().answer(line)
        self.asked.append(request.get("arguments"))
        if request.get("arguments"):
            error = {"class": "GenericError", "desc": "Parameter 'help' is unexpected"}
            return reply_to(line, {"error": error})
        new = {"name": "new_one", "type": "cumulative", "exponent": 0}
        return reply_to(line, {"return": [{"provider": "own", "target": "vm", "stats": [new]}]})


def test_the_same_name_of_another_provider_is_another_statistic(server):
    server.tell("register", "own/vcpu", described("exits"))
    assert NEW in describe("--socket", server.path, "exits")


def test_the_same_name_of_two_targets_and_of_two_providers(programs, server):
    """Within a VM of vitals providers have names of their own; another VM has other providers."""
    other = programs.server()
    server.tell("register", "own/vcpu", described("exits"))
    server.tell("register", "own/vm", described("exits"))
    other.tell("register", "other/vm", described("exits"))

    def described_by(*options):
        sockets = ["--socket", server.path, "--socket", other.path]
        stats = describe_json(*sockets, "exits", *options)
        return {(stat["provider"], stat["target"]) for stat in stats}

    assert described_by() == {("own", "vcpu"), ("own", "vm"), ("other", "vm")}
    assert described_by("--target", "vm") == {("own", "vm"), ("other", "vm")}
    assert described_by("--provider", "own") == {("own", "vcpu"), ("own", "vm")}
    assert described_by("--provider", "own", "--target", "vm") == {("own", "vm")}
    result = run("describe", "--socket", server.path, "--provider", "owm", "exits")
    assert (result.returncode, result.stdout) == (3, "")
    assert "no provider matches 'owm'; did you mean 'own'?" in result.stderr


def test_two_vms_have_the_same_statistics(programs, vm):
    other = programs.demo("--recording", DATA / "recording").path
    both = describe_json("--socket", vm, "--socket", other)
    assert both == describe_json("--socket", vm)


@pytest.mark.parametrize("socket", [False, True])
def test_a_part_of_names(vm, socket):
    """As --stat: the name, or what it is a part of where there is no such name."""
    words = ["--socket", vm] if socket else []

    def names(*more):
        return {stat["name"] for stat in describe_json(*words, *more)}

    assert names("exits") == {"exits"}
    assert names("halt_wait") == {"halt_wait_hist", "halt_wait_ns"}
    assert run("describe", *words, "exits", "--target", "vm").returncode == 3


def test_misspelt_with_a_vm(vm):
    result = run("describe", "--socket", vm, "exist")
    assert (result.returncode, result.stdout) == (3, "")
    assert "did you mean 'exits'?" in result.stderr


def test_csv_has_what_json_has(vm):
    for socket in ([], ["--socket", vm]):
        stats = describe_json(*socket)
        lines = list(csv.DictReader(io.StringIO(describe(*socket, "-o", "csv"))))
        expected = [
            {key: "" if stat.get(key) is None else str(stat[key]) for key in lines[0]}
            for stat in stats
        ]
        assert lines == expected


def test_a_socket_that_is_not_there(programs):
    result = run("describe", "--socket", programs.path("no.sock"), "exits")
    assert (result.returncode, result.stdout) == (1, "") and "no such file" in result.stderr
