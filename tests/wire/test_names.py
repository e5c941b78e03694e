# SPDX-License-Identifier: MIT
"""A name is a provider's own: two providers of a target may have it, and each keeps its values."""

import csv
import io
import json

import pytest

from support.programs import run, stat

VCPU = "/machine/unattached/device[0]"
KERNEL, OWN = 3, 500  # the counters of one name
STATS = [stat("exits"), stat("wait_hist", "log-hist", "seconds", exponent=-9, count=3)]


def set_values(server, added=0):
    for provider, value in (("kvm", KERNEL), ("own", OWN)):
        for target, path in (("vm", "vm"), ("vcpu", VCPU)):
            server.tell("row", f"{provider}/{target}", path, value + added, value + added, 0, 1)


@pytest.fixture
def server(programs):
    server = programs.server(name="guest")
    for provider in ("kvm", "own"):
        for target in ("vm", "vcpu"):
            server.tell("register", f"{provider}/{target}", *STATS)
    server.tell("object", "kvm/vcpu", VCPU, 0)
    set_values(server)
    return server


@pytest.fixture
def flat(programs, server):
    path = programs.path("flat.sock")
    server.tell("listen", path, "flat")
    return path


def both(value):
    return [
        {"provider": "kvm", "stats": [{"name": "exits", "value": KERNEL}]},
        {"provider": "own", "stats": [{"name": "exits", "value": value}]},
    ]


# ---- the two dialects ---------------------------------------------------------------------------


def test_a_filter_by_name_finds_both(programs, server):
    client = programs.client(server)
    filters = [{"fields": ["exits"]}]
    reply = client.execute("query-stats", target="vm", filters=filters)
    assert reply == {"vm": both(OWN)}
    reply = client.execute("query-stats", target="vcpu", filters=filters)
    assert reply == {"vcpus": [{"path": VCPU, "providers": both(OWN)}]}
    filters = [{"provider": "own", "fields": ["exits"]}]
    reply = client.execute("query-stats", target="vm", filters=filters)
    assert reply == {"vm": both(OWN)[1:]}
    schemas = client.execute("query-stats-schemas")
    names = [(schema["provider"], entry["name"])
             for schema in schemas["vcpu"] for entry in schema["stats"]]  # fmt: skip
    assert names == [(p, n) for p in ("kvm", "own") for n in ("exits", "wait_hist")]


def test_in_flat_names_stand_below_their_provider(programs, flat):
    client = programs.client(flat)
    providers = [{"provider": provider, "names": ["exits"]} for provider in ("kvm", "own")]
    reply = client.execute("query-stats", target="vm", providers=providers)
    assert reply == both(OWN)
    reply = client.execute("query-stats", target="vm", providers=providers[1:])
    assert reply == both(OWN)[1:]


# ---- the verbs ----------------------------------------------------------------------------------


def look(verb, where, *arguments):
    result = run(verb, "--socket", getattr(where, "path", where), *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def values_of(text):
    return {(row["target"], row["provider"], row["name"]): row for row in json.loads(text)["stats"]}


@pytest.mark.parametrize("dialect", ["server", "flat"])
def test_stats_shows_both(request, dialect):
    where = request.getfixturevalue(dialect)
    found = values_of(look("stats", where, "--stat", "exits", "-o", "json"))
    assert {key: row["value"] for key, row in found.items()} == {
        (target, provider, "exits"): value
        for target in ("vm", "vcpu") for provider, value in (("kvm", KERNEL), ("own", OWN))
    }  # fmt: skip


def test_wide_columns_have_the_provider(server):
    rows = csv.DictReader(io.StringIO(look("stats", server, "--stat", "exits", "-w", "-o", "csv")))
    row = next(rows)
    assert (row["vm/kvm/exits"], row["vm/own/exits"]) == (str(KERNEL), str(OWN))


def test_histograms_say_whose_they_are(server):
    text = look("hist", server, "--target", "vm")
    titles = [line for line in text.splitlines() if " of guest" in line]
    assert titles == [f"kvm/wait_hist of guest, vm: {KERNEL + 1} values",
                      f"own/wait_hist of guest, vm: {OWN + 1} values"]  # fmt: skip
    text = look("hist", server, "--target", "vm", "--provider", "own")
    assert text.startswith("wait_hist of guest, vm: ")


def test_snapshots_keep_them_apart(programs, server):
    before, after = programs.path("before"), programs.path("after")
    look("snap", server, "-f", before)
    set_values(server, 7)
    server.tell("row", "own/vm", "vm", OWN + 9, OWN, 0, 1)
    look("snap", server, "-f", after)
    result = run("diff", before, after, "-o", "json", "--stat", "exits")
    assert (result.returncode, result.stderr) == (0, "")
    deltas = {key: row["delta"] for key, row in values_of(result.stdout).items()}
    assert deltas == {
        ("vm", "kvm", "exits"): 7, ("vm", "own", "exits"): 9,
        ("vcpu", "kvm", "exits"): 7, ("vcpu", "own", "exits"): 7}  # fmt: skip


def test_describe_says_whose_each_is(server):
    rows = json.loads(look("describe", server, "exits", "--target", "vcpu", "-o", "json"))["stats"]
    assert [row["provider"] for row in rows] == ["kvm", "own"]
    assert rows[0]["meaning"] and not rows[1]["meaning"]
