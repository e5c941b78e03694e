# SPDX-License-Identifier: MIT
"""What the two commands do where the proposal is silent or contradicts itself."""

import pytest

from support import stats_file
from support.programs import DATA, TYPES, UNITS, ServerError, stat
from support.qmp import QmpError
from support.stats_file import Stat

NAMES = ["alpha", "beta", "gamma"]


def device(index):
    return f"/machine/unattached/device[{index}]"


@pytest.fixture
def two_providers(server):
    """Providers 'one' and 'two' with three statistics each of three vCPUs and of the VM.

    A value says where it is from: vCPU * 100 + provider * 10 + statistic; 900 for the VM."""
    for provider, prefix in enumerate(["one", "two"]):
        names = [f"{prefix}_{name}" for name in NAMES]
        for target in ("vcpu", "vm"):
            server.tell("register", f"{prefix}/{target}", *map(stat, names))
        for vcpu in range(3):
            values = [vcpu * 100 + provider * 10 + i for i in range(3)]
            server.tell("row", f"{prefix}/vcpu", device(vcpu), *values)
        server.tell("row", f"{prefix}/vm", "vm", *[900 + provider * 10 + i for i in range(3)])
    return server


def values_of(providers):
    return [(stat["name"], stat["value"]) for provider in providers for stat in provider["stats"]]


def vcpus(client, **arguments):
    """The answer for target 'vcpu' as [(path, [(name, value)])]."""
    reply = client.execute("query-stats", target="vcpu", **arguments)
    return [(vcpu["path"], values_of(vcpu["providers"])) for vcpu in reply["vcpus"]]


def vm(client, **arguments):
    return values_of(client.execute("query-stats", target="vm", **arguments)["vm"])


def names(client, **arguments):
    return [name for name, _ in vm(client, **arguments)]


ALL = [f"{provider}_{name}" for provider in ("one", "two") for name in NAMES]


# ---- 1: the base --------------------------------------------------------------------------------


def test_base_is_written_as_in_the_schema(server, client):
    server.tell("register", "p/vm", stat("decimal"), stat("binary", base=2))
    (provider,) = client.execute("query-stats-schemas")["vm"]
    assert [entry["base"] for entry in provider["stats"]] == ["pow10", "pow2"]


# ---- 2: filters ---------------------------------------------------------------------------------


def test_no_filters_select_everything(two_providers, client):
    assert names(client) == ALL
    assert len(vcpus(client)) == 3


def test_a_filter_without_members_matches_everything(two_providers, client):
    assert names(client, filters=[{}]) == ALL


def test_a_filter_with_a_provider_matches_all_of_it(two_providers, client):
    assert names(client, filters=[{"provider": "two"}]) == ALL[3:]


def test_a_filter_with_fields_matches_them_of_any_provider(two_providers, client):
    fields = ["two_beta", "one_beta"]
    assert names(client, filters=[{"fields": fields}]) == ["one_beta", "two_beta"]


def test_a_filter_with_both_needs_both(two_providers, client):
    fields = ["two_beta", "one_beta"]
    assert names(client, filters=[{"provider": "one", "fields": fields}]) == ["one_beta"]


def test_any_filter_that_matches_is_enough(two_providers, client):
    filters = [{"provider": "one", "fields": ["one_gamma"]}, {"provider": "two"}]
    assert names(client, filters=filters) == ["one_gamma", *ALL[3:]]


def test_each_statistic_comes_once(two_providers, client):
    filters = [
        {"fields": ["one_alpha", "one_alpha"]},
        {"provider": "one"},
        {"provider": "one", "fields": ["one_beta"]},
        {"provider": "one"},
    ]
    assert names(client, filters=filters) == ALL[:3]
    assert vcpus(client, vcpus=[device(1), device(1)], filters=filters) == [
        (device(1), [("one_alpha", 100), ("one_beta", 101), ("one_gamma", 102)])
    ]


def test_names_match_exactly(two_providers, client):
    fields = ["one_alph", "one_alpha2", "One_alpha", "one_alpha ", "*", "", "one_alpha\0", "alpha"]
    assert vm(client, filters=[{"fields": fields}]) == []


@pytest.mark.parametrize("filters", [[], [{"fields": []}], [{"provider": "one", "fields": []}]])
def test_an_empty_list_selects_nothing(two_providers, client, filters):
    assert client.execute("query-stats", target="vm", filters=filters) == {"vm": []}
    assert client.execute("query-stats", target="vcpu", filters=filters) == {"vcpus": []}


def test_an_empty_list_does_not_undo_another_filter(two_providers, client):
    assert names(client, filters=[{"fields": []}, {"provider": "one"}]) == ALL[:3]


def test_an_empty_list_of_vcpus_selects_none(two_providers, client):
    assert client.execute("query-stats", target="vcpu", vcpus=[]) == {"vcpus": []}


def test_vcpus_apply_without_filters(two_providers, client):
    assert [path for path, _ in vcpus(client, vcpus=[device(2)])] == [device(2)]


def test_vcpus_apply_with_filters(two_providers, client):
    answer = vcpus(client, vcpus=[device(2)], filters=[{"fields": ["two_alpha"]}])
    assert answer == [(device(2), [("two_alpha", 210)])]


# ---- 3: what is unknown -------------------------------------------------------------------------


def test_unknown_vcpus_select_nothing(two_providers, client):
    assert client.execute("query-stats", target="vcpu", vcpus=["/nowhere", ""]) == {"vcpus": []}
    assert [p for p, _ in vcpus(client, vcpus=["/nowhere", device(0)])] == [device(0)]


def test_unknown_names_select_nothing(two_providers, client):
    assert client.execute("query-stats", target="vm", filters=[{"fields": ["nope"]}]) == {"vm": []}
    assert names(client, filters=[{"fields": ["nope", "one_beta"]}]) == ["one_beta"]


def test_an_unknown_provider_is_an_error(two_providers, client):
    with pytest.raises(QmpError) as error:
        client.execute("query-stats", target="vm", filters=[{"provider": "foo"}])
    assert error.value.text == "Parameter 'provider' does not accept value 'foo'"
    assert error.value.error_class == "GenericError"
    with pytest.raises(QmpError) as error:
        client.execute("query-stats-schemas", provider="foo")
    assert error.value.text == "Parameter 'provider' does not accept value 'foo'"


def test_a_provider_is_known_while_it_is_registered(server, client):
    def ask():
        return client.execute("query-stats", target="vm", filters=[{"provider": "late"}])

    with pytest.raises(QmpError):
        ask()
    server.tell("register", "late/vcpu", stat("late_one"))
    assert ask() == {"vm": []}  # it has nothing of this target, but it is there
    server.tell("unregister", "late/vcpu")
    with pytest.raises(QmpError):
        ask()


def test_an_unknown_target_is_an_error(two_providers, client):
    with pytest.raises(QmpError) as error:
        client.execute("query-stats", target="foo")
    assert error.value.text == "Parameter 'target' does not accept value 'foo'"


def test_vcpus_of_a_vm_are_an_error(two_providers, client):
    with pytest.raises(QmpError) as error:
        client.execute("query-stats", target="vm", vcpus=[device(0)])
    assert error.value.text == "Parameter 'vcpus' is unexpected"


# ---- 4: what is left out ------------------------------------------------------------------------


def test_without_any_provider_the_list_is_there(client):
    assert client.execute("query-stats", target="vm") == {"vm": []}
    assert client.execute("query-stats", target="vcpu") == {"vcpus": []}
    assert client.execute("query-stats-schemas") == {}


def test_a_provider_of_which_nothing_is_left_is_left_out(two_providers, client):
    reply = client.execute("query-stats", target="vm", filters=[{"fields": ["two_alpha"]}])
    assert [provider["provider"] for provider in reply["vm"]] == ["two"]


def test_a_vcpu_of_which_nothing_is_left_is_left_out(two_providers, client):
    two_providers.tell("drop", "two/vcpu", device(1))
    answer = vcpus(client, filters=[{"provider": "two"}])
    assert [path for path, _ in answer] == [device(0), device(2)]


def test_schemas_of_one_provider_have_the_targets_that_it_has(server, client):
    server.tell("register", "both/vm", stat("both_vm"))
    server.tell("register", "both/vcpu", stat("both_vcpu"))
    server.tell("register", "single/vcpu", stat("single_vcpu"))
    both = client.execute("query-stats-schemas", provider="both")
    assert {target: [p["provider"] for p in both[target]] for target in both} == {
        "vm": ["both"],
        "vcpu": ["both"],
    }
    single = client.execute("query-stats-schemas", provider="single")
    assert [p["provider"] for p in single["vcpu"]] == ["single"]
    assert single.get("vm", []) == []


# ---- 5: the order -------------------------------------------------------------------------------


def test_vcpus_come_as_they_were_added(server, client):
    server.tell("register", "p/vcpu", stat("somestat"))
    order = [device(i) for i in (7, 0, 10, 2)]
    for path in order:
        server.tell("row", "p/vcpu", path, 1)
    assert [path for path, _ in vcpus(client)] == order
    assert [path for path, _ in vcpus(client, vcpus=sorted(order))] == order


def test_a_vcpu_that_was_added_again_comes_last(programs, server, client):
    file = programs.write("vcpu", stats_file.build([Stat("exits")]))
    server.tell("kvm", "-")
    for i in range(4):
        server.tell("vcpu", device(i), file)
    server.tell("unplug", device(1))
    assert [path for path, _ in vcpus(client)] == [device(0), device(2), device(3)]
    server.tell("vcpu", device(1), file)
    order = [device(0), device(2), device(3), device(1)]
    assert [path for path, _ in vcpus(client)] == order
    assert [path for path, _ in vcpus(client, vcpus=[device(1), device(0)])] == [order[0], order[3]]


def test_one_vcpu_of_several_providers_comes_once(two_providers, client):
    reply = client.execute("query-stats", target="vcpu")
    assert [vcpu["path"] for vcpu in reply["vcpus"]] == [device(0), device(1), device(2)]
    for vcpu in reply["vcpus"]:
        assert [provider["provider"] for provider in vcpu["providers"]] == ["one", "two"]


def test_providers_come_as_they_were_registered(server, client):
    for provider in ("zulu", "alpha", "mike"):
        server.tell("register", f"{provider}/vm", stat(f"{provider}_one"))
        server.tell("row", f"{provider}/vm", "vm", 1)
    filters = [{"provider": "mike"}, {"provider": "alpha"}, {"provider": "zulu"}]
    for arguments in ({}, {"filters": filters}):
        reply = client.execute("query-stats", target="vm", **arguments)
        assert [provider["provider"] for provider in reply["vm"]] == ["zulu", "alpha", "mike"]
    schemas = client.execute("query-stats-schemas")["vm"]
    assert [provider["provider"] for provider in schemas] == ["zulu", "alpha", "mike"]


def test_a_provider_that_was_registered_again_comes_last(server, client):
    for provider in ("zulu", "alpha"):
        server.tell("register", f"{provider}/vm", stat(f"{provider}_one"))
    server.tell("unregister", "zulu/vm")
    server.tell("register", "zulu/vm", stat("zulu_one"))
    schemas = client.execute("query-stats-schemas")["vm"]
    assert [provider["provider"] for provider in schemas] == ["alpha", "zulu"]


def test_statistics_come_in_the_order_of_the_schema(two_providers, client):
    schema = client.execute("query-stats-schemas", provider="one")["vm"][0]["stats"]
    assert [entry["name"] for entry in schema] == ALL[:3]
    filters = [{"fields": ["one_gamma"]}, {"fields": ["one_beta", "one_alpha"]}]
    assert names(client, filters=filters) == ALL[:3]


def test_statistics_of_the_kernel_come_in_its_order(programs, server, client):
    """The order of its descriptors, wherever the values lie."""
    stats = [
        Stat("zulu", values=[1], offset=16),
        Stat("alpha", values=[2], offset=0),
        Stat("mike", values=[3], offset=8),
    ]
    server.tell("kvm", programs.write("vm", stats_file.build(stats)))
    assert vm(client) == [("zulu", 1), ("alpha", 2), ("mike", 3)]


def test_buckets_come_smallest_first(programs, server, client):
    buckets = list(range(100, 132))
    stats = [Stat("hist", type=4, unit=2, exponent=-9, values=buckets)]
    server.tell("kvm", programs.write("vm", stats_file.build(stats)))
    server.tell("register", "p/vm", stat("linear", "linear-hist", count=3, bucket_size=5))
    server.tell("row", "p/vm", "vm", 3, 2, 1)
    assert vm(client) == [("hist", {"values": buckets}), ("linear", {"values": [3, 2, 1]})]


# ---- 6: booleans --------------------------------------------------------------------------------


def test_a_boolean_is_0_or_1_without_a_unit(programs, server, client):
    stats = [
        Stat("no", type=1, unit=4, values=[0]),
        Stat("yes", type=1, unit=4, values=[1]),
        Stat("very", type=1, unit=4, values=[2**64 - 1]),
        Stat("states", type=3, unit=4, bucket_size=1, values=[5, 6]),
    ]
    server.tell("kvm", programs.write("vm", stats_file.build(stats)))
    server.tell("register", "p/vm", stat("own", "peak", "boolean"))
    server.tell("row", "p/vm", "vm", 1)
    assert client.ask('{"execute":"query-stats","arguments":{"target":"vm"}}')["return"]["vm"] == [
        {
            "provider": "kvm",
            "stats": [
                {"name": "no", "value": 0},
                {"name": "yes", "value": 1},
                {"name": "very", "value": 1},
                {"name": "states", "value": {"values": [5, 6]}},
            ],
        },
        {"provider": "p", "stats": [{"name": "own", "value": 1}]},
    ]
    for provider in client.execute("query-stats-schemas")["vm"]:
        assert [entry["unit"] for entry in provider["stats"]] == ["none"] * len(provider["stats"])


# ---- 7: what can't be understood or read --------------------------------------------------------

STRANGE = [
    Stat("before", values=[1]),
    Stat("future_type", type=7, values=[2]),
    Stat("future_unit", unit=9, values=[3]),
    Stat("future_base", base=5, values=[4]),
    Stat("after", values=[5]),
]


def test_unknown_statistics_of_the_kernel_are_left_out_and_reported_once(programs, server, client):
    file = programs.write("strange", stats_file.build(STRANGE))
    server.tell("kvm", file)
    for i in range(3):
        server.tell("vcpu", device(i), file)
    for _ in range(3):
        assert vm(client) == [("before", 1), ("after", 5)]
        assert vcpus(client) == [(device(i), [("before", 1), ("after", 5)]) for i in range(3)]
        for providers in client.execute("query-stats-schemas").values():
            assert [entry["name"] for entry in providers[0]["stats"]] == ["before", "after"]
    log = server.log_lines()
    assert len(log) == 2, log  # once for the VM, once for all vCPUs
    for line, target in zip(log, ("vm", "vcpu")):
        assert f"'{target}'" in line and "3 of" in line and "future_type" in line


def test_asking_for_an_unknown_statistic_of_the_kernel_is_no_error(programs, server, client):
    server.tell("kvm", programs.write("strange", stats_file.build(STRANGE)))
    assert vm(client, filters=[{"fields": ["future_type"]}]) == []


def test_a_kernel_with_only_unknown_statistics(programs, server, client):
    server.tell("kvm", programs.write("strange", stats_file.build(STRANGE[1:2])))
    assert client.execute("query-stats", target="vm") == {"vm": []}
    assert client.execute("query-stats-schemas").get("vm", []) == []
    assert len(server.log_lines()) == 1


def test_a_vcpu_that_cant_be_read_is_left_out(programs, server, client):
    server.tell("kvm", "-")
    for i in range(3):
        file = programs.write(f"vcpu{i}", stats_file.build([Stat("exits", values=[i])]))
        server.tell("vcpu", device(i), file)
    programs.write("vcpu1", b"")
    for _ in range(3):
        assert vcpus(client) == [(device(i), [("exits", i)]) for i in (0, 2)]
    assert len(server.log_lines()) == 1
    programs.write("vcpu1", stats_file.build([Stat("exits", values=[7])]))
    assert vcpus(client)[1] == (device(1), [("exits", 7)])


def test_an_object_that_fails_is_left_out(two_providers, client):
    two_providers.tell("fail", "one/vcpu", device(1), 5)
    answer = dict(vcpus(client))
    assert [name for name, _ in answer[device(0)]] == ALL
    assert [name for name, _ in answer[device(1)]] == ALL[3:]  # the other provider's are there
    for _ in range(3):
        assert [path for path, _ in vcpus(client, filters=[{"provider": "one"}])] == [
            device(0),
            device(2),
        ]
    assert len(two_providers.log_lines()) == 1
    two_providers.tell("fail", "one/vcpu", device(1), 0)
    assert [name for name, _ in dict(vcpus(client))[device(1)]] == ALL


def test_a_vm_that_fails_is_left_out(two_providers, client):
    two_providers.tell("fail", "one/vm", "vm", 5)
    assert names(client) == ALL[3:]


def test_a_provider_that_fails_is_left_out(two_providers, client):
    two_providers.tell("break", "one/vcpu", 5)
    for _ in range(3):
        assert vcpus(client, filters=[{"provider": "one"}]) == []
        assert [name for name, _ in vcpus(client)[0][1]] == ALL[3:]
    assert len(two_providers.log_lines()) == 1
    assert len(client.execute("query-stats-schemas")["vcpu"]) == 2
    two_providers.tell("break", "one/vcpu", 0)
    assert [name for name, _ in vcpus(client)[0][1]] == ALL


# ---- 8: names are each provider's own -----------------------------------------------------------


def refused(server, *words):
    with pytest.raises(ServerError) as error:
        server.tell(*words)
    return error.value


def test_a_name_of_another_provider_is_free(server, client):
    server.tell("register", "one/vcpu", stat("somestat"))
    server.tell("register", "two/vcpu", stat("other"), stat("somestat"))
    schemas = client.execute("query-stats-schemas", provider="two")["vcpu"]
    assert [entry["name"] for entry in schemas[0]["stats"]] == ["other", "somestat"]


def test_a_name_of_another_target_is_free(server, client):
    server.tell("register", "one/vcpu", stat("somestat"))
    server.tell("register", "two/vm", stat("somestat"))
    assert set(client.execute("query-stats-schemas")) == {"vm", "vcpu"}


def test_a_provider_is_free_again_when_its_group_is_gone(server):
    server.tell("register", "one/vcpu", stat("somestat"))
    server.tell("unregister", "one/vcpu")
    server.tell("register", "one/vcpu", stat("somestat"))


def test_a_name_of_the_kernel_is_free(programs, server):
    server.tell("kvm", programs.write("vm", stats_file.build([Stat("pages")])))
    server.tell("vcpu", device(0), programs.write("vcpu", stats_file.build([Stat("exits")])))
    server.tell("register", "xyz/vcpu", stat("exits"))
    server.tell("register", "xyz/vm", stat("pages"))


def test_the_kernel_has_a_name_that_is_taken(programs, server, client):
    server.tell("register", "xyz/vcpu", stat("exits"))
    server.tell("row", "xyz/vcpu", device(0), 5)
    server.tell("kvm", "-")
    server.tell("vcpu", device(0), programs.write("vcpu", stats_file.build([Stat("exits")])))
    found = vcpus(client, filters=[{"fields": ["exits"]}])
    assert [name for name, _ in found[0][1]] == ["exits", "exits"]


def test_another_description_of_a_name_is_refused(server):
    server.tell("register", "one/vcpu", stat("somestat"))
    assert refused(server, "register", "one/vcpu#2", stat("somestat", "peak")).name == "EEXIST"
    server.tell("register", "one/vcpu#3", stat("other"), stat("somestat"))
    server.tell("register", "one/vm", stat("somestat", "peak"))


# ---- values and schemas -------------------------------------------------------------------------


def test_all_types_and_units(server, client):
    entries, stats = [], []
    for unit in UNITS:
        for type_ in TYPES:
            name = f"{type_}_{unit}"
            entry = {"name": name, "type": type_, "unit": unit, "base": "pow10", "exponent": 0}
            count, bucket_size = (2, 0) if "hist" in type_ else (1, 0)
            if type_ == "linear-hist":
                bucket_size = entry["bucket-size"] = 3
            entries.append({**entry, "unit": "none" if unit == "boolean" else unit})
            stats.append(stat(name, type_, unit, count=count, bucket_size=bucket_size))
    server.tell("register", "p/vm", *stats)
    (provider,) = client.execute("query-stats-schemas")["vm"]
    assert provider["stats"] == entries


def test_extremes_of_the_schema(server, client):
    server.tell(
        "register",
        "p/vm",
        stat("least", exponent=-(2**15)),
        stat("most", base=2, exponent=2**15 - 1),
        stat("wide", "linear-hist", count=1, bucket_size=2**32 - 1),
        stat("a" * 63),
    )
    (provider,) = client.execute("query-stats-schemas")["vm"]
    assert [entry["exponent"] for entry in provider["stats"]] == [-(2**15), 2**15 - 1, 0, 0]
    assert provider["stats"][2]["bucket-size"] == 2**32 - 1
    assert provider["stats"][3]["name"] == "a" * 63


def test_extremes_of_values(server, client):
    values = [0, 1, 9, 10, 99, 100, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 10**19, 2**64 - 1]
    hist = stat("hist", "log-hist", count=len(values))
    server.tell("register", "p/vm", hist, *[stat(f"value{i}") for i in range(len(values))])
    server.tell("row", "p/vm", "vm", *values, *values)
    expected = [("hist", {"values": values}), *[(f"value{i}", v) for i, v in enumerate(values)]]
    assert vm(client) == expected


def test_a_histogram_of_one_bucket_is_a_histogram(programs, server, client):
    server.tell("kvm", programs.write("vm", stats_file.build([Stat("hist", type=4, values=[3])])))
    assert vm(client) == [("hist", {"values": [3]})]


# ---- what is not asked for is not read ----------------------------------------------------------


def test_only_what_is_asked_for_is_read(two_providers, client):
    def rows():
        return [two_providers.tell("rows", group) for group in ("one/vcpu", "two/vcpu", "one/vm")]

    assert rows() == [0, 0, 0]
    vcpus(client, vcpus=[device(1)], filters=[{"fields": ["two_alpha"]}])
    assert rows() == [0, 1, 0]
    vcpus(client, filters=[{"fields": ["nope"]}])
    assert rows() == [0, 1, 0]
    client.execute("query-stats-schemas")
    assert rows() == [0, 1, 0]
    vcpus(client)
    assert rows() == [3, 4, 0]


# ---- objects that come and go -------------------------------------------------------------------


def test_objects_come_and_go_between_queries(server, client):
    server.tell("register", "p/vcpu", stat("somestat"))
    assert vcpus(client) == []
    for i in range(3):
        server.tell("row", "p/vcpu", device(i), i)
    assert [path for path, _ in vcpus(client)] == [device(0), device(1), device(2)]
    server.tell("drop", "p/vcpu", device(1))
    server.tell("row", "p/vcpu", device(2), 22)
    assert vcpus(client) == [(device(0), [("somestat", 0)]), (device(2), [("somestat", 22)])]


def test_a_provider_comes_and_goes_under_a_client(server, client):
    for _ in range(20):
        server.tell("register", "p/vm", stat("somestat"))
        server.tell("row", "p/vm", "vm", 5)
        assert vm(client) == [("somestat", 5)]
        server.tell("unregister", "p/vm")
        assert vm(client) == []


def test_vcpus_of_any_path(server, client):
    """A path is any text; what is not ASCII is escaped."""
    server.tell("register", "p/vcpu", stat("somestat"))
    paths = ["/ünïcode/\U0001f5a5", '/quote"and\\backslash', "x", "/" + "y" * 1022]
    for path in paths:
        server.tell("row", "p/vcpu", path, 1)
    assert [path for path, _ in vcpus(client)] == paths
    for path in paths:
        assert [found for found, _ in vcpus(client, vcpus=[path])] == [path]


def test_a_slow_provider_is_waited_for(programs, server, client):
    server.tell("register", "slow/vm", stat("somestat"))
    server.tell("row", "slow/vm", "vm", 5)
    server.tell("slow", "slow/vm", 300)
    other = programs.client(server)
    client.send('{"execute":"query-stats","arguments":{"target":"vm"}}')
    assert client.is_silent(0.1)
    assert other.execute("query-name") == {}
    assert client.read()["return"]["vm"][0]["stats"] == [{"name": "somestat", "value": 5}]


def test_a_client_that_leaves_a_slow_provider_harms_nobody(programs, server, client):
    server.tell("register", "slow/vm", stat("somestat"))
    server.tell("row", "slow/vm", "vm", 5)
    server.tell("slow", "slow/vm", 100)
    for _ in range(3):
        other = programs.client(server)
        other.send('{"execute":"query-stats","arguments":{"target":"vm"}}')
        other.close()
    assert vm(client) == [("somestat", 5)]


# ---- files that a real kernel made --------------------------------------------------------------


def test_recorded_files_are_shown_as_they_are(programs, server, client):
    directory = DATA / "kvm" / "x86_64-linux-6.18"
    of_vm = stats_file.parse((directory / "vm.stats").read_bytes())
    of_vcpu = stats_file.parse((directory / "vcpu.stats").read_bytes())
    server.tell("kvm", directory / "vm.stats")
    server.tell("vcpu", device(0), directory / "vcpu.stats")
    (found,) = client.execute("query-stats", target="vm")["vm"]
    assert found["stats"] == stats_file.expected_values(of_vm)
    (found,) = client.execute("query-stats", target="vcpu")["vcpus"]
    assert found["providers"][0]["stats"] == stats_file.expected_values(of_vcpu)
    schemas = client.execute("query-stats-schemas")
    assert schemas["vm"][0]["stats"] == stats_file.expected_schema(of_vm)
    assert schemas["vcpu"][0]["stats"] == stats_file.expected_schema(of_vcpu)
    assert server.log_lines() == []
