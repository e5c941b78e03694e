# SPDX-License-Identifier: MIT
"""A VM's targets are its own to name: what is neither the VM nor a vCPU is shown by its path."""

import csv
import io
import json

import pytest

from support import exposition
from support.programs import run
from support.strangers import FakeQemu, greeting, reply_to

OBJECTS = ["/objects/c0", "/objects/c1", "/machine/peripheral/disk"]
SAME = "/machine/unattached/device[0]"  # a vCPU, which has statistics of another target, too
PLAIN = {"type": "cumulative", "unit": "none", "base": "pow10", "exponent": 0}
NAMES = {"vm": ["pages"], "vcpu": ["exits"], "cryptodev": ["algs", "ops"], "disk": ["algs"]}
PROVIDERS = {"vm": "kvm", "vcpu": "kvm", "cryptodev": "cryptodev", "disk": "own"}
PATHS = {"vm": [None], "vcpu": [SAME], "cryptodev": OBJECTS[:2], "disk": [OBJECTS[2], SAME]}


def number(target, i, j):
    """Each value is another one."""
    return 1000 * list(NAMES).index(target) + 100 * i + j


def values(target, i):
    return [{"name": name, "value": number(target, i, j)} for j, name in enumerate(NAMES[target])]


class FlatVm(FakeQemu):
    """QEMU sends the last first."""

    def __init__(self, path):
        self.asked = []
        super().__init__(path, (8, 2, 0))

    def schemas(self):
        return [{"provider": PROVIDERS[target], "target": target,
                 "stats": [{"name": name, "type": "cumulative", "exponent": 0}
                           for name in reversed(NAMES[target])]} for target in NAMES]  # fmt: skip

    def results(self, target):
        results = [{"provider": PROVIDERS[target], "stats": values(target, i)[::-1]}
                   | ({"qom-path": path} if path else {})
                   for i, path in enumerate(PATHS[target])]  # fmt: skip
        return results[::-1]

    def answer(self, line):
        request = json.loads(line)
        if request["execute"] == "query-stats-schemas":
            return reply_to(line, {"return": self.schemas()})
        if request["execute"] == "query-stats":
            self.asked.append(request["arguments"])
            return reply_to(line, {"return": self.results(request["arguments"]["target"])})
        return super().answer(line)


class GroupedVm(FlatVm):
    def __init__(self, path):
        super().__init__(path)
        package = '"package": "vitals 0.1.0"'.encode()
        self.banner = greeting((7, 0, 0)).replace(b'"package": ""', package)

    def schemas(self):
        return {target: [{"provider": PROVIDERS[target],
                          "stats": [{"name": name, **PLAIN} for name in NAMES[target]]}]
                for target in NAMES}  # fmt: skip

    def results(self, target):
        found = []
        for i, path in enumerate(PATHS[target]):
            result = {"provider": PROVIDERS[target], "stats": values(target, i)}
            found.append({"path": path, "providers": [result]} if path else result)
        return {"vcpus" if target == "vcpu" else target: found}


class LateVm(GroupedVm):
    """Its disks come when it has been asked a few times."""

    def schemas(self):
        schemas = super().schemas()
        if len(self.asked) < 6:
            del schemas["disk"]
        return schemas


@pytest.fixture(params=[FlatVm, GroupedVm])
def vm(request, programs):
    return programs.keep(request.param(programs.path("vm.sock")))


def show(verb, vm, *options):
    result = run(verb, "--socket", vm.path, *options)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


EXPECTED = [(target, path, name, number(target, i, j)) for target in NAMES
            for i, path in enumerate(PATHS[target])
            for j, name in enumerate(NAMES[target])]  # fmt: skip


def found_in(text):
    stats = json.loads(text)["stats"]
    assert all((stat["vcpu"] == 0) == (stat["target"] == "vcpu") for stat in stats)
    return [(stat["target"], stat["path"], stat["name"], stat["value"]) for stat in stats]


@pytest.mark.parametrize("target", ["all", *NAMES])
def test_values_of_each_target(vm, target):
    expected = [each for each in EXPECTED if target in ("all", each[0])]
    assert found_in(show("stats", vm, "--target", target, "-o", "json")) == expected
    assert found_in(show("snap", vm, "--target", target)) == expected
    asked = [request["target"] for request in vm.asked]
    assert asked == 2 * (list(NAMES) if target == "all" else [target])


def test_only_what_is_wanted_is_asked_for(vm):
    assert [each[3] for each in found_in(show("stats", vm, "--stat", "ops", "-o", "json"))] == [
        number("cryptodev", 0, 1), number("cryptodev", 1, 1)]  # fmt: skip
    (asked,) = vm.asked
    assert asked["target"] == "cryptodev" and "algs" not in json.dumps(asked)


def test_each_object_has_rows(vm):
    rows = [line.split() for line in show("stats", vm, "--no-legend").splitlines()]
    assert [row[0] for row in rows if row[2] == "algs"] == [*OBJECTS, SAME]
    rows = list(csv.DictReader(io.StringIO(show("stats", vm, "-o", "csv"))))
    assert [(row["target"], row["path"]) for row in rows if row["name"] == "algs"] == [
        ("cryptodev", OBJECTS[0]), ("cryptodev", OBJECTS[1]), ("disk", OBJECTS[2]), ("disk", SAME)
    ]  # fmt: skip


def test_each_object_has_metrics(vm):
    """What is no vCPU is told apart by its path."""
    for text_format, read in exposition.READERS.items():
        found = read(show("export", vm, "-o", text_format))
        for target, path, name, value in EXPECTED:
            provider = PROVIDERS[target]
            words = [provider, target, name] if provider != target else [provider, name]
            labels = {"vm": {}, "vcpu": {"vcpu": "0"}}.get(target, {"object": path})
            assert found.value("_".join(words) + "_total", vm="guest", **labels) == str(value)


def test_what_there_is(vm):
    schemas = json.loads(show("schemas", vm, "-o", "json"))["stats"]
    expected = [(target, PROVIDERS[target], name) for target in NAMES for name in NAMES[target]]
    assert [(stat["target"], stat["provider"], stat["name"]) for stat in schemas] == expected
    text = show("describe", vm, "ops")
    assert "each object of target cryptodev" in text
    described = json.loads(show("describe", vm, "-o", "json"))["stats"]
    assert {stat["target"] for stat in described} == set(NAMES)


@pytest.mark.parametrize("verb", ["stats", "schemas", "hist", "snap", "top", "describe"])
def test_targets_without_objects_are_no_statistics(programs, verb):
    """QEMU 8 and later describe crypto devices also where there is none."""
    schemas = [{"provider": "cryptodev", "target": "cryptodev",
                "stats": [{"name": "ops", "type": "cumulative", "exponent": 0}]}]  # fmt: skip
    vm = programs.keep(FakeQemu(programs.path("bare.sock"), (10, 0, 0),
                                query_stats_schemas={"return": schemas}))  # fmt: skip
    result = run(verb, "--socket", vm.path, *(["-b"] if verb == "top" else []))
    assert (result.returncode, result.stdout) == (3, "")
    assert f"{vm.path}: no statistics\n" in result.stderr and "-accel kvm" in result.stderr
    result = run("doctor", "--socket", vm.path, "--root", "/nothing", "-o", "json")
    (check,) = [c for c in json.loads(result.stdout)["checks"] if c["check"] == "socket"]
    assert check["status"] == "warning" and "-accel kvm" in check["hint"]


def test_top_has_a_line_for_each_object(vm):
    lines = show("top", vm, "-b", "-n", "1").splitlines()
    vms, objects = lines[2], [line.split()[0] for line in lines[6:]]
    assert vms.split()[:2] == ["guest", "1"], "one vCPU, whatever else it has"
    assert objects[0] == "vm" and objects[1] == "vcpu" and len(objects) == 6
    lines = show("top", vm, "-b", "-n", "1", "--target", "cryptodev").splitlines()
    assert len(lines) == 6 + 2


def test_snapshots_of_all_targets(vm, programs):
    before, after = programs.path("before"), programs.path("after")
    for path in before, after:
        show("snap", vm, "-f", path)
    result = run("diff", before, after, "--all", "-o", "json")
    assert (result.returncode, result.stderr) == (0, "")
    stats = json.loads(result.stdout)["stats"]
    assert [(stat["target"], stat["path"], stat["name"], stat["value"]) for stat in stats] == EXPECTED
    result = run("diff", before, after, "--all", "--target", "disk", "-o", "csv")
    assert len(result.stdout.splitlines()) == 3


def test_differences_of_objects_with_one_path(vm):
    text = show("stats", vm, "--target", "all", "-i", "0.05", "-n", "2", "--rates", "-o", "json")
    stats = json.loads(text.splitlines()[-1])["stats"]
    assert len(stats) == len(EXPECTED) and {stat["delta"] for stat in stats} == {0}


def test_a_target_that_comes_while_somebody_looks(programs):
    """It is no other VM: nobody is told, and its values go on being compared."""
    vm = programs.keep(LateVm(programs.path("vm.sock")))
    text = show("stats", vm, "-i", "0.5", "-n", "10", "--rates", "-o", "json")
    turns = [json.loads(line)["stats"] for line in text.splitlines()]
    targets = [{stat["target"] for stat in turn} for turn in turns]
    assert "disk" not in targets[0] and "disk" in targets[-1]
    for turn in turns:
        assert {"pages", "exits", "ops"} <= {stat["name"] for stat in turn}, "nothing began anew"
        assert {stat["delta"] for stat in turn} == {0}


def test_top_shows_a_target_that_comes(programs):
    vm = programs.keep(LateVm(programs.path("vm.sock")))
    text = show("top", vm, "-b", "-i", "0.5", "-n", "10")
    assert OBJECTS[2] not in text[: len(text) // 10] and OBJECTS[2] in text


# ---- chosen objects ------------------------------------------------------------------------------

CHOSEN = [[OBJECTS[0]], [OBJECTS[1], OBJECTS[2]], [SAME]]


def chosen(paths):
    """Of a path that is that of a vCPU, too, only the other one is meant."""
    return [each for each in EXPECTED if each[1] in paths and each[0] not in ("vm", "vcpu")]


def object_options(paths):
    return [word for path in paths for word in ("--object", path)]


@pytest.mark.parametrize("paths", CHOSEN)
def test_chosen_objects(vm, paths, programs):
    options = object_options(paths)
    assert found_in(show("stats", vm, *options, "-o", "json")) == chosen(paths)
    for asked in vm.asked:
        assert asked["target"] in ("cryptodev", "disk")
    turns = show("stats", vm, *options, "-i", "0.05", "-n", "2", "-o", "json").splitlines()
    assert [found_in(turn) for turn in turns] == 2 * [chosen(paths)]
    before, some, after = (programs.path(name) for name in ("before", "some", "after"))
    show("snap", vm, "-f", before)
    show("snap", vm, *options, "-f", some)
    show("snap", vm, "-f", after)
    with open(some) as snapshot:
        assert found_in(snapshot.read()) == chosen(paths)
    for first in before, some:
        result = run("diff", first, after, "--all", *options, "-o", "json")
        assert (result.returncode, result.stderr) == (0, "")
        stats = json.loads(result.stdout)["stats"]
        assert [(stat["target"], stat["path"]) for stat in stats] == [
            each[:2] for each in chosen(paths)]  # fmt: skip


def test_chosen_objects_of_a_target(vm):
    options = object_options([OBJECTS[1], OBJECTS[2]])
    assert found_in(show("stats", vm, *options, "--target", "disk", "-o", "json")) == chosen(
        [OBJECTS[2]])  # fmt: skip


def test_only_chosen_objects_are_asked_for(programs):
    """QEMU has no filter for them."""
    for kind in GroupedVm, FlatVm:
        vm = programs.keep(kind(programs.path(f"{kind.__name__}.sock")))
        show("stats", vm, "--object", OBJECTS[0], "-o", "json")
        asked = vm.asked[-1]
        assert asked.get("objects") == ([OBJECTS[0]] if kind is GroupedVm else None)


@pytest.mark.parametrize("verb", ["stats", "snap"])
@pytest.mark.parametrize("options", [["-i", "0.05", "-n", "2"], []])
@pytest.mark.parametrize("path", ["/objects/c9", ""])
def test_objects_that_are_not_there(vm, verb, options, path):
    if verb == "snap" and options:
        return
    result = run(verb, "--socket", vm.path, "--object", OBJECTS[0], "--object", path, *options)
    assert (result.returncode, result.stdout) == (3, "")
    assert f"no object matches '{path}'" in result.stderr
