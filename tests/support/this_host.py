# SPDX-License-Identifier: MIT
"""What `vitals` says of the VMs of this host where none is named."""

import json
import os
import subprocess

from support.programs import TIMEOUT, VITALS, assert_no_reports

WITHOUT_VM = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}


def vitals(*words, around=(), program=VITALS):
    result = subprocess.run([*around, program, *map(str, words)], env=WITHOUT_VM, timeout=2 * TIMEOUT,
                            capture_output=True, text=True, check=False)  # fmt: skip
    assert_no_reports(result.stderr)
    return result


def answer(verb, *words):
    """Its JSON."""
    result = vitals(verb, *words, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def listed():
    return answer("list")["vms"]


def of_process(pid):
    """The VMs of this process, as a list has them."""
    return [vm for vm in listed() if vm["pid"] == pid]


def name_of(pid):
    """That of its only VM."""
    (vm,) = of_process(pid)
    return vm["vm"]


def by_object(stats, name):
    """{None or the vCPU: {statistic: its value or values}} of a VM."""
    found = {}
    for stat in stats:
        if stat["vm"] == name and stat["provider"] == "kvm":
            values = found.setdefault(stat["vcpu"], {})
            assert stat["name"] not in values
            values[stat["name"]] = stat.get("values", stat.get("value"))
    return found


def values_of(name):
    return by_object(answer("stats")["stats"], name)


def types_of_kvm():
    """{(target, statistic): type}"""
    schemas = answer("schemas", "--host", "--provider", "kvm")["stats"]
    return {(each["target"], each["name"]): each["type"] for each in schemas}
