# SPDX-License-Identifier: MIT
"""JSON and CSV: what the manual pages say of their form, held beside what the program prints."""

import csv
import io
import json
import math
import os
import subprocess

import pytest

from support import manual
from support.programs import TIMEOUT, VITALS, run, stat
from support.strangers import FakeQemu

WITHOUT_VM = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}
MAX = 2**64 - 1
STATS = [stat("log", "log-hist", "seconds", exponent=-9, count=3),
         stat("linear", "linear-hist", count=2, bucket_size=2**32 - 1),
         stat("count"), stat("now", "instant", "bytes", base=2, exponent=10)]  # fmt: skip


def no_number(text):
    raise AssertionError(f"{text} is no JSON")


def loads(text):
    """JSON as RFC 8259 has it: Python's would take NaN."""
    return json.loads(text, parse_constant=no_number)


@pytest.fixture
def server(programs):
    server = programs.server(name="web1")
    server.tell("register", "p/vcpu", *STATS)
    server.tell("register", "p/vm", stat("of_vm"))
    server.tell("object", "p/vcpu", "cpu/0", 0)
    server.tell("thread", "vcpu", "cpu/0", server.process.pid)
    server.flat = programs.path("flat.sock")
    server.tell("listen", server.flat, "flat")
    change(server, 0)
    return server


def change(server, value):
    """All values are this one."""
    server.tell("row", "p/vm", "vm", value)
    for vcpu in range(2):
        server.tell("row", "p/vcpu", f"cpu/{vcpu}", *[value] * 7)


def show(verb, *options, status=0):
    result = run(verb, *options, env=WITHOUT_VM)
    assert (result.returncode, result.stderr) == (status, "")
    return result.stdout


def snap(programs, server, name):
    path = programs.path(name)
    show("snap", "--socket", server.path, "-f", path)
    return path


@pytest.fixture
def pair(programs, server):
    """Two snapshots: all was 0, and is the highest."""
    before = snap(programs, server, "before.json")
    change(server, MAX)
    return before, snap(programs, server, "after.json")


# ---- members and columns ------------------------------------------------------------------------


def assert_members(printed, documented, is_ordered=True):
    """All that is printed is documented, in its order, and all that is documented is printed."""
    assert printed
    for members in printed:
        listed = [name for name in documented if name in members]
        assert (list(members) if is_ordered else sorted(members)) == (
            listed if is_ordered else sorted(listed)
        )
    assert {name for members in printed for name in members} == set(documented)


def assert_form(page, list_name, replies, is_ordered=True):
    """The members of whole replies, and of what is in the list."""
    whole, element, *_ = manual.json_members(page)
    assert_members(replies, whole)
    assert_members([each for reply in replies for each in reply[list_name]], element, is_ordered)
    assert {reply["schema_version"] for reply in replies} == {1}


def json_of(*arguments, status=0):
    return [loads(line) for line in show(*arguments, "-o", "json", status=status).splitlines()]


RATES = ["--rates", "-i", 0.1, "-n", 2]


def test_members_of_stats(server):
    for path in server.path, server.flat:
        replies = json_of("stats", "--socket", path) + json_of("stats", "--socket", path, *RATES)
        replies += json_of("stats", "--socket", path, "--total")
        assert_form("vitals-stats.1", "stats", replies)
        _, _, of_vm, of_vcpu = manual.json_members("vitals-stats.1")
        vms = [vm for reply in replies for vm in reply["vms"]]
        assert_members(vms, of_vm)
        assert_members([vcpu for vm in vms for vcpu in vm["vcpus"]], of_vcpu)


def test_members_of_snap(server):
    """Those of stats, as its page says."""
    reply = loads(show("snap", "--socket", server.path))
    (plain,) = json_of("stats", "--socket", server.path)
    assert [list(each) for each in reply["stats"]] == [list(each) for each in plain["stats"]]
    for each in reply["stats"] + plain["stats"]:
        del each["reply_time"]
    assert reply["stats"] == plain["stats"] and list(reply) == list(plain)
    assert "the form of *vitals stats -o\njson*" in manual.page("vitals-snap.1")


def test_members_of_schemas(server):
    assert_form("vitals-schemas.1", "stats", json_of("schemas", "--socket", server.path))


def test_members_of_list(server):
    replies = [json_of("list", "--socket", path)[0] for path in (server.path, server.flat)]
    assert_form("vitals-list.1", "vms", replies)


def test_members_of_describe(server):
    replies = json_of("describe") + json_of("describe", "--socket", server.path)
    assert_form("vitals-describe.1", "stats", replies)


def test_members_of_hist(server):
    options = ["hist", "--socket", server.path]
    replies = json_of(*options) + json_of(*options, *RATES)
    assert_form("vitals-hist.1", "histograms", replies)
    charts = [chart for reply in replies for chart in reply["histograms"]]
    buckets = [bucket for chart in charts for bucket in chart["buckets"]]
    assert_members(buckets, manual.json_members("vitals-hist.1")[2])


def test_members_of_diff(pair):
    (reply,) = json_of("diff", *pair)
    whole, element, *_ = manual.json_members("vitals-stats.1")
    whole = [name for name in whole if name not in ("host", "boot_id", "boot_time")]
    (more,) = manual.json_members("vitals-diff.1")
    assert_members([reply], [*whole[:2], "since", *whole[2:]])
    (total,) = json_of("diff", *pair, "--total")
    assert_members(reply["stats"] + total["stats"], element + more, is_ordered=False)


def test_members_of_doctor(programs, server):
    options = ["--socket", server.path, "--root", programs.path("nothing")]
    assert_form("vitals-doctor.1", "checks", json_of("doctor", *options))


def columns_of(*arguments):
    return show(*arguments, "-o", "csv").splitlines()[0].split(",")


def test_columns(server, pair):
    socket = ["--socket", server.path]
    plain, rates, whose = manual.csv_columns("vitals-stats.1")
    assert columns_of("stats", *socket) == plain + whose
    assert columns_of("stats", *socket, *RATES) == plain + rates + whose
    (more,) = manual.csv_columns("vitals-diff.1")
    assert columns_of("diff", *pair) == plain + rates + more + whose
    for verb, options in ("schemas", socket), ("hist", socket), ("list", socket), ("describe", []):
        (columns,) = manual.csv_columns(f"vitals-{verb}.1")
        assert columns_of(verb, *options) == columns


@pytest.mark.parametrize("verb", ["stats", "schemas", "list", "hist", "describe", "diff"])
def test_each_line_has_all_columns(server, pair, verb):
    where = pair if verb == "diff" else ["--socket", server.path]
    for options in ([], RATES) if verb in ("stats", "hist") else ([],):
        titles, *lines = csv.reader(io.StringIO(show(verb, *where, *options, "-o", "csv")))
        assert lines and {len(line) for line in lines} == {len(titles)}
        without = show(verb, *where, *options, "-o", "csv", "--no-legend")
        assert len(without.splitlines()) == len(lines)


# ---- 64 bits ------------------------------------------------------------------------------------


def csv_of(*arguments):
    return list(csv.DictReader(io.StringIO(show(*arguments, "-o", "csv"))))


@pytest.mark.parametrize("dialect", ["grouped", "flat"])
def test_the_highest_values(server, dialect):
    change(server, MAX)
    socket = ["--socket", server.path if dialect == "grouped" else server.flat]
    (reply,) = json_of("stats", *socket)
    for each in [*reply["stats"], *loads(show("snap", *socket))["stats"]]:
        assert set(each.get("values", [each.get("value")])) == {MAX}
    assert {line["value"] for line in csv_of("stats", *socket)} == {str(MAX)}
    for options in [], ["--each"]:
        (reply,) = json_of("hist", *socket, *options)
        charts = reply["histograms"]
        counts = {bucket["count"] for chart in charts for bucket in chart["buckets"]}
        assert counts == {MAX} == {int(line["count"]) for line in csv_of("hist", *socket, *options)}
    linear = next(chart for chart in charts if chart["name"] == "linear")
    assert [bucket["lower"] for bucket in linear["buckets"]] == [0, 2**32 - 1]


def test_the_highest_values_of_qemu(programs):
    names = [{"name": "big", "type": "cumulative"}, {"name": "h", "type": "log2-histogram"}]
    values = [{"name": "big", "value": MAX}, {"name": "h", "value": [MAX, MAX]}]
    qemu = programs.keep(FakeQemu(
        programs.path("qemu.sock"),
        query_stats_schemas={"return": [{"provider": "kvm", "target": "vm", "stats": names}]},
        query_stats={"return": [{"provider": "kvm", "stats": values}]},
    ))  # fmt: skip
    stats = {each["name"]: each for each in json_of("stats", "--socket", qemu.path)[0]["stats"]}
    assert stats["big"]["value"] == MAX and stats["h"]["values"] == [MAX, MAX]


def test_the_highest_differences(pair):
    (reply,) = json_of("diff", *pair)
    for each in reply["stats"]:
        if each["type"] != "instant":
            assert set(each.get("deltas", [each.get("delta")])) == {MAX}
        assert set(each.get("befores", [each.get("before")])) == {0}
    assert len(reply["stats"]) == 2 * len(STATS) + 1
    for line in csv_of("diff", *pair):
        assert (line["value"], line["before"]) == (str(MAX), "0")
        assert line["delta"] == ("" if line["type"] == "instant" else str(MAX))


def test_counts_that_are_too_many_together(server, pair):
    """They stay at the highest, and do not begin again at 0."""
    assert f": {MAX} values" in show("hist", "--socket", server.path, "log", "--each")
    for each in json_of("diff", *pair, "--stat", "log")[0]["stats"]:
        assert each["rate"] == pytest.approx(MAX / each["seconds"], rel=1e-3)


def test_schemas_are_exact(server):
    for verb in "schemas", "describe":
        stats = json_of(verb, "--socket", server.path, "--stat", "linear")[0]["stats"]
        assert [each["bucket_size"] for each in stats] == [2**32 - 1]
        lines = csv_of(verb, "--socket", server.path, "--stat", "linear")
        assert [line["bucket_size"] for line in lines] == [str(2**32 - 1)]


# ---- what is no number --------------------------------------------------------------------------


@pytest.mark.parametrize("before, after", [
    ("0.0", "5e-324"), ("0.0", "1e-300"), ("0.0", "0.0004"), ("-1e308", "1e308"), ("0.0", "1e308"),
    ("0.0", "1e13"), ("-1.0", "1.0"), ("0.0", "NaN"), ("0.0", "Infinity"), ("-Infinity", "1.0"),
    ("0.0", "1e999"), ("1000.000", "1000.000"),
])  # fmt: skip
def test_times_that_make_no_rate(programs, pair, before, after):
    for path, time in zip(pair, (before, after)):
        with open(path, encoding="utf-8") as file:
            start, rest = file.read().split('"time": ')
        programs.write(os.path.basename(path), f'{start}"time": {time},{rest.split(",", 1)[1]}'
                       .encode())  # fmt: skip
    for form in "json", "csv", "table":
        result = run("diff", *pair, "-o", form)
        assert (result.returncode, result.stdout) == (1, ""), (result, form)
        assert result.stderr.startswith("vitals diff: ")


def test_the_shortest_and_the_longest_time(programs, pair):
    for before, after in ("1000.000", "1000.001"), ("0.0", "1e12"):
        for path, time in zip(pair, (before, after)):
            with open(path, encoding="utf-8") as file:
                reply = json.load(file)
            for each in reply["stats"]:
                each.pop("reply_time", None)  # which says it better than the time of the question
            text = json.dumps(reply).replace(json.dumps(reply["time"]), time, 1)
            programs.write(os.path.basename(path), text.encode())
        for each in json_of("diff", *pair)[0]["stats"]:
            assert math.isfinite(each.get("rate", 0))
        for line in csv_of("diff", *pair):
            assert not line["rate"] or math.isfinite(float(line["rate"]))


def test_a_histogram_that_was_reset(server):
    """It counts all of its values since then, and says so in JSON and in CSV."""
    change(server, 5)
    found = {}
    for form in "json", "csv":
        change(server, 5)
        command = [VITALS, "hist", "log", "--socket", server.path, "--rates", "-i", "0.2",
                   "-n", "50", "-o", form]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            titles = process.stdout.readline().strip().split(",") if form == "csv" else []
            process.stdout.readline()
            change(server, 3)
            for line in process.stdout:
                fields = dict(zip(titles, line.strip().split(",")))
                if '"reset": true' in line or fields.get("reset") == "1":
                    found[form] = line
                    break
            process.terminate()
            process.wait(TIMEOUT)
    (chart,) = loads(found["json"])["histograms"]
    line = dict(zip(titles, found["csv"].strip().split(",")))
    assert chart["seconds"] > 0 and float(line["seconds"]) > 0
    assert {bucket["count"] for bucket in chart["buckets"]} <= {3, 6}
    assert line["reset"] == "1" and line["count"] in ("3", "6")
