# SPDX-License-Identifier: MIT
"""What the contract says of replies beyond the types that the introspection tells: which members
come together, which values go together, and the greeting and errors, which no schema describes."""

import collections
import re


class ShapeError(AssertionError):
    """Something that the contract does not allow."""


def require(condition, where, value):
    if not condition:
        raise ShapeError(f"{where}: {value!r}")


def is_integer(value, least, most):
    return type(value) is int and least <= value <= most


def each_once(values, where):
    require(len(values) == len(set(values)), f"{where}: twice", values)


# ---- messages -----------------------------------------------------------------------------------

UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ERROR_CLASSES = {"GenericError", "CommandNotFound"}


def check_members(value, names, where):
    """An object with these members and no others."""
    require(type(value) is dict and set(value) == set(names.split()), f"{where}: {names}", value)


def check_greeting(message):
    check_members(message, "QMP", "greeting")
    check_members(message["QMP"], "version capabilities", "greeting")
    check_members(message["QMP"]["version"], "qemu package", "version")
    check_members(message["QMP"]["version"]["qemu"], "major minor micro", "version")
    for number in message["QMP"]["version"]["qemu"].values():
        require(is_integer(number, 0, 2**31), "version", message)
    require(type(message["QMP"]["version"]["package"]) is str, "package", message)
    require(type(message["QMP"]["capabilities"]) is list, "capabilities", message)


def check_reply(message):
    """The outside of any reply; a return value is for check_return()."""
    require(type(message) is dict, "reply", message)
    require(set(message) - {"id"} in ({"return"}, {"error"}), "reply", message)
    if "error" in message:
        error = message["error"]
        check_members(error, "class desc", "error")
        require(error["class"] in ERROR_CLASSES, "error", error)
        require(type(error["desc"]) is str and error["desc"], "error", error)


# ---- the session and the VM ---------------------------------------------------------------------


def nothing_more(value, where, arguments):
    """The introspection says it all."""


def commands_return(value, where, arguments):
    each_once([command["name"] for command in value], where)


def status_return(value, where, arguments):
    require(value["running"] == (value["status"] == "running"), where, value)
    require(value["singlestep"] is False, where, value)


def uuid_return(value, where, arguments):
    require(UUID.fullmatch(value["UUID"]), where, value)


def kvm_return(value, where, arguments):
    require(value["present"] or not value["enabled"], where, value)


def cpus_return(value, where, arguments):
    numbers = [cpu["cpu-index"] for cpu in value]
    require(numbers == sorted(set(numbers)), where, value)
    each_once([cpu["qom-path"] for cpu in value], where)
    for cpu in value:
        require(is_integer(cpu["thread-id"], -1, 2**31), where, cpu)


def schema_return(value, where, arguments):
    each_once([entry["name"] for entry in value], where)


# ---- statistics ---------------------------------------------------------------------------------


def check_value(value, where):
    """A number of 64 bits, or a histogram in the form of either dialect."""
    buckets = value["values"] if type(value) is dict else value
    if type(buckets) is list:
        require(buckets, where, value)
        require(all(is_integer(bucket, 0, 2**64 - 1) for bucket in buckets), where, value)
    else:
        require(type(value) is bool or is_integer(value, 0, 2**64 - 1), where, value)


def check_stats(stats, where):
    """An object or a provider of which nothing is left is not there."""
    require(stats, where, stats)
    each_once([stat["name"] for stat in stats], where)
    for stat in stats:
        check_value(stat["value"], f"{where}.{stat['name']}")


def check_providers(providers, where):
    each_once([provider["provider"] for provider in providers], where)
    for provider in providers:
        check_stats(provider["stats"], where)


def grouped_stats(value, where, arguments):
    """The list of the target is there, and no other."""
    target = arguments["target"]
    name = "vcpus" if target == "vcpu" else target
    check_members(value, name, where)
    if target == "vm":
        check_providers(value[name], where)
        return
    each_once([entry["path"] for entry in value[name]], where)
    for entry in value[name]:
        require(entry["providers"], where, entry)
        check_providers(entry["providers"], where)


def flat_stats(value, where, arguments):
    """A provider that is asked for twice answers twice."""
    asked = collections.Counter(request["provider"] for request in arguments.get("providers", []))
    answered = collections.Counter((r["provider"], r.get("qom-path")) for r in value)
    for result in value:
        require(("qom-path" in result) == (arguments["target"] != "vm"), where, result)
        check_stats(result["stats"], where)
    for (provider, path), count in answered.items():
        require(count <= max(asked[provider], 1), f"{where}: too often", (provider, path))


def stats_return(value, where, arguments):
    (flat_stats if type(value) is list else grouped_stats)(value, where, arguments)


def schema_value(value, where, arguments):
    """One statistic of query-stats-schemas, in the form of either dialect."""
    require("help" not in value or arguments.get("help") is True, where, value)
    is_linear = value["type"] in ("linear-hist", "linear-histogram")
    require(("bucket-size" in value) == is_linear, where, value)
    require(is_integer(value["exponent"], -(2**15), 2**15 - 1), where, value)
    if is_linear:
        require(is_integer(value["bucket-size"], 1, 2**32 - 1), where, value)


def check_failure(value, where, arguments):
    require("failure" not in value or arguments.get("failures") is True, where, value)


def flat_base(value, where):
    """Only there with a scale."""
    require(("base" in value) == (value["exponent"] != 0), where, value)
    require(value.get("base", 10) in (2, 10), where, value)


def grouped_schemas(value, where, arguments):
    for providers in value.values():
        each_once([provider["provider"] for provider in providers], where)
        for provider in providers:
            require(provider["stats"], where, provider)
            check_failure(provider, where, arguments or {})
            each_once([stat["name"] for stat in provider["stats"]], where)
            for stat in provider["stats"]:
                schema_value(stat, where, arguments or {})


def flat_schemas(value, where, arguments):
    each_once([(entry["target"], entry["provider"]) for entry in value], where)
    for entry in value:
        require(entry["stats"], where, entry)
        check_failure(entry, where, arguments or {})
        each_once([stat["name"] for stat in entry["stats"]], where)
        for stat in entry["stats"]:
            schema_value(stat, where, arguments or {})
            flat_base(stat, where)


def schemas_return(value, where, arguments):
    (flat_schemas if type(value) is list else grouped_schemas)(value, where, arguments)


# ---- a host -------------------------------------------------------------------------------------

DIRECTORY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{,63}")


def vms_return(value, where, arguments):
    each_once([vm["name"] for vm in value], where)
    each_once([path for vm in value for path in vm["sockets"].values()], where)
    for vm in value:
        require(vm["name"] and is_integer(vm["uid"], 0, 2**32 - 1), where, vm)
        require(is_integer(vm.get("pid", 1), 1, 2**22) and vm["vcpus"] >= 0, where, vm)
        require(UUID.fullmatch(vm.get("uuid", 8 * "0" + 3 * "-0000" + "-" + 12 * "0")), where, vm)
        for path in vm["sockets"].values():
            require(len(path.encode()) <= 107 and path.startswith("/"), where, path)
            require(DIRECTORY.fullmatch(path.split("/")[-2]), where, path)


# All commands that the contract has.
def vms_stats_return(value, where, arguments):
    each_once([entry["name"] for entry in value], where)
    for entry in value:
        grouped_stats(entry["stats"], where, arguments)


def vms_schemas_return(value, where, arguments):
    each_once([name for entry in value for name in entry["names"]], where)
    for entry in value:
        require(entry["names"], where, entry)
        grouped_schemas(entry["schemas"], where, arguments)


def vms_cpus_return(value, where, arguments):
    each_once([entry["name"] for entry in value], where)
    for entry in value:
        cpus_return(entry["cpus"], where, arguments)


RETURNS = {
    "qmp_capabilities": nothing_more,
    "query-version": nothing_more,
    "query-commands": commands_return,
    "query-name": nothing_more,
    "query-status": status_return,
    "query-uuid": uuid_return,
    "query-kvm": kvm_return,
    "query-target": nothing_more,
    "query-cpus-fast": cpus_return,
    "query-qmp-schema": schema_return,
    "query-stats": stats_return,
    "query-stats-schemas": schemas_return,
    "query-vms": vms_return,
    "query-vms-stats": vms_stats_return,
    "query-vms-stats-schemas": vms_schemas_return,
    "query-vms-cpus-fast": vms_cpus_return,
}


def check_return(command, arguments, value):
    """The return value of a command that was given these arguments."""
    RETURNS[command](value, command, arguments)
