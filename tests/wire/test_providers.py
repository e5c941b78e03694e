# SPDX-License-Identifier: MIT
"""Sockets that show chosen providers: it is as if there were no others, in both dialects."""

import json

import pytest

from support.introspection import Schema
from support.programs import ServerError, stat
from support.qmp import QmpError
from support.readers import SUFFIXES, DuplicateKey, UnknownProvider, as_fixed_list, as_libvirt
from support.recordings import VCPUS, vcpu_stats, vm_stats

PROVIDERS_MAX = 16
DIALECTS = ["grouped", "flat"]
PATH = "/machine/unattached/device[0]"
NAMES_MEMBER = {"grouped": "filters", "flat": "providers"}


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


@pytest.fixture
def listen(programs, server, dialect):
    """listen(names): a client of a socket that shows these providers; without names, of one that
    shows all."""

    def make(*names):
        path = programs.path(f"{'-'.join(names) or 'all'}.sock")
        server.tell("listen", path, dialect, *([",".join(names)] if names else []))
        return programs.client(path)

    return make


def register(server, *providers):
    for provider in providers:
        for target, place in ("vm", "vm"), ("vcpu", PATH):
            server.tell("register", f"{provider}/{target}", stat(f"{provider}_{target}"))
            server.tell("row", f"{provider}/{target}", place, 7)


def of_schemas(client, **arguments):
    """(target, provider) of each entry of a reply to query-stats-schemas."""
    reply = client.execute("query-stats-schemas", **arguments)
    if isinstance(reply, list):
        return [(entry["target"], entry["provider"]) for entry in reply]
    return [(target, entry["provider"]) for target, entries in reply.items() for entry in entries]


def of_stats(client, target, **arguments):
    """The providers in a reply to query-stats, in their order."""
    reply = client.execute("query-stats", target=target, **arguments)
    if isinstance(reply, dict):
        reply = reply["vm"] if "vm" in reply else sum((o["providers"] for o in reply["vcpus"]), [])
    return [entry["provider"] for entry in reply]


def of_introspection(client):
    schema = Schema(client.execute("query-qmp-schema"))
    arguments = schema.types[schema.commands["query-stats-schemas"]["arg-type"]]
    return schema.types[arguments["members"][0]["type"]]["values"]


def all_of(client):
    """The providers that a client sees, which all of these commands agree on."""
    seen = of_introspection(client)
    assert of_schemas(client) == [(target, name) for target in ("vcpu", "vm") for name in seen]
    assert of_stats(client, "vm") == of_stats(client, "vcpu") == seen
    return seen


# ---- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chosen, seen",
    [
        ((), ["one", "two", "three"]),
        (("two",), ["two"]),
        (("three", "one"), ["one", "three"]),  # in the order of registration
        (("one", "two", "three"), ["one", "two", "three"]),
        (("one", "none"), ["one"]),
        (("none",), []),
        (("on", "tw", "threes"), []),
    ],
)
def test_chosen_providers(server, listen, chosen, seen):
    register(server, "one", "two", "three")
    assert all_of(listen(*chosen)) == seen


def test_each_socket_has_its_own(server, listen):
    register(server, "one", "two")
    clients = [listen("one"), listen(), listen("two")]
    for _ in range(2):
        assert list(map(all_of, clients)) == [["one"], ["one", "two"], ["two"]]


def test_providers_that_come_and_go(server, listen):
    client = listen("two", "three")
    assert all_of(client) == []
    register(server, "one", "two")
    assert all_of(client) == ["two"]
    register(server, "three")
    assert all_of(client) == ["two", "three"]
    for target in "vm", "vcpu":
        server.tell("unregister", f"two/{target}")
    assert all_of(client) == ["three"]


def test_nothing_is_read_of_a_provider_that_is_not_shown(server, listen):
    register(server, "one", "two")
    of_stats(listen("one"), "vm")
    assert (server.tell("rows", "one/vm"), server.tell("rows", "two/vm")) == (1, 0)


def test_what_is_no_statistic_stays_the_same(server, listen):
    """The vCPUs are the VM's, and it runs on KVM, whoever is shown."""
    server.tell("kvm", "-")
    register(server, "one")
    server.tell("object", "one/vcpu", PATH, 4)
    chosen, all_ = listen("none"), listen()
    for command in "query-cpus-fast", "query-kvm", "query-name", "query-commands":
        assert chosen.execute(command) == all_.execute(command)
    assert all_.execute("query-cpus-fast")[0]["cpu-index"] == 4
    assert all_.execute("query-kvm")["enabled"]


# ---- who asks for one by name -------------------------------------------------------------------


def error_of(client, command, arguments):
    with pytest.raises(QmpError) as error:
        client.execute_with(command, arguments)
    return error.value.error_class, error.value.text


@pytest.mark.parametrize("hidden", ["two", "none"])
def test_a_hidden_provider_is_like_an_unknown_one(server, listen, dialect, hidden):
    register(server, "one", "two")
    client = listen("one")
    expected = "GenericError", f"Parameter 'provider' does not accept value '{hidden}'"
    filters = {NAMES_MEMBER[dialect]: [{"provider": "one"}, {"provider": hidden}]}
    assert error_of(client, "query-stats", {"target": "vm", **filters}) == expected
    assert error_of(client, "query-stats", {"target": "vcpu", **filters}) == expected
    assert error_of(client, "query-stats-schemas", {"provider": hidden}) == expected
    client.assert_alive()


def test_a_shown_provider_can_be_asked_for(server, listen, dialect):
    register(server, "one", "two", "three")
    client = listen("one", "two")
    filters = {NAMES_MEMBER[dialect]: [{"provider": "two"}]}
    assert of_stats(client, "vm", **filters) == of_stats(client, "vcpu", **filters) == ["two"]
    assert of_schemas(client, provider="two") == [("vcpu", "two"), ("vm", "two")]


@pytest.mark.parametrize("dialect", ["grouped"], indirect=True)
def test_a_filter_without_a_provider_means_those_that_are_shown(server, listen):
    register(server, "one", "two")
    client = listen("two")
    assert of_stats(client, "vm", filters=[{}]) == ["two"]
    names = [f"{name}_vcpu" for name in ("one", "two")]
    assert of_stats(client, "vcpu", filters=[{"fields": names}]) == ["two"]
    assert of_stats(client, "vcpu", filters=[{"fields": names[:1]}]) == []


def test_the_same_message_to_two_sockets(server, listen, dialect):
    """The server keeps the last message that it parsed, whoever sent it."""
    register(server, "one", "two")
    text = json.dumps({"execute": "query-stats-schemas", "arguments": {"provider": "one"}})
    one, two = listen("one"), listen("two")
    for _ in range(2):
        assert "return" in one.ask(text)
        assert "error" in two.ask(text)


# ---- which names --------------------------------------------------------------------------------


def refused(server, names):
    with pytest.raises(ServerError) as error:
        server.tell("listen", "/nowhere/x.sock", "flat", names)
    return error.value.name, error.value.text


def test_the_most_providers(server, listen):
    names = [f"p{i}" for i in range(PROVIDERS_MAX)]
    server.tell("register", f"{names[-1]}/vm", stat("last"))
    server.tell("row", f"{names[-1]}/vm", "vm", 1)
    assert of_stats(listen(*names), "vm") == names[-1:]


def test_one_provider_too_many(server):
    names = ",".join(f"p{i}" for i in range(PROVIDERS_MAX + 1))
    assert refused(server, names) == ("E2BIG", f"providers: more than {PROVIDERS_MAX} names")


@pytest.mark.parametrize("names, text", [
    (",", "providers: entry 1 is empty"),
    ("one,,two", "providers: entry 2 is empty"),
    ("one,Two", "provider name 'Two' is not [a-z][a-z0-9_-]{0,62}"),
    ("one,two,one", "providers: 'one' is named twice"),
])  # fmt: skip
def test_wrong_names(server, names, text):
    assert refused(server, names) == ("EINVAL", text)


# ---- clients that were written for QEMU ---------------------------------------------------------


@pytest.fixture
def demo(programs, recording):
    """Sockets of a demo in dialect 'flat': one with all providers, and one with kvm's alone."""
    paths = {name: programs.path(f"{name}.sock") for name in ("all", "kvm")}
    programs.demo(
        "--recording", recording, "--sched", "--qmp", f"{paths['kvm']},dialect=flat,providers=kvm",
        path=f"{paths['all']},dialect=flat",
    )  # fmt: skip
    return {name: programs.client(path) for name, path in paths.items()}


def named(stats):
    suffixes = list(SUFFIXES.values())  # in the order of the kernel's numbers of types
    return {f"{s.name}.{suffixes[s.type]}" for s in stats if s.type < len(suffixes)}


def test_libvirt_has_all_of_the_one_provider(demo):
    parameters = as_libvirt(demo["kvm"])
    expected = {f"vm.{name}" for name in named(vm_stats(0))}
    for i in range(VCPUS):
        expected |= {f"vcpu.{i}.{name}" for name in named(vcpu_stats(0, i))}
    assert set(parameters) == expected
    assert parameters["vcpu.2.exits.sum"] == 2 and parameters["vm.pages_4k.cur"] == 500


def test_libvirt_drops_values_of_the_vm_where_there_are_more(demo):
    """So that the test above is one."""
    assert not [name for name in as_libvirt(demo["all"]) if name.startswith("vm.")]


@pytest.mark.parametrize("dialect", ["flat"], indirect=True)
@pytest.mark.parametrize("target", ["vm", "vcpu"])
def test_libvirt_drops_everything_where_a_name_is_there_twice(server, listen, target):
    """As stats.h says to authors of providers."""
    register(server, "one")
    server.tell("register", f"twice/{target}", stat("one_vcpu"))
    assert as_libvirt(listen("one"))
    with pytest.raises(DuplicateKey, match="one_vcpu"):
        as_libvirt(listen())


def test_a_fixed_list_of_providers(demo):
    assert all(as_fixed_list(demo["kvm"]))
    with pytest.raises(UnknownProvider):
        as_fixed_list(demo["all"])
