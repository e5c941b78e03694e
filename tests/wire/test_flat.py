# SPDX-License-Identifier: MIT
"""Dialect 'flat' says the same as 'grouped': each answer is put into the other form here and
compared. What only one of them can say has tests of its own below."""

import json

import pytest

from support import stats_file
from support.programs import DATA, UNITS, stat
from support.qmp import QmpError
from support.stats_file import Stat

TYPES_OF_FLAT = {"linear-hist": "linear-histogram", "log-hist": "log2-histogram"}
BASES_OF_FLAT = {"pow10": 10, "pow2": 2}
PROVIDERS_MAX = 16


def device(index):
    return f"/machine/unattached/device[{index}]"


@pytest.fixture
def flat(programs, server):
    """A client of the same VM in dialect 'flat'."""
    path = programs.path("flat.sock")
    server.tell("listen", path, "flat")
    return programs.client(path)


KERNEL = [
    Stat("exits", values=[2**64 - 1]),
    Stat("guest_mode", type=1, unit=4, values=[1]),
    Stat("halt_wait_ns", unit=2, exponent=-9, values=[2**53 + 1]),
    Stat("halt_wait_hist", type=4, unit=2, exponent=-9, values=list(range(32))),
    Stat("unknown", type=7),
]


def is_boolean(name):
    """Dialect 'grouped' does not tell."""
    return name == "guest_mode" or name.endswith("_boolean")


ONE = [
    stat("somestat"),
    stat("size", "peak", "bytes", 2, 10),
    stat("widths", "linear-hist", count=3, bucket_size=7),
]


@pytest.fixture
def vm(programs, server):
    """Three vCPUs and the VM, with statistics of the kernel and of two providers."""
    file = programs.write("kernel", stats_file.build(KERNEL))
    server.tell("kvm", programs.write("vm", stats_file.build([Stat("pages", type=1, values=[9])])))
    server.tell("register", "one/vcpu", *ONE)
    server.tell("register", "two/vm", stat("vmstat", "instant"))
    server.tell("row", "two/vm", "vm", 11)
    for i in range(3):
        server.tell("vcpu", device(i), file)
        server.tell("row", "one/vcpu", device(i), i, 100 + i, 1, 2, 3)
    return server


# ---- from one form to the other -----------------------------------------------------------------


def flat_value(entry):
    if isinstance(entry["value"], dict):
        return entry["value"]["values"]
    return bool(entry["value"]) if is_boolean(entry["name"]) else entry["value"]


def flat_results(grouped):
    """{(provider, path or None): stats} of a reply to query-stats."""
    objects = [(None, grouped["vm"])] if "vm" in grouped else []
    objects += [(vcpu["path"], vcpu["providers"]) for vcpu in grouped.get("vcpus", [])]
    return {
        (provider["provider"], path): [
            {"name": entry["name"], "value": flat_value(entry)} for entry in provider["stats"]
        ]
        for path, providers in objects
        for provider in providers
    }


def results(reply):
    return {(result["provider"], result.get("qom-path")): result["stats"] for result in reply}


def flat_schema(entry):
    flat = {"name": entry["name"], "exponent": entry["exponent"]}
    flat["type"] = TYPES_OF_FLAT.get(entry["type"], entry["type"])
    if is_boolean(entry["name"]):
        flat["unit"] = "boolean"
    elif entry["unit"] != "none":
        flat["unit"] = entry["unit"]
    if entry["exponent"]:
        flat["base"] = BASES_OF_FLAT[entry["base"]]
    if "bucket-size" in entry:
        flat["bucket-size"] = entry["bucket-size"]
    return flat


def assert_same_schemas(client, flat, **arguments):
    grouped = {
        (target, provider["provider"]): list(map(flat_schema, provider["stats"]))
        for target, providers in client.execute("query-stats-schemas", **arguments).items()
        for provider in providers
    }
    reply = flat.execute("query-stats-schemas", **arguments)
    assert {(entry["target"], entry["provider"]): entry["stats"] for entry in reply} == grouped
    return reply


# ---- the same answers ---------------------------------------------------------------------------

OBJECTS = [
    {"target": "vm"},
    {"target": "vcpu"},
    {"target": "vcpu", "vcpus": [device(1)]},
    {"target": "vcpu", "vcpus": [device(2), "/nowhere", device(0), device(2)]},
    {"target": "vcpu", "vcpus": []},
]
FILTERS = [
    None,
    [],
    [{"provider": "kvm"}],
    [{"provider": "one"}],
    [{"provider": "two"}],
    [{"provider": "kvm", "fields": []}],
    [{"provider": "kvm", "fields": ["guest_mode", "exits", "exits", "nope", "unknown"]}],
    [{"provider": "kvm", "fields": ["somestat"]}],
    [{"provider": "one", "fields": ["widths", "somestat"]}, {"provider": "kvm"}],
    [{"provider": "two", "fields": ["vmstat", "vmsta", "vmstat2", "*"]}, {"provider": "one"}],
]


def as_providers(filters):
    """The argument of dialect 'flat' that means the same."""
    return [
        {"names" if key == "fields" else key: value for key, value in entry.items()}
        for entry in filters
    ]


@pytest.mark.parametrize("objects", OBJECTS, ids=json.dumps)
@pytest.mark.parametrize("filters", FILTERS, ids=json.dumps)
def test_query_stats(vm, client, flat, objects, filters):
    of_flat = objects if filters is None else {**objects, "providers": as_providers(filters)}
    of_grouped = objects if filters is None else {**objects, "filters": filters}
    reply = flat.execute_with("query-stats", of_flat)
    assert results(reply) == flat_results(client.execute_with("query-stats", of_grouped))
    assert len(results(reply)) == len(reply)


def test_query_stats_has_all_kinds(vm, flat):
    """So that the comparison above compared something."""
    stats = results(flat.execute("query-stats", target="vcpu"))
    assert stats["kvm", device(1)] == [
        {"name": "exits", "value": 2**64 - 1},
        {"name": "guest_mode", "value": True},
        {"name": "halt_wait_ns", "value": 2**53 + 1},
        {"name": "halt_wait_hist", "value": list(range(32))},
    ]
    assert stats["one", device(2)][2] == {"name": "widths", "value": [1, 2, 3]}
    assert results(flat.execute("query-stats", target="vm")) == {
        ("kvm", None): [{"name": "pages", "value": 9}],
        ("two", None): [{"name": "vmstat", "value": 11}],
    }


def test_vcpus_come_in_the_order_in_which_they_were_added(vm, flat):
    reply = flat.execute("query-stats", target="vcpu")
    for provider in ("kvm", "one"):
        paths = [entry["qom-path"] for entry in reply if entry["provider"] == provider]
        assert paths == [device(i) for i in range(3)]


@pytest.mark.parametrize("arguments", [{}, {"provider": "kvm"}, {"provider": "one"}])
def test_query_stats_schemas(vm, client, flat, arguments):
    assert assert_same_schemas(client, flat, **arguments)


def test_schemas_of_all_types_and_units(server, client, flat):
    for unit in UNITS:
        stats = [stat(f"{type_}_{unit}", type_, unit) for type_ in ("cumulative", "instant")]
        stats.append(stat(f"peak_{unit}", "peak", unit, 10, 3))
        stats.append(stat(f"linear-hist_{unit}", "linear-hist", unit, 2, -3, 2, 5))
        stats.append(stat(f"log-hist_{unit}", "log-hist", unit, 2, 0, 2))
        server.tell("register", f"{unit}/vm", *stats)
    assert len(assert_same_schemas(client, flat)) == len(UNITS)


def test_files_that_a_real_kernel_made(server, client, flat):
    directory = DATA / "kvm" / "x86_64-linux-6.18"
    server.tell("kvm", directory / "vm.stats")
    server.tell("vcpu", device(0), directory / "vcpu.stats")
    for target in ("vm", "vcpu"):
        grouped = flat_results(client.execute("query-stats", target=target))
        of_flat = results(flat.execute("query-stats", target=target))
        (numbers,), (stats,) = grouped.values(), of_flat.values()
        assert [entry["name"] for entry in stats] == [entry["name"] for entry in numbers]
        assert stats == numbers  # true is 1 to Python
    grouped = client.execute("query-stats-schemas")
    for entry in flat.execute("query-stats-schemas"):
        (provider,) = grouped[entry["target"]]
        names = [value["name"] for value in provider["stats"]]
        assert [value["name"] for value in entry["stats"]] == names


def test_a_demo_serves_both_dialects(programs, recording):
    paths = [programs.path(f"{dialect}.sock") for dialect in ("grouped", "flat")]
    programs.demo(
        "--recording", recording, "--qmp", f"{paths[1]},dialect=flat", path=f"{paths[0]}"
    )
    client, flat = map(programs.client, paths)
    for target in ("vm", "vcpu"):
        filters = [{"provider": "kvm"}]
        grouped = client.execute("query-stats", target=target, filters=filters)
        of_flat = flat.execute("query-stats", target=target, providers=filters)
        assert results(of_flat) == flat_results(grouped) and of_flat
    assert client.execute("query-version")["qemu"] == {"major": 7, "minor": 0, "micro": 0}
    assert flat.execute("query-version")["qemu"] == {"major": 7, "minor": 1, "micro": 0}


# ---- what only this dialect can say -------------------------------------------------------------


def test_without_any_provider_there_is_nothing(flat):
    for target in ("vm", "vcpu"):
        assert flat.execute("query-stats", target=target) == []
    assert flat.execute("query-stats-schemas") == []


def test_a_provider_that_is_asked_for_twice_answers_twice(vm, flat):
    providers = [{"provider": "two"}, {"provider": "kvm", "names": ["no"]}, {"provider": "two"}]
    stats = {"provider": "two", "stats": [{"name": "vmstat", "value": 11}]}
    assert flat.execute("query-stats", target="vm", providers=providers) == [stats, stats]


def test_the_most_providers_in_a_request(vm, flat):
    providers = [{"provider": "two"}] * PROVIDERS_MAX
    assert len(flat.execute("query-stats", target="vm", providers=providers)) == PROVIDERS_MAX


def test_one_provider_too_many_in_a_request(vm, flat):
    with pytest.raises(QmpError) as error:
        providers = [{"provider": "two"}] * (PROVIDERS_MAX + 1)
        flat.execute("query-stats", target="vm", providers=providers)
    assert error.value.error_class == "GenericError"
    assert error.value.text == f"Parameter 'providers' has more than {PROVIDERS_MAX} elements"
    flat.assert_alive()


def test_a_statistic_that_is_no_boolean_of_one_bit(programs, server, flat):
    file = stats_file.build([Stat("flag", type=1, unit=4, values=[2**40])])
    server.tell("kvm", programs.write("vm", file))
    (result,) = flat.execute("query-stats", target="vm")
    assert result["stats"] == [{"name": "flag", "value": True}]


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"filters": []}, "Parameter 'filters' is unexpected"),
        ({"providers": [{}]}, "Parameter 'providers[0].provider' is missing"),
        ({"providers": [{"provider": "foo"}]}, "Parameter 'provider' does not accept value 'foo'"),
        (
            {"providers": [{"provider": "kvm", "fields": []}]},
            "Parameter 'providers[0].fields' is unexpected",
        ),
        (
            {"providers": [{"provider": "kvm", "names": "exits"}]},
            "Invalid parameter type for 'providers[0].names', expected: array",
        ),
        ({"vcpus": []}, "Parameter 'vcpus' is unexpected"),
    ],
)
def test_wrong_arguments(vm, flat, arguments, text):
    request = {"execute": "query-stats", "arguments": {"target": "vm", **arguments}}
    assert flat.error_of(json.dumps(request)) == text
    flat.assert_alive()
