# SPDX-License-Identifier: MIT
"""How programs that were written for QEMU read statistics in dialect 'flat', and what they make of a
provider that QEMU has not."""

SUFFIXES = {"cumulative": "sum", "instant": "cur", "peak": "max"}  # libvirt drops all other types
PROVIDERS_OF_QEMU = ["kvm", "cryptodev"]


class DuplicateKey(Exception):
    """Of libvirt's hash table: nothing of the VM is shown."""


class UnknownProvider(Exception):
    """Of a program with a fixed list of them: the whole reply is refused."""


# ---- libvirt 9 to 12, qemu_monitor_json.c and qemu_driver.c -------------------------------------


def libvirt_schema(client):
    """The type of each statistic by its name, whatever its target and its provider."""
    types = {}
    for entry in client.execute("query-stats-schemas"):
        for stat in entry["stats"]:
            if stat["name"] in types:
                raise DuplicateKey(stat["name"])
            types[stat["name"]] = stat["type"]
    return types


def libvirt_parameters(prefix, types, stats):
    return {
        f"{prefix}.{stat['name']}.{SUFFIXES[types[stat['name']]]}": stat["value"]
        for stat in stats
        if types.get(stat["name"]) in SUFFIXES
    }


def as_libvirt(client):
    """What `virsh domstats --vm --vcpu` has of query-stats. Of the VM it takes a reply of one entry
    only, and of a vCPU the entry that comes first."""
    types, parameters = libvirt_schema(client), {}
    of_vm = client.execute("query-stats", target="vm")
    if len(of_vm) == 1:
        parameters.update(libvirt_parameters("vm", types, of_vm[0]["stats"]))
    of_vcpus = client.execute("query-stats", target="vcpu")
    for cpu in client.execute("query-cpus-fast"):
        entries = [entry for entry in of_vcpus if entry["qom-path"] == cpu["qom-path"]]
        for entry in entries[:1]:
            prefix = f"vcpu.{cpu['cpu-index']}"
            parameters.update(libvirt_parameters(prefix, types, entry["stats"]))
    return parameters


# ---- qapi-rs ------------------------------------------------------------------------------------


def as_fixed_list(client):
    """The replies of a client that knows providers by a list of its own."""
    commands = [
        ("query-stats-schemas", {}),
        ("query-stats", {"target": "vm"}),
        ("query-stats", {"target": "vcpu"}),
    ]
    replies = [client.execute_with(command, arguments) for command, arguments in commands]
    for entry in sum(replies, []):
        if entry["provider"] not in PROVIDERS_OF_QEMU:
            raise UnknownProvider(entry["provider"])
    return replies
