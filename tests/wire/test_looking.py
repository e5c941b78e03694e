# SPDX-License-Identifier: MIT
"""`vitals stats` and `vitals schemas`, on recorded statistics in both dialects."""

import csv
import io
import itertools
import json
import os
import pty
import re
import resource
import select
import subprocess
import time
import unicodedata

import pytest

from support import manual, recordings, stats_file
from support.programs import DATA, TIMEOUT, VITALS, run, wait_until, without_right_to_read_the_kernel
from support.programs import stat as described
from support.recordings import VCPUS, device
from support.strangers import CLOSE, FakeQemu, Listener, Stranger, reply_to

VERBS = ["stats", "schemas"]


class Vm:
    """A demo with a socket for each dialect."""

    def __init__(self, programs, recording, *options):
        self.flat = programs.path("flat.sock")
        self.demo = programs.demo(
            "--recording", recording, "--qmp", self.flat + ",dialect=flat", *options
        )
        self.grouped = self.demo.path


@pytest.fixture
def vm(programs):
    """The whole recording of a VM, at its last frame for as long as the test takes."""
    last = programs.path("last")
    os.mkdir(last)
    for path in (DATA / "recording").glob("*.2"):
        with open(os.path.join(last, path.stem + ".0"), "wb") as file:
            file.write(path.read_bytes())
    return Vm(programs, last)


@pytest.fixture
def small(programs, recording):
    return Vm(programs, recording)


def show(verb, socket, *options):
    """What a run prints that must succeed."""
    result = run(verb, "--socket", socket, *options)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def show_json(verb, socket, *options):
    reply = json.loads(show(verb, socket, "-o", "json", *options))
    assert reply["schema_version"] == 1
    return reply["stats"]


def show_csv(verb, socket, *options):
    return list(csv.DictReader(io.StringIO(show(verb, socket, "-o", "csv", *options))))


def key(stat):
    return stat["path"], stat["provider"], stat["name"]


def qmp_values(client):
    """What QMP itself says: {(path, provider, name): value}."""
    vm = client.execute("query-stats", target="vm")["vm"]
    vcpus = client.execute("query-stats", target="vcpu")["vcpus"]
    objects = [(None, vm)] + [(vcpu["path"], vcpu["providers"]) for vcpu in vcpus]
    return {
        (path, provider["provider"], stat["name"]): stat["value"]
        for path, providers in objects
        for provider in providers
        for stat in provider["stats"]
    }


# ---- values -------------------------------------------------------------------------------------


def test_both_dialects_look_the_same(vm):
    kvm = ["--provider", "kvm"]
    assert show("stats", vm.grouped, *kvm) == show("stats", vm.flat, *kvm)
    assert show("schemas", vm.grouped) == show("schemas", vm.flat)
    grouped, flat = (show_json("stats", path, *kvm) for path in (vm.grouped, vm.flat))
    assert [stat.pop("socket") and stat.pop("reply_time") for stat in grouped + flat]
    assert grouped == flat


def test_json_has_the_values_of_qmp(programs, vm):
    values = qmp_values(programs.client(vm.grouped))
    for path in vm.grouped, vm.flat:
        shown = {}
        for stat in show_json("stats", path, "--provider", "kvm"):
            shown[key(stat)] = {"values": stat["values"]} if "values" in stat else stat["value"]
        assert list(shown.items()) == [item for item in values.items() if item[0][1] == "kvm"]


def test_json_says_what_a_value_means(small):
    stats = show_json("stats", small.flat, "--vcpu", 1)
    assert {stat["vcpu"] for stat in stats} == {1} and {stat["vm"] for stat in stats} == {"demo"}
    wait = next(stat for stat in stats if stat["name"] == "halt_wait_ns")
    assert (wait["type"], wait["unit"], wait["base"], wait["exponent"]) == (
        "cumulative", "seconds", 10, -9)  # fmt: skip
    (linear,) = [stat for stat in stats if stat["type"] == "linear-histogram"]
    assert linear["bucket_size"] > 0 and "value" not in linear


def sparse_vm(programs, *numbers):
    """vCPUs that KVM numbered like this."""
    server = programs.server()
    server.tell("kvm", "-")
    for number in numbers:
        data = stats_file.build([stats_file.Stat("exits", values=[number])], f"kvm-1/vcpu-{number}")
        server.tell("vcpu", f"/cpu/{number}", programs.write(f"vcpu{number}", data))
    return server


def test_a_vcpu_has_the_same_number_everywhere(programs):
    server = sparse_vm(programs, 0, 1, 2, 3, 5)
    server.tell("unplug", "/cpu/0")
    for number in 1, 5:
        options = ["--vcpu", number, "--stat", "exits"]
        path = f"/cpu/{number}"
        (of_json,) = show_json("stats", server.path, *options)
        (of_csv,) = show_csv("stats", server.path, *options)
        assert (of_json["vcpu"], of_json["path"], of_json["value"]) == (number, path, number)
        assert (of_csv["vcpu"], of_csv["path"]) == (str(number), path)
        assert f"vcpu {number} " in show("stats", server.path, *options)
    assert [stat["vcpu"] for stat in show_json("stats", server.path)] == [1, 2, 3, 5]


@pytest.mark.parametrize("numbers, hint", [
    ((0, 1, 2, 3, 5), "one of the numbers 0 to 3, 5, or a QOM path."),
    ((0, 1, 2), "a number from 0 to 2, or a QOM path."),
    ((2, 3), "a number from 2 to 3, or a QOM path."),
    ((7,), "the number 7, or a QOM path."),
    ((0, 2, *range(6, 18, 2)), "one of the numbers 0, 2, 6, 8, 10, 12, 14, 16, or a QOM path."),
    ((0, 2, *range(6, 20, 2)), "one of the numbers 0, 2, 6, 8, 10, 12, 14, 16 and others up to 18, or"),
])  # fmt: skip
def test_the_numbers_that_there_are(programs, numbers, hint):
    server = sparse_vm(programs, *numbers)
    result = run("stats", "--socket", server.path, "--vcpu", 4)
    assert (result.returncode, result.stdout) == (3, "")
    assert f"no vCPU matches '4'\n  --vcpu takes {hint}" in result.stderr
    snapshots = [programs.path(f"{i}.json") for i in range(2)]
    for path in snapshots:
        run("snap", "--socket", server.path, "-f", path)
    compared = run("diff", *snapshots, "--vcpu", 4)
    assert compared.stderr == result.stderr.replace("vitals stats", "vitals diff")


def test_64_bits_are_exact(programs):
    server = programs.server()
    server.tell("register", "p/vm", described("big"))
    server.tell("row", "p/vm", "vm", 2**64 - 1)
    assert show_json("stats", server.path)[0]["value"] == 2**64 - 1
    assert show_csv("stats", server.path)[0]["value"] == str(2**64 - 1)
    assert str(2**64 - 1) in show("stats", server.path)


def test_csv_has_the_values_of_json(vm):
    lines = show_csv("stats", vm.grouped, "--target", "vcpu", "--provider", "kvm")
    values = {}
    for line in lines:
        values.setdefault(key(line), []).append((line["bucket"], int(line["value"])))
    for stat in show_json("stats", vm.grouped, "--target", "vcpu", "--provider", "kvm"):
        shown = values.pop(key(stat))
        assert [value for _, value in shown] == stat.get("values", [stat.get("value")])
        if "values" in stat:
            bounds = [0] + [2**i for i in range(len(stat["values"]) - 1)]
            assert [int(bucket) for bucket, _ in shown] == bounds
    assert not values


def test_csv_quotes(programs, recording):
    vm = Vm(programs, recording, "--name", 'a "b", c')
    assert {line["vm"] for line in show_csv("stats", vm.flat)} == {'a "b", c'}


def test_table(vm):
    table = show("stats", vm.grouped, "--vcpu", 0, "--stat", "halt_wait_*", "--stat", "exits")
    titles, *lines = table.splitlines()
    assert titles.split() == ["OBJECT", "PROVIDER", "STAT", "VALUE", "DISTRIBUTION"]
    assert [line.split()[3] for line in lines] == ["halt_wait_ns", "halt_wait_hist", "exits"]
    assert re.search(r"  p50 <2.1ms p90 <17ms p99 \S+$", lines[1])
    assert lines[0].endswith(" s") and not table.count("\033")
    without = show("stats", vm.grouped, "--vcpu", 0, "--stat", "exits", "--no-legend")
    assert without.split()[:4] == ["vcpu", "0", "kvm", "exits"]


def test_numbers_do_not_depend_on_the_locale(vm):
    options = ["stats", "--socket", vm.grouped, "--provider", "kvm"]
    result = run(*options, env={**os.environ, "LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8"})
    assert result.stdout == run(*options).stdout


@pytest.mark.parametrize("environment, has_colour", [
    ({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False),
])  # fmt: skip
def test_colour(small, environment, has_colour):
    ours, theirs = pty.openpty()
    variables = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    subprocess.run(
        [VITALS, "stats", "--socket", small.grouped, "--stat", "exits"],
        stdout=theirs, timeout=TIMEOUT, check=True,
        env={**variables, "TERM": "xterm", **environment},
    )  # fmt: skip
    os.close(theirs)
    assert (b"\033" in os.read(ours, 4096)) == has_colour
    os.close(ours)


def on_a_terminal(line):
    """A character for each column of a terminal."""
    columns = {"W": 2, "F": 2}
    return "".join(
        character.ljust(columns.get(unicodedata.east_asian_width(character), 1))
        for character in line
        if not unicodedata.combining(character)
    )


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("verb", [*VERBS, "list"])
@pytest.mark.parametrize("name", ["büro-漢字-vm", "u\u0308ber"])
def test_columns_of_any_name(programs, verb, locale, name):
    """A column begins where its title does, whatever stands before it."""
    servers = [programs.server(name=name) for name in (name, "vm")]
    for server in servers:
        server.tell("register", "p/vm", described("count"))
        server.tell("row", "p/vm", "vm", 5)
    sockets = [word for server in servers for word in ("--socket", server.path)]
    result = run(verb, *sockets, env={**os.environ, "LC_ALL": locale})
    titles, *lines = map(on_a_terminal, result.stdout.splitlines())
    assert len(lines) == 2 and lines[0].startswith(on_a_terminal(name) + "  ")
    title, text = {"stats": ("STAT", "count"), "schemas": ("NAME", "count"),
                   "list": ("SPEAKS", "vitals, ")}[verb]  # fmt: skip
    assert [line.index(text) for line in lines] == 2 * [titles.index(title)]


# ---- sums, order, lines -------------------------------------------------------------------------


@pytest.fixture
def pair(programs):
    """The sockets of two VMs of two vCPUs, whose values are known: as words of the command line."""
    words = []
    for name, base in ("web1", 0), ("db", 1000):
        server = programs.server(name=name)
        server.tell("register", "p/vm", described("count"), described("mem", "instant", "bytes"))
        server.tell("row", "p/vm", "vm", base + 1, base + 7)
        server.tell("register", "q/vcpu", described("exits"), described("most", "peak"),
                    described("wait", "cumulative", "seconds", exponent=-9),
                    described("hist", "log-hist", count=3))  # fmt: skip
        for i in range(2):
            server.tell("row", "q/vcpu", f"cpu/{i}", base + 10 + i, 5 + i, 100, 1, 2, base + i)
        words += ["--socket", server.path]
    return words


def stats_of(words, *options):
    return json.loads(run("stats", *words, "--json", *options).stdout)["stats"]


def test_total(pair):
    stats = stats_of(pair, "--total")
    of_vcpus = {(stat["vm"], stat["name"]): stat for stat in stats if stat["target"] == "vcpu"}
    exits = {vm: stat["value"] for (vm, name), stat in of_vcpus.items() if name == "exits"}
    assert exits == {"web1": 21, "db": 2021, None: 2042}
    assert of_vcpus[None, "most"]["value"] == 6
    assert of_vcpus[None, "wait"]["value"] == 400
    assert of_vcpus[None, "hist"]["values"] == [4, 8, 2002]
    assert [(stat["vm"], stat["value"]) for stat in stats if stat["name"] == "count"] == [
        ("web1", 1), ("db", 1001), (None, 1002)]  # fmt: skip
    assert {(stat["vm"], stat["target"], stat["objects"]) for stat in stats} == {
        ("web1", "vm", 1), ("web1", "vcpu", 2), ("db", "vm", 1), ("db", "vcpu", 2),
        (None, "vm", 2), (None, "vcpu", 4)}  # fmt: skip
    assert {(stat["vcpu"], stat["path"]) for stat in stats} == {(None, None)}
    assert [stat["vm"] for stat in stats_of(pair[:2], "--total", "--stat", "exits")] == ["web1"]
    lines = run("stats", *pair, "--total", "--stat", "exits,count").stdout.splitlines()
    assert [line.split() for line in lines[-2:]] == [
        ["all", "2", "VMs", "p", "count", "1002"], ["all", "4", "vCPUs", "q", "exits", "2042"]]  # fmt: skip


def test_total_of_what_was_reset(programs):
    vm = Vm(programs, write_frames(programs.path("frames"), [1, 0] * 30))
    options = ["--total", "--rates", "-i", 1, "-n", 2, "--stat", "exits"]
    outputs = show("stats", vm.flat, *options, "--json").splitlines()
    shown = [json.loads(output)["stats"][0] for output in outputs]
    assert any(stat["reset"] for stat in shown)
    assert all(("delta" in stat) != stat["reset"] for stat in shown)


def test_order(pair):
    stats = stats_of(pair, "--stat", "exits,count,hist", "--sort", "name")
    assert [stat["name"] for stat in stats] == 2 * ["count"] + 4 * ["exits"] + 4 * ["hist"]
    stats = stats_of(pair, "--sort", "value")
    numbers = [(stat["unit"], sum(stat.get("values", [stat.get("value")]))) for stat in stats]
    units = ["none", "bytes", "seconds"]
    assert numbers == sorted(numbers, key=lambda number: (units.index(number[0]), -number[1]))
    assert len(numbers) == 2 * (2 + 2 * 4)


def test_top(pair):
    values = {("exits", 1011), ("exits", 1010), ("mem", 1007), ("mem", 7), ("wait", 100)}
    stats = stats_of(pair, "--top", 2, "--stat", "exits,mem,wait")
    assert {(stat["name"], stat["value"]) for stat in stats} == values and len(stats) == 6
    stats = stats_of(pair, "--top", 2, "--sort", "name")
    assert [stat["name"] for stat in stats] == ["count", "count"]


def test_wide(pair):
    options = ["--wide", "--stat", "exits,count,wait", "-i", "20ms", "-n", 2]
    titles, *lines = run("stats", *pair, *options).stdout.splitlines()
    assert titles.split() == ["TIME", "VM", "OBJECT", "count", "exits", "wait"]
    assert len(lines) == 2 * 2 * 3
    clock, *cells = lines[1].split()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", clock)
    assert cells == ["web1", "cpu/0", "-", "10", "100", "ns"]
    table = csv.DictReader(io.StringIO(run("stats", *pair, *options, "-o", "csv").stdout))
    assert table.fieldnames == ["time", "vm", "socket", "target", "vcpu", "path", "count", "exits", "wait"]
    assert [(row["vm"], row["path"], row["count"], row["exits"]) for row in table][:6] == [
        ("web1", "", "1", ""), ("web1", "cpu/0", "", "10"), ("web1", "cpu/1", "", "11"),
        ("db", "", "1001", ""), ("db", "cpu/0", "", "1010"), ("db", "cpu/1", "", "1011")]  # fmt: skip


def test_wide_total_is_a_line_for_each_vm(pair):
    options = ["-w", "--total", "--stat", "exits,count,hist"]
    lines = run("stats", *pair, *options).stdout.splitlines()
    assert [line.split()[1:] for line in lines] == [
        ["VM", "count", "exits", "hist"], ["web1", "1", "21", "7"], ["db", "1001", "2021", "2007"],
        ["all", "1002", "2042", "2014"]]  # fmt: skip
    assert len(run("stats", *pair[:2], *options, "--no-legend").stdout.splitlines()) == 1


def test_wide_columns_of_one_name(server):
    for target in "vm", "vcpu":
        server.tell("register", f"p/{target}", described("count"))
    server.tell("row", "p/vm", "vm", 1)
    server.tell("row", "p/vcpu", "cpu/0", 2)
    (row,) = csv.DictReader(io.StringIO(show("stats", server.path, "-w", "--total", "-o", "csv")))
    assert (row["vm/p/count"], row["vcpu/p/count"]) == ("1", "2")


def test_the_time_stands_above_each_table(pair):
    text = run("stats", *pair, "--stat", "exits", "-i", "20ms", "-n", 2).stdout
    clocks = re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\n(?=VM )", text, re.MULTILINE)
    assert len(clocks) == 2 and clocks[0] < clocks[1]
    for options in ["--no-legend", "-n", 2], []:
        assert not re.search(r"^\d", run("stats", *pair, "--stat", "exits", *options).stdout, re.MULTILINE)


# ---- choosing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words, vms", [
    (["web1"], {"web1"}), (["w*"], {"web1"}), (["db", "--vm", "web?"], {"web1", "db"}),
])  # fmt: skip
def test_vms_by_name(pair, programs, words, vms):
    def named(verb, *options):
        reply = json.loads(run(verb, *pair, "--vm", *words, *options).stdout)
        return {each["vm"] for each in reply.get("vms", reply.get("stats", reply.get("histograms")))}

    for verb in "list", "stats", "schemas", "hist":
        assert named(verb, "--json") == vms
    assert named("snap") == vms
    top = run("top", "-b", "-n", 1, *pair, "--vm", *words).stdout
    assert {vm for vm in ("web1", "db") if vm in top} == vms
    snapshots = [programs.path(f"{i}.json") for i in range(2)]
    for path in snapshots:
        run("snap", *pair, "-f", path)
    compared = json.loads(run("diff", *snapshots, "--all", "--json", "--vm", *words).stdout)
    assert {stat["vm"] for stat in compared["stats"]} == vms


def names(stats):
    return {stat["name"] for stat in stats}


def test_globs_are_taken_together(small):
    stats = show_json("stats", small.flat, "--stat", "halt_wait_*", "--stat", "guest?mode")
    assert names(stats) == {"halt_wait_ns", "halt_wait_hist", "guest_mode"}
    assert len(stats) == 3 * VCPUS


def test_targets_and_providers(small):
    vm = show_json("stats", small.grouped, "--target", "vm")
    vcpu = show_json("stats", small.grouped, "--target", "vcpu")
    assert {stat["path"] for stat in vm} == {None}
    assert {stat["path"] for stat in vcpu} == {device(i) for i in range(VCPUS)}
    both = show_json("stats", small.grouped, "--target", "all")
    assert [key(stat) for stat in both] == [key(stat) for stat in vm + vcpu]
    demo = show_json("stats", small.grouped, "--provider", "demo")
    assert demo and {stat["provider"] for stat in demo} == {"demo"}


def test_vcpus_by_number_and_by_path(small):
    stats = show_json("stats", small.flat, "--vcpu", 2, "--vcpu", device(0), "--stat", "exits")
    assert [stat["vcpu"] for stat in stats] == [0, 2]


@pytest.mark.parametrize("words, numbers", [
    (["0,2"], [0, 2]), (["1-2"], [1, 2]), (["0-0,2-9"], [0, 2]), (["0-1,1", "--vcpu", "1"], [0, 1]),
    ([f"1,{device(0)}"], [0, 1]),
])  # fmt: skip
def test_lists_of_vcpus(small, words, numbers):
    stats = show_json("stats", small.flat, "--stat", "exits", "--vcpu", *words)
    assert [stat["vcpu"] for stat in stats] == numbers


@pytest.mark.parametrize("word, expected", [
    ("exits", {"exits"}),
    ("halt_wait", {"halt_wait_ns", "halt_wait_hist"}),
    ("ait_h", {"halt_wait_hist"}),
    ("halt_wait*", {"halt_wait_ns", "halt_wait_hist"}),
    ("*ait_h", None),
    ("[h]alt_wait", None),
])  # fmt: skip
def test_a_word_is_a_name_or_a_part_of_names(small, word, expected):
    """As the filter of vitals top: see test_filters in tests/unit/test_top_model.c."""
    if expected:
        assert names(show_json("stats", small.flat, "--stat", word)) == expected
    else:
        assert run("stats", "--socket", small.flat, "--stat", word).returncode == 3


def test_a_part_of_names_of_histograms(small):
    """A part that also other statistics have means the histograms."""
    text = show("hist", small.flat, "halt_wait")
    assert "halt_wait_hist of " in text and "halt_wait_ns" not in text


def test_lists_of_statistics(small):
    one = show_json("stats", small.flat, "--stat", "halt_wait_*,exits")
    assert names(one) == {"halt_wait_ns", "halt_wait_hist", "exits"}
    result = run("stats", "--socket", small.flat, "--stat", "exits,exist")
    assert result.returncode == 3 and "no statistic matches 'exist'" in result.stderr


@pytest.mark.parametrize("words", [
    ["--json", "stats"], ["--stat", "exits", "--json", "stats"], ["-n1", "-z", "-o", "json", "stats"],
    ["--output=json", "stats"], ["-zojson", "stats", "--stat", "exits"], ["-zo", "json", "stats"],
])  # fmt: skip
def test_options_before_the_verb(small, words):
    stats = json.loads(run("--socket", small.flat, *words).stdout)["stats"]
    assert "exits" in names(stats)
    assert names(stats) == {"exits"} or "--stat" not in words


@pytest.mark.parametrize("interval", ["20ms", "0.02s", "0.0003m", "0.000005h"])
def test_intervals_with_units(small, interval):
    outputs = show("stats", small.flat, "--json", "--rates", "--stat", "exits", "-i", interval, "-n", 2)
    assert [json.loads(line)["stats"][0]["seconds"] < 1 for line in outputs.splitlines()] == 2 * [True]


def test_nonzero(small):
    stats = show_json("stats", small.flat, "--nonzero", "--provider", "kvm")
    assert names(stats) == names(show_json("stats", small.flat, "-z", "--provider", "kvm"))
    assert "remote_tlb_flush" not in names(stats)
    assert all(stat.get("value") or any(stat.get("values", [])) for stat in stats)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("options, text", [
    (["--stat", "exist"], "no statistic matches 'exist'; did you mean 'exits'?"),
    (["--stat", "exits", "--stat", "gest_mode"], "'gest_mode'; did you mean 'guest_mode'?"),
    (["--stat", "wiat"], "no statistic matches 'wiat'"),
    (["--stat", ""], "no statistic matches ''"),
    (["--stat", "zzzzzzzz*"], "no statistic matches 'zzzzzzzz*'\n  'vitals schemas' lists"),
    (["--stat", "exits", "--target", "vm"], "no statistic matches 'exits'"),
    (["--provider", "kvn"], "no provider matches 'kvn'; did you mean 'kvm'?"),
])  # fmt: skip
def test_what_matches_nothing(small, verb, options, text):
    result = run(verb, "--socket", small.flat, *options)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"vitals {verb}: ") and text in result.stderr


@pytest.mark.parametrize("vcpu", ["7", "/no/such/path", "-1", "0x0", "3-9", "2-1", "0-", "0-2x"])
def test_vcpus_that_are_not_there(small, vcpu):
    result = run("stats", "--socket", small.flat, "--vcpu", vcpu)
    assert (result.returncode, result.stdout) == (3, "")
    assert f"no vCPU matches '{vcpu}'" in result.stderr


def test_a_vm_without_statistics(server):
    result = run("stats", "--socket", server.path)
    assert (result.returncode, result.stdout) == (3, "")
    assert "no statistics" in result.stderr


# ---- again and again ----------------------------------------------------------------------------


def test_rates_between_frames(programs):
    """The demo goes to the next frame each second; each has 10000 exits more."""
    frames = recordings.write(programs.path("frames"), frames=60)
    vm = Vm(programs, frames)
    options = ["--rates", "-i", 1, "-n", 3, "--stat", "exits", "--stat", "halt_wait_hist"]
    outputs = show("stats", vm.flat, *options, "-o", "json").splitlines()
    assert len(outputs) == 3
    stats = [stat for output in outputs for stat in json.loads(output)["stats"]]
    exits = [stat for stat in stats if stat["name"] == "exits"]
    assert len(stats) == 3 * 2 * VCPUS and all(stat["reset"] is False for stat in stats)
    assert all(stat["delta"] % 10_000 == 0 for stat in exits)
    assert max(stat["delta"] for stat in exits) > 0
    for stat in exits:
        assert stat["rate"] == pytest.approx(stat["delta"] / stat["seconds"], rel=1e-4)
        assert stat["seconds"] > 0
    for stat in stats:
        assert all(delta >= 0 for delta in stat.get("deltas", [stat.get("delta")]))


def write_frames(directory, frames):
    """A recording of these frames of the usual one."""
    whole = recordings.write(directory + "-whole", frames=max(frames) + 1)
    os.mkdir(directory)
    for i, frame in enumerate(frames):
        for name in ["vm", *(f"vcpu{n}" for n in range(VCPUS))]:
            os.link(f"{whole}/{name}.{frame}", f"{directory}/{name}.{i}")
    return directory


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_counter_that_was_reset(programs, form):
    """Each frame has less than the one before, so that whichever two are compared will do."""
    vm = Vm(programs, write_frames(programs.path("back"), range(40, -1, -1)))
    options = ["--rates", "-i", 1.5, "-n", 1, "--stat", "exits", "--stat", "guest_mode"]
    text = show("stats", vm.flat, *options, "-o", form)
    if form == "table":
        assert text.count(" reset") == VCPUS and "-" not in text.replace("STAT", "")
    elif form == "json":
        exits = [stat for stat in json.loads(text)["stats"] if stat["name"] == "exits"]
        assert all(stat["reset"] and "rate" not in stat for stat in exits)
    else:
        lines = list(csv.DictReader(io.StringIO(text)))
        assert {(line["reset"], line["rate"]) for line in lines if line["name"] == "exits"} == {
            ("1", "")
        }


def test_count_and_interval(small):
    start = time.monotonic()
    text = show("stats", small.flat, "-n", 3, "-i", 0.2, "--stat", "exits", "-o", "csv")
    assert time.monotonic() - start >= 0.4
    assert text.count("time,vm,") == 1 and len(text.splitlines()) == 1 + 3 * VCPUS


def test_a_reader_that_has_seen_enough(small):
    command = [VITALS, "stats", "--socket", small.flat, "-i", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(TIMEOUT)
        assert process.stderr.read() == b""


@pytest.mark.parametrize("verb, records", [("stats", "stats"), ("hist", "histograms")])
def test_a_vm_that_fails_comes_back(programs, recording, verb, records):
    """Meanwhile each output says why it is not there, and since when."""
    stays, goes = (programs.demo("--recording", recording, "--name", n) for n in ("stay", "go"))
    command = [VITALS, verb, "-o", "json", "-i", "0.1", "--socket", stays.path, "--socket",
               goes.path]  # fmt: skip
    start = time.time()
    process = programs.start(command)

    def read(has_both):
        """The first output that has both VMs, or only one."""
        for _ in range(1000):
            output = json.loads(process.read_line())
            names = {record["vm"] for record in output[records]}
            assert "stay" in names
            assert ("go" in names) != (absent_of(output) == ["go"])
            if ("go" in names) == has_both:
                return output
        raise AssertionError

    def absent_of(output):
        return [vm["vm"] for vm in output.get("absent", [])]

    read(has_both=True)
    goes.stop()
    absent = read(has_both=False)["absent"][0]
    assert absent["socket"] == goes.path and absent["reason"].startswith("closed by the server")
    assert int(start) <= absent["since"] <= time.time()
    programs.demo("--recording", recording, "--name", "go", path=goes.path)
    read(has_both=True)
    process.kill()
    assert process.log().count("closed by the server") == 1
    assert process.log().count(f"{goes.path}: is back") == 1


def test_a_table_says_who_is_absent(programs, recording):
    stays, goes = (programs.demo("--recording", recording, "--name", n) for n in ("stay", "go"))
    process = programs.start([VITALS, "stats", "-i", "0.1", "--stat", "exits", "--socket",
                              stays.path, "--socket", goes.path])  # fmt: skip
    while not process.read_line().startswith("VM "):
        pass
    goes.stop()
    while not (line := process.read_line()).startswith("go: "):
        pass
    assert re.fullmatch(r"go: closed by the server .*, since \d\d:\d\d:\d\d\n?", line)
    process.kill()


def test_vms_that_appear_in_a_directory(programs, small):
    directory = programs.path("vms")
    os.mkdir(directory)
    os.symlink(small.grouped, f"{directory}/one.sock")
    process = programs.start([VITALS, "stats", "-i", "0.1", "-o", "json", "--socket", directory])
    assert '"vm": "demo"' in process.read_line()
    os.symlink(small.flat, f"{directory}/two.sock")
    while "two.sock" not in process.read_line():
        pass
    process.kill()


def test_vms_that_answer_are_not_kept_waiting(small, silent_sockets):
    """The silent ones take their timeout, and the output is there long before."""
    sockets = [word for path in [*silent_sockets, small.flat] for word in ("--socket", path)]
    result = run("stats", *sockets, "--timeout", 20 * TIMEOUT, "--stat", "exits", "-o", "json",
                 "-i", 0.1, "-n", 2)  # fmt: skip
    assert result.returncode == 0 and result.stderr == ""
    for line in result.stdout.splitlines():
        output = json.loads(line)
        assert {stat["socket"] for stat in output["stats"]} == {small.flat}
        assert [vm["socket"] for vm in output["absent"]] == silent_sockets
        assert {vm["reason"] for vm in output["absent"]} == {"no answer yet"}


# ---- schemas ------------------------------------------------------------------------------------


def test_schemas_are_those_of_qmp(programs, small):
    said = programs.client(small.grouped).execute("query-stats-schemas")
    expected = [
        (target, schema["provider"], stat["name"], stat["unit"], stat["exponent"])
        for target in ("vm", "vcpu")
        for schema in said[target]
        for stat in schema["stats"]
    ]
    members = ("target", "provider", "name", "unit", "exponent")
    stats = show_json("schemas", small.flat)
    assert [tuple(stat[member] for member in members) for stat in stats] == expected
    lines = show_csv("schemas", small.flat)
    assert [line["name"] for line in lines] == [stat["name"] for stat in stats]


def test_schemas_for_people(small):
    lines = show("schemas", small.flat, "--target", "vcpu", "--no-legend").splitlines()
    cells = {line.split()[2]: line.split()[3:] for line in lines}
    assert cells["halt_wait_ns"] == ["cumulative", "ns"]
    assert cells["halt_wait_hist"] == ["log2-histogram", "ns", "0,", "1,", "2-3,", "4-7,", "..."]
    assert cells["demo_exits_per_tick"] == ["linear-histogram", "each", "32", "wide"]


# ---- sockets ------------------------------------------------------------------------------------


def test_socket_from_the_environment(small):
    variables = {**os.environ, "VITALS_SOCKET": small.flat}
    assert run("stats", "--stat", "exits", env=variables).returncode == 0


@pytest.mark.parametrize("verb", VERBS)
def test_no_socket(verb):
    variables = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}
    result = run(verb, env=variables, preexec_fn=without_right_to_read_the_kernel)
    assert result.returncode == 1 and "no VM is named" in result.stderr


def test_a_directory_of_sockets(programs, small):
    programs.write("no-socket", b"")
    table = show("stats", programs.directory, "--vcpu", 0, "--stat", "exits")
    titles, *lines = table.splitlines()
    assert titles.split()[0] == "VM"
    assert [line.split()[0] for line in lines] == ["demo", "demo"]
    stats = show_json("stats", programs.directory, "--vcpu", 0, "--stat", "exits")
    assert {stat["socket"] for stat in stats} == {small.flat, small.grouped}


def test_a_socket_that_is_named_twice_is_one_vm(programs, small):
    os.symlink(small.grouped, programs.path("link"))
    options = ["--socket", small.grouped, "--socket", small.grouped, "--socket", programs.directory]
    stats = json.loads(show("stats", small.grouped, *options, "--vcpu", 0, "--stat", "exits", "--json"))
    assert [stat["socket"] for stat in stats["stats"]] == [small.grouped, small.flat]


def test_several_sockets(programs, small):
    """Patterns, operands, and the variable."""
    both = {small.grouped, small.flat}
    variables = {**os.environ, "VITALS_SOCKET": f"{small.grouped}:{small.flat}"}

    def sockets(*words, **options):
        output = run("list", *words, "-o", "json", **options).stdout
        return {vm["socket"] for vm in json.loads(output)["vms"]}

    assert sockets("--socket", programs.path("*.sock")) == both
    assert sockets(small.grouped, small.flat) == both
    assert sockets("--socket", small.grouped, small.flat) == both
    assert sockets(env=variables) == both


def test_a_directory_without_sockets(programs):
    result = run("stats", "--socket", programs.directory)
    assert result.returncode == 1 and "no socket in this directory" in result.stderr


def test_one_of_two_sockets_fails(programs, small):
    missing = programs.path("missing.sock")
    result = run("stats", "--socket", missing, "--socket", small.flat, "--stat", "exits")
    assert result.returncode == 1
    assert result.stderr.startswith(f"vitals stats: {missing}: no such file\n  ")
    assert len(result.stdout.splitlines()) == 1 + VCPUS


@pytest.fixture
def silent(programs):
    """Servers that never say a word."""
    return [programs.keep(Listener(programs.path(f"silent{i}.sock"))) for i in range(6)]


@pytest.fixture
def silent_sockets(silent):
    return [listener.path for listener in silent]


@pytest.mark.parametrize("verb", ["stats", "list", "doctor"])
def test_silent_vms_are_waited_for_together(programs, verb):
    """However many there are, each is connected to before the first is given up."""
    silent = [programs.keep(Listener(programs.path(f"silent{i}.sock"))) for i in range(100)]
    sockets = [word for listener in silent for word in ("--socket", listener.path)]
    process = programs.start([VITALS, verb, *sockets, "--timeout", str(10 * TIMEOUT)])
    for listener in silent:
        assert select.select(listener.sockets, [], [], TIMEOUT)[0], listener.path
    process.kill()
    assert process.log() == ""


def test_silent_vms_do_not_hide_the_others(small, silent_sockets):
    start = time.monotonic()
    sockets = [word for path in [*silent_sockets, small.flat] for word in ("--socket", path)]
    result = run("stats", *sockets, "--timeout", 1, "--stat", "exits", "-o", "csv")
    assert time.monotonic() - start >= 1
    assert result.returncode == 1 and len(result.stdout.splitlines()) == 1 + VCPUS
    complaints = [line for line in result.stderr.splitlines() if line.startswith("vitals stats: ")]
    assert [line.split(": ")[1] for line in complaints] == silent_sockets


def test_a_vm_that_ends_meanwhile(programs, recording):
    """It may come back: who watches it says that it is away."""
    vm = Vm(programs, recording)
    command = [VITALS, "stats", "--socket", vm.flat, "-i", "0.05", "-n", "40", "--stat", "exits"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        vm.demo.stop()
        output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert re.search(rb": closed by the server .*, since \d\d:\d\d:\d\d\n$", output)
    assert b"closed by the server" in errors and errors.count(b"vitals stats: ") == 1


# ---- usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb):
    result = run(verb, "--help")
    assert result.returncode == 0 and result.stdout.startswith(f"Usage: vitals {verb}")
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize("options, text", [
    (["-o", "xml"], "-o: unknown format 'xml'"),
    (["--timeout", "0"], "--timeout: '0' is no number of seconds"),
    (["-i", "nan"], "-i: 'nan' is no number of seconds"),
    (["-n", "0"], "-n: '0' is no number"),
    (["-n", "-1"], "-n: '-1' is no number"),
    (["--vcpu", "0", "--target", "vm"], "--vcpu and --target vm exclude each other"),
    (["--object", "d0", "--vcpu", "0"], "--object and --vcpu exclude each other"),
    (["--object", "d0", "--target", "vcpu"], "--object and --target vcpu exclude each other"),
    (["--frobnicate"], "unrecognized option"),
])  # fmt: skip
def test_wrong_usage(options, text):
    result = run("stats", *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert text in result.stderr and result.stderr.endswith("Try 'vitals stats --help'.\n")


# ---- the daemon of this host --------------------------------------------------------------------


def at_run_directory(programs, *words):
    env = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}
    env["VITALS_RUN_DIR"] = programs.path("run")
    return run(*words, env=env, preexec_fn=without_right_to_read_the_kernel)


class FakeDaemon(FakeQemu):
    """Tells of some VMs."""

    def __init__(self, programs, *vms):
        os.makedirs(programs.path("run"), exist_ok=True)
        super().__init__(programs.path("run/host.sock"), query_vms={"return": list(vms)})


def told(socket, **members):
    vm = {"name": "web", "pid": 4321, "uid": 64055, "vmm": "firecracker", "vcpus": 1, "state": "running",
          "way": "kernel", "since": 1767225600, "sockets": {"grouped": socket}}  # fmt: skip
    return {name: value for name, value in (vm | members).items() if value is not None}


def test_the_sockets_of_the_daemon(programs, small):
    programs.keep(FakeDaemon(programs, told(small.grouped)))
    for words in ["list", "--json"], ["stats", "-i", "0.05", "-n", "2", "-o", "json"]:
        result = at_run_directory(programs, *words)
        assert (result.returncode, result.stderr) == (0, "")
        assert '"vm": "demo"' in result.stdout


def test_whose_vms_the_daemon_has(programs, small):
    """Not the daemon's, which is at the other end of all sockets."""
    uuid = "4a1c1e6a-0000-4000-8000-00000000c0de"
    programs.keep(FakeDaemon(programs, told(small.grouped, uuid=uuid)))
    (vm,) = json.loads(at_run_directory(programs, "list", "--json").stdout)["vms"]
    expected = {"vmm": "firecracker", "pid": 4321, "uid": 64055, "way": "kernel", "uuid": uuid}
    assert {name: vm[name] for name in expected} == expected
    assert (vm["socket"], vm["peer"], vm["dialect"]) == (small.grouped, "vitals", "grouped")
    titles, line = at_run_directory(programs, "list").stdout.splitlines()
    assert titles.split() == ["VM", "STATE", "VCPUS", "STATS", "VMM", "PID", "UID", "WAY"]
    assert line.split()[-4:] == ["firecracker", "4321", "64055", "kernel"]
    (vm,) = json.loads(at_run_directory(programs, "snap").stdout)["vms"]
    assert {name: vm[name] for name in expected} == expected


@pytest.mark.parametrize("words", [["list"], ["stats", "-i", "0.05", "-n", "1"], ["top", "-b", "-n", "1"]])
def test_a_daemon_without_vms(programs, words):
    programs.keep(FakeDaemon(programs))
    result = at_run_directory(programs, *words)
    assert result.returncode == (0 if words == ["list"] else 3)
    assert ": this host has no VMs" in result.stderr


@pytest.mark.parametrize("words", [["list"], ["stats", "-i", "0.05", "-n", "2", "--json"]])
def test_a_vm_that_does_not_speak_as_it_should(programs, small, words):
    """The daemon has said that it is a VM, so it is missed."""
    odd = programs.keep(Stranger(programs.path("odd.sock"), b"hello\n"))
    programs.keep(FakeDaemon(programs, told(odd.path), told(small.grouped)))
    result = at_run_directory(programs, *words)
    assert result.returncode == 1 and "demo" in result.stdout
    assert "odd.sock: this is no QMP socket" in result.stderr


def test_a_vm_that_has_ended_when_it_is_asked(programs, small):
    """Between the answer of the daemon and the question to the VM."""
    programs.keep(FakeDaemon(programs, told(programs.path("gone.sock")), told(small.grouped)))
    result = at_run_directory(programs, "list", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert [vm["vm"] for vm in json.loads(result.stdout)["vms"]] == ["demo"]


@pytest.mark.parametrize(
    "vm",
    [
        "web",
        {},
        told("relative.sock"),
        told("/run/x", sockets={"flat": "/run/x"}),
        told("/run/x", sockets=None),
        told("/run/x", name="a\x1b[31m"),
        told("/run/x", name=7),
        told("/run/x", way=None),
    ],
)
def test_what_is_no_vm_of_a_daemon_is_left_out(programs, small, vm):
    programs.keep(FakeDaemon(programs, vm, told(small.grouped)))
    result = at_run_directory(programs, "list", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(json.loads(result.stdout)["vms"]) == 1


def test_a_vm_of_which_less_is_known(programs, small):
    vm = told(small.grouped, pid=None, uid="root", vmm="a\x1bb", uuid=None)
    programs.keep(FakeDaemon(programs, vm))
    (vm,) = json.loads(at_run_directory(programs, "list", "--json").stdout)["vms"]
    assert [vm[name] for name in ("pid", "uid", "vmm", "uuid", "way")] == [None] * 4 + ["kernel"]


@pytest.mark.parametrize("reply", [{"return": {}}, {"error": {"class": "GenericError", "desc": "no"}}])
def test_a_daemon_that_does_not_say(programs, reply):
    daemon = programs.keep(FakeDaemon(programs))
    daemon.replies["query-vms"] = reply
    for words in ["list"], ["stats", "-i", "0.05"]:
        result = at_run_directory(programs, *words)
        assert (result.returncode, result.stdout) == (1, "")
        assert "run/host.sock: query-vms: " in result.stderr and result.stderr.count("\n") == 1


def test_a_daemon_that_does_not_answer(programs):
    """Then the host itself is looked at, which this user may not do."""
    os.makedirs(programs.path("run"))
    socket = Listener(programs.path("run/host.sock"))
    socket.stop()
    if not os.path.exists(programs.path("run/host.sock")):
        programs.write("run/host.sock", b"")
    result = at_run_directory(programs, "list")
    assert (result.returncode, result.stdout) == (1, "")
    first, second, *_ = result.stderr.splitlines()
    entry = "PATH: the daemon does not answer: REASON"
    assert entry in manual.messages() and ": the daemon does not answer: " in first
    assert "no VM is named, and those of this host can't be read" in second


# ---- a daemon that is asked for many VMs at a time ----------------------------------------------


class DaemonOfMany(FakeDaemon):
    """Has VMs that nobody can connect to, and says of each what is said at another socket."""

    OWN = {"query-vms-stats": ("query-stats", "stats"), "query-vms-cpus-fast": ("query-cpus-fast", "cpus"),
           "query-vms-stats-schemas": ("query-stats-schemas", "schemas")}  # fmt: skip

    def __init__(self, programs, socket, *names, **members):
        self.vms = {name: told(programs.path(f"{name}.sock"), name=name, **members) for name in names}
        self.client, self.asked, self.limit = programs.client(socket), [], None
        super().__init__(programs)
        self.replies["query-commands"] = {"return": [{"name": name} for name in [*self.OWN, "query-vms"]]}

    def ends(self, name):
        del self.vms[name]

    def of_many(self, command, arguments):
        own, member = self.OWN[command]
        names = arguments.pop("vms", list(self.vms))
        self.asked.append((command, names))
        for name in names:
            if name not in self.vms:
                return {"error": {"class": "GenericError", "desc": f"There is no VM of the name '{name}'"}}
        part = self.client.execute_with(own, arguments)
        if member == "schemas":
            return {"return": [{"names": names, "schemas": part}]}
        padding = " " * self.limit if self.limit and len(names) > 1 else ""
        return {"return": [{"name": name, member: part, "padding": padding} for name in names]}

    def answer(self, line):
        request = json.loads(line)
        if request["execute"] in self.OWN:
            reply = self.of_many(request["execute"], request.get("arguments", {}))
            return reply if reply is CLOSE else reply_to(line, reply)
        self.replies["query-vms"] = {"return": list(self.vms.values())}
        return super().answer(line)

    def names_asked(self, command):
        return [names for asked, names in self.asked if asked == command]


def values_by_vm(result):
    """{VM: {what a statistic is: its value}}"""
    found = {}
    for stat in json.loads(result.stdout)["stats"]:
        identity = tuple(stat[name] for name in ("provider", "target", "object", "vcpu", "name") if name in stat)
        found.setdefault(stat["vm"], {})[identity] = stat.get("values", stat.get("value"))
    return found


def test_all_vms_are_asked_for_together(programs, small):
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one", "two", "three"))
    result = at_run_directory(programs, "stats", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    (alone,) = values_by_vm(run("stats", "--json", "--socket", small.grouped)).values()
    found = values_by_vm(result)
    assert found.keys() == {"one", "two", "three"}
    assert all(values.keys() == alone.keys() for values in found.values())
    assert [command for command, _ in daemon.asked].count("query-vms-stats-schemas") == 1
    assert all(names == ["one", "two", "three"] for _, names in daemon.asked)


def test_one_that_is_large_costs_the_others_nothing(programs, small):
    """Alone it is more than is asked for at once: so it is asked for alone, and the others together."""
    names = [f"vm{i}" for i in range(8)]
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, *names))
    daemon.vms["vm0"]["vcpus"], daemon.limit = 200, 4 << 20
    result = at_run_directory(programs, "stats", "--json", "--target", "vm", "--timeout", str(TIMEOUT))
    assert (result.returncode, result.stderr) == (0, "")
    assert values_by_vm(result).keys() == set(names)
    assert ["vm0"] in daemon.names_asked("query-vms-cpus-fast")


def test_another_vm_of_the_same_name_is_another_one(programs, small):
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one"))
    command = ["env", "-u", "VITALS_SOCKET", f"VITALS_RUN_DIR={programs.path('run')}", VITALS]
    stats = programs.start([*command, "stats", "--target", "vm", "-i", "0.05"])
    assert stats.read_line()
    daemon.vms["one"]["pid"] += 1
    wait_until(lambda: re.search("has ended.*is back", stats.log(), re.DOTALL), "it is said")
    stats.kill()


def test_what_is_said_of_them(programs, small):
    uuid = "4a1c1e6a-0000-4000-8000-00000000c0de"
    programs.keep(DaemonOfMany(programs, small.grouped, "one", uuid=uuid, state="paused"))
    (vm,) = json.loads(at_run_directory(programs, "list", "--json").stdout)["vms"]
    expected = {"vm": "one", "vmm": "firecracker", "pid": 4321, "uid": 64055, "way": "kernel", "uuid": uuid,
                "socket": programs.path("one.sock"), "peer": "vitals", "dialect": "grouped", "state": "paused"}  # fmt: skip
    assert {name: vm[name] for name in expected} == expected


@pytest.mark.parametrize("chosen", ["two", "t*o", "4a1c1e6a-0000-4000-8000-00000000c0de"])
def test_only_the_vms_that_are_meant_are_asked(programs, small, chosen):
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one", "two", "three"))
    daemon.vms["two"]["uuid"] = "4a1c1e6a-0000-4000-8000-00000000c0de"
    for words in ["--json"], ["-i", "0.05", "-n", "2", "--json"]:
        result = at_run_directory(programs, "stats", "--vm", chosen, *words)
        assert (result.returncode, result.stderr) == (0, "")
        assert '"vm": "two"' in result.stdout and '"vm": "one"' not in result.stdout
    assert all(names == ["two"] for _, names in daemon.asked)


def test_a_name_that_no_vm_of_the_daemon_has(programs, small):
    programs.keep(DaemonOfMany(programs, small.grouped, "one", "two"))
    for words in [], ["-i", "0.05"]:
        result = at_run_directory(programs, "stats", "--vm", "tow", *words)
        assert (result.returncode, result.stdout) == (3, "")
        assert "'tow'" in result.stderr and "two" in result.stderr


def test_one_that_ends_while_it_is_asked(programs, small):
    """Its name is refused; the others are asked again without it."""
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one", "two", "three"))

    def of_many(command, arguments):
        if command == "query-vms-stats":
            daemon.vms.pop("two", None)
        return DaemonOfMany.of_many(daemon, command, arguments)

    daemon.of_many = of_many
    result = at_run_directory(programs, "stats", "--json", "--vm", "one", "--vm", "two")
    assert values_by_vm(result).keys() == {"one"}
    assert "two.sock: the VM has ended" in result.stderr


def test_one_that_is_refused_while_another_takes_its_name(programs, small):
    """Who comes and goes under one name costs the others nothing."""
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one", "two", "three"))

    def of_many(command, arguments):
        vms = dict(daemon.vms)
        if command == "query-vms-stats":
            del daemon.vms["two"]
        reply = DaemonOfMany.of_many(daemon, command, arguments)
        daemon.vms = vms
        return reply

    daemon.of_many = of_many
    for words in [], ["-i", "0.05", "-n", "3"]:
        result = at_run_directory(programs, "stats", "--json", "--vm", "one", "--vm", "two", *words)
        assert '"vm": "one"' in result.stdout and '"vm": "two"' not in result.stdout
        assert "two.sock: the VM has ended" in result.stderr and "one.sock" not in result.stderr


def test_replies_that_are_too_long_are_asked_for_in_pieces(programs, small):
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, *(f"vm{i}" for i in range(8))))
    daemon.limit = 4 << 20
    result = at_run_directory(programs, "stats", "--json", "--target", "vm", "--timeout", str(TIMEOUT))
    assert (result.returncode, result.stderr) == (0, "")
    assert len(values_by_vm(result)) == 8
    sizes = [len(names) for names in daemon.names_asked("query-vms-stats")]
    assert sizes[0] == 8 and sizes[-1] < 4


@pytest.mark.parametrize("command", ["query-vms-stats", "query-vms-stats-schemas"])
def test_a_reply_that_is_too_long_is_the_loss_of_one_vm(programs, small, command):
    """It is asked for alone; the others are told, and not each by itself."""
    names = [f"vm{i}" for i in range(40)]
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, *names))

    def of_many(asked, arguments):
        reply = DaemonOfMany.of_many(daemon, asked, arguments)
        if asked == command and "vm7" in daemon.asked[-1][1]:
            reply["return"][0]["padding"] = " " * (17 << 20)
        return reply

    daemon.of_many = of_many
    result = at_run_directory(programs, "stats", "--json", "--target", "vm", "--timeout", str(TIMEOUT))
    assert result.returncode == 1
    assert re.fullmatch(f"vitals stats: .*/vm7.sock: .*: the reply to {command} is longer than 16 MiB\n", result.stderr)
    assert values_by_vm(result).keys() == set(names) - {"vm7"}
    assert len(daemon.names_asked(command)) < 20


def in_rounds(daemon, change):
    """Calls change(n) at the begin of round n, from 1 on."""
    rounds = itertools.count(1)

    def answer(line):
        if json.loads(line)["execute"] == "query-vms":
            change(next(rounds))
        return CLOSE if daemon.has_ended else DaemonOfMany.answer(daemon, line)

    daemon.has_ended, daemon.answer = False, answer


def test_schemas_are_asked_for_once_in_a_round(programs, small):
    """Also where a VM has others by now, and is opened anew."""
    other = programs.demo("--recording", os.path.join(DATA, "recording"))
    daemon, rounds = programs.keep(DaemonOfMany(programs, small.grouped, "one", "two")), []

    def change(number):
        rounds.append(len(daemon.names_asked("query-vms-stats-schemas")))
        if number == 3:
            daemon.client = programs.client(other.path)

    in_rounds(daemon, change)
    result = at_run_directory(programs, "stats", "--target", "vm", "--json", "-i", "0.5", "-n", "10")
    assert (result.returncode, result.stderr) == (0, "")
    first, *_, last = [len(json.loads(line)["stats"]) for line in result.stdout.splitlines()]
    assert last > first
    assert max(after - before for before, after in itertools.pairwise(rounds)) == 1


AGAIN_AND_AGAIN = [["stats", "--target", "vm", "-i", "0.05", "-n", "8"], ["top", "-b", "-i", "0.05", "-n", "8"]]


@pytest.mark.parametrize("words", AGAIN_AND_AGAIN)
def test_a_vm_of_the_host_that_ends_is_no_failure(programs, small, words):
    """Nor is another one of its name."""
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one", "two"))

    def change(number):
        if number == 3:
            daemon.ends("two")
        elif number == 5:
            daemon.vms["two"] = told(programs.path("two.sock"), name="two", pid=4322)

    in_rounds(daemon, change)
    result = at_run_directory(programs, *words)
    assert result.returncode == 0
    assert re.search("two.sock: the VM has ended.*two.sock: is back", result.stderr, re.DOTALL)


@pytest.mark.parametrize("words", AGAIN_AND_AGAIN)
def test_a_daemon_that_ends_is_a_failure(programs, small, words):
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one"))

    def change(number):
        daemon.has_ended = number == 3

    in_rounds(daemon, change)
    result = at_run_directory(programs, *words)
    assert result.returncode == 1 and "host.sock: closed by the server" in result.stderr


@pytest.mark.parametrize("words", [["list"], ["stats"], ["export"]])
def test_a_daemon_that_ends_at_once_is_a_failure(programs, small, words):
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one"))
    daemon.of_many = lambda *_words: CLOSE
    result = at_run_directory(programs, *words)
    assert result.returncode == 1 and "one.sock: " in result.stderr


def test_a_list_of_many_schemas_costs_what_it_prints(programs, vm):
    """Not more for each, the more there are."""
    programs.keep(DaemonOfMany(programs, vm.grouped, *(f"vm{i}" for i in range(500))))

    def cpu_of(*words):
        begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        assert at_run_directory(programs, "schemas", *words, "--timeout", str(TIMEOUT)).returncode == 0
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin

    assert cpu_of() < 10 * cpu_of("--json")


def test_the_daemon_comes_and_goes(programs, small):
    daemon = programs.keep(DaemonOfMany(programs, small.grouped, "one"))
    command = ["env", "-u", "VITALS_SOCKET", f"VITALS_RUN_DIR={programs.path('run')}", VITALS]
    top = programs.start([*command, "top", "-b", "-i", "0.05"])
    lines = iter(top.read_line, None)
    assert any(line.startswith("one") for line in lines)
    daemon.answer = lambda _line: CLOSE
    daemon.stop()
    os.unlink(daemon.path)
    assert any(line.startswith("one") and "host.sock: closed by the server" in line for line in lines)
    programs.keep(DaemonOfMany(programs, small.grouped, "one"))
    assert any(line.startswith("one") and "host.sock" not in line for line in lines)
    top.kill()
