# SPDX-License-Identifier: MIT
"""The form of every reply, written from the contract by hand: member names, types, nothing extra.

A shape is a type of Python, a set (of the values of an enum), a list with one shape (of its
elements), a dict (members; a "*" before a name: optional) or a function that checks by itself."""


class ShapeError(AssertionError):
    """A reply that the contract does not allow."""


def require(condition, where, value):
    if not condition:
        raise ShapeError(f"{where}: {value!r}")


def integer(least, most):
    def check_integer(value, where):
        require(type(value) is int and least <= value <= most, where, value)

    return check_integer


def check(value, shape, where):
    if isinstance(shape, dict):
        check_object(value, shape, where)
    elif isinstance(shape, list):
        require(type(value) is list, where, value)
        for i, element in enumerate(value):
            check(element, shape[0], f"{where}[{i}]")
    elif isinstance(shape, set):
        require(type(value) is str and value in shape, where, value)
    elif isinstance(shape, type):
        require(type(value) is shape, where, value)
    else:
        shape(value, where)


def check_object(value, shape, where):
    require(type(value) is dict, where, value)
    names = {name.removeprefix("*") for name in shape}
    require(set(value) <= names, f"{where}: members {names}", value)
    for name, member in shape.items():
        if name.removeprefix("*") in value:
            check(value[name.removeprefix("*")], member, f"{where}.{name}")
        else:
            require(name.startswith("*"), f"{where}: no member {name}", value)


# ---- commands -----------------------------------------------------------------------------------

UINT64 = integer(0, 2**64 - 1)
VERSION = {"qemu": {"major": int, "minor": int, "micro": int}, "package": str}


def stat_value(value, where):
    if type(value) is dict:
        check(value, {"values": [UINT64]}, where)
        require(value["values"], where, value)
    else:
        UINT64(value, where)


def schema_value(value, where):
    """One statistic of query-stats-schemas."""
    shape = {
        "name": str,
        "type": {"cumulative", "instant", "peak", "linear-hist", "log-hist"},
        "unit": {"bytes", "seconds", "cycles", "none"},
        "base": {"pow10", "pow2"},
        "exponent": integer(-(2**15), 2**15 - 1),
        "*bucket-size": integer(1, 2**32 - 1),
    }
    check(value, shape, where)
    require((value["type"] == "linear-hist") == ("bucket-size" in value), where, value)


PROVIDERS = [{"provider": str, "stats": [{"name": str, "value": stat_value}]}]
SCHEMAS = [{"provider": str, "stats": [schema_value]}]


def not_empty(results, where):
    """An object, or a provider of it, of which nothing is left is not there."""
    for result in results:
        require(result.get("stats") != [] and result.get("providers") != [], where, result)
        not_empty(result.get("providers", []), where)


def stats_return(value, where, arguments):
    if arguments["target"] == "vm":
        check(value, {"vm": PROVIDERS}, where)
        not_empty(value["vm"], where)
    else:
        check(value, {"vcpus": [{"path": str, "providers": PROVIDERS}]}, where)
        not_empty(value["vcpus"], where)
        paths = [vcpu["path"] for vcpu in value["vcpus"]]
        require(len(paths) == len(set(paths)), f"{where}: a path twice", paths)


def schema_entries(value, where):
    """The introspection: its own form is checked where it is used to check the others."""
    require(type(value) is list and value, where, value)
    for entry in value:
        require({"name", "meta-type"} <= set(entry), where, entry)


RETURNS = {
    "qmp_capabilities": {},
    "query-version": VERSION,
    "query-commands": [{"name": str}],
    "query-name": {"*name": str},
    "query-status": {
        "status": {"running", "paused"},
        "singlestep": bool,
        "running": bool,
    },
    "query-uuid": {"UUID": str},
    "query-kvm": {"enabled": bool, "present": bool},
    "query-target": {"arch": str},
    "query-cpus-fast": [
        {
            "cpu-index": integer(0, 2**32),
            "qom-path": str,
            "thread-id": integer(-1, 2**31),
            "target": str,
        }
    ],
    "query-qmp-schema": schema_entries,
    "query-stats": stats_return,
    "query-stats-schemas": {"*vm": SCHEMAS, "*vcpu": SCHEMAS},
}
ERROR = {"class": {"GenericError", "CommandNotFound"}, "desc": str}
GREETING = {"QMP": {"version": VERSION, "capabilities": [str]}}


def check_greeting(message):
    check(message, GREETING, "greeting")


def check_return(command, arguments, value):
    """The return value of a command that was given these arguments."""
    shape = RETURNS[command]
    if shape is stats_return:
        stats_return(value, command, arguments)
    else:
        check(value, shape, command)


def check_reply(message):
    """The outside of any reply; a return value is for check_return()."""
    require(type(message) is dict, "reply", message)
    require(set(message) - {"id"} in ({"return"}, {"error"}), "reply", message)
    if "error" in message:
        check(message["error"], ERROR, "error")
        require(message["error"]["desc"], "error", message)
