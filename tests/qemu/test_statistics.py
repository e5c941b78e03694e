# SPDX-License-Identifier: MIT
"""The two commands on a VM of each side have the same form and the same statistics of the kernel.

QEMU sends statistics and vCPUs in reverse, so order does not count here."""

import json

import pytest

from compare import EXACT, Object, compare, normal, parse

TARGETS = ["vm", "vcpu"]


def ask(peer, command, arguments=None):
    """The return value, with objects as pairs in their order."""
    request = {"execute": command, "arguments": arguments or {}}
    (line,) = peer.exchange(json.dumps(request).encode())
    return parse(line).get("return")


def schemas_of_kvm(peer):
    """The entries of query-stats-schemas: {target: {name: members}}."""
    schemas = {}
    for entry in ask(peer, "query-stats-schemas", {"provider": "kvm"}):
        assert entry.get("provider") == "kvm"
        stats = {stat.get("name"): stat for stat in entry.get("stats")}
        assert len(stats) == len(entry.get("stats"))
        schemas[entry.get("target")] = stats
    return schemas


@pytest.fixture(params=["theirs", "ours"])
def either(request):
    """Rules that hold on both sides are tested on both, so that the test is right, too."""
    return request.getfixturevalue(request.param)


def test_schemas_are_the_same(theirs, ours):
    assert schemas_of_kvm(ours) == schemas_of_kvm(theirs)


def test_targets_come_in_the_same_order(theirs, ours):
    order = [
        [entry.get("target") for entry in ask(peer, "query-stats-schemas", {"provider": "kvm"})]
        for peer in (theirs, ours)
    ]
    assert order[0] == order[1]


@pytest.mark.parametrize("target", TARGETS)
def test_presence_in_schemas(either, target):
    for stat in schemas_of_kvm(either)[target].values():
        names = stat.names()
        assert ("base" in names) == (stat.get("exponent") != 0), stat
        assert stat.get("base", 10) in (2, 10), stat
        assert ("bucket-size" in names) == (stat.get("type") == "linear-histogram"), stat
        assert stat.get("unit", "bytes") in ("bytes", "seconds", "cycles", "boolean"), stat


@pytest.mark.parametrize("target", TARGETS)
def test_values_are_of_the_type_that_the_schema_says(either, target):
    schema = schemas_of_kvm(either)[target]
    for result in ask(either, "query-stats", {"target": target}):
        if result.get("provider") != "kvm":
            continue
        assert ("qom-path" in result.names()) == (target == "vcpu")
        for stat in result.get("stats"):
            described = schema[stat.get("name")]
            is_histogram = described.get("type").endswith("histogram")
            is_boolean = described.get("unit") == "boolean"
            expected = list if is_histogram else bool if is_boolean else int
            assert type(stat.get("value")) is expected, stat


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("providers", [None, [{"provider": "kvm"}]])
def test_replies_have_the_same_form(theirs, ours, target, providers):
    arguments = {"target": target}
    if providers:
        arguments["providers"] = providers
    form = [normal(ask(peer, "query-stats", arguments)) for peer in (theirs, ours)]
    assert form[0] and form[0] == form[1]


def test_each_statistic_alone(theirs, ours):
    for target, stats in schemas_of_kvm(theirs).items():
        for name in stats:
            providers = [{"provider": "kvm", "names": [name]}]
            request = {"execute": "query-stats"}
            request["arguments"] = {"target": target, "providers": providers}
            message = json.dumps(request).encode()
            verdict = compare(theirs.exchange(message), ours.exchange(message))
            assert verdict.agreement == EXACT, verdict.reason


# ---- introspection ------------------------------------------------------------------------------


# What some QEMU, or the demo, has of its own among targets and providers.
OWN = {"cryptodev", "demo"}


def shared(values):
    return [value for value in values if value not in OWN]


class Introspection:
    """query-qmp-schema with its masked names resolved."""

    def __init__(self, peer):
        self.entries = {e.get("name"): e for e in ask(peer, "query-qmp-schema")}

    def resolve(self, name):
        """A type by its form."""
        entry = dict(self.entries[name])
        kind = entry["meta-type"]
        if kind == "array":
            return [self.resolve(entry["element-type"])]
        if kind == "enum":
            return {"enum": sorted(shared(entry["values"]))}
        if kind == "alternate":
            branches = [self.resolve(member.get("type")) for member in entry["members"]]
            return {"alternate": sorted(branches, key=repr)}
        if kind == "object":
            return self.resolve_object(entry)
        return name

    def resolve_object(self, entry):
        members = {m.get("name"): self.resolve_member(m) for m in entry["members"]}
        if "tag" not in entry:
            return members
        variants = {v.get("case"): self.resolve(v.get("type")) for v in entry["variants"]}
        variants = {case: variants[case] for case in shared(variants)}
        return members | {"tag": entry["tag"], "variants": variants}

    def resolve_member(self, member):
        return ("default" in member.names(), self.resolve(member.get("type")))

    def command(self, name):
        entry = self.entries[name]
        return self.resolve(entry.get("arg-type")), self.resolve(entry.get("ret-type"))


@pytest.mark.parametrize("command", ["query-version", "query-name", "query-kvm", "query-uuid"])
def test_introspection_of_simple_commands(theirs, ours, command):
    assert Introspection(ours).command(command) == Introspection(theirs).command(command)


OURS = {"help", "failures", "failure"}  # optional, and said only to those who ask for it


def without_ours(form):
    if isinstance(form, dict):
        return {name: without_ours(each) for name, each in form.items()
                if not (name in OURS and isinstance(each, tuple) and each[0])}  # fmt: skip
    if isinstance(form, (list, tuple)):
        return type(form)(without_ours(each) for each in form)
    return form


def test_introspection_of_the_two_commands(theirs, ours):
    """The providers and targets are those of the VM; QEMU's are those that it was built with."""
    for command in ("query-stats", "query-stats-schemas"):
        forms = [Introspection(peer).command(command) for peer in (theirs, ours)]
        forms = [repr(forms[0]), repr(without_ours(forms[1]))]
        forms = [text.replace("{'enum': ['kvm']}", "{'enum': []}") for text in forms]
        assert forms[0] == forms[1]


def test_pairs_keep_the_order_of_members():
    assert parse('{"b": 1, "a": 2}') == Object([("b", 1), ("a", 2)]) != parse('{"a": 2, "b": 1}')
