# SPDX-License-Identifier: MIT
"""One host with a VM of each kind: of a QEMU that nobody can ask, of the demo, one that registers, one under vitals run."""

import json
import os

import pytest

from support.programs import run, wait_until
from support.registrant import Registrant, Vm
from support.this_host import WITHOUT_VM

QUERIES = 20
SIGNAL_EXITS = {"target": "vcpu", "filters": [{"provider": "kvm", "fields": ["signal_exits"]}]}


@pytest.fixture
def registered(programs, daemon):
    """Registers a VM that this process has made."""

    def register(name):
        client = programs.keep(Registrant(os.path.join(daemon.run_directory, "register.sock")).negotiate())
        vm = programs.keep(Vm())
        client.register(vm, name)
        return vm

    return register


def told(run_directory, *arguments):
    result = run(*arguments, "--json", env={**WITHOUT_VM, "VITALS_RUN_DIR": run_directory})
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def listed(run_directory):
    """{name: VM}"""
    return {vm["vm"]: vm for vm in told(run_directory, "list")["vms"]}


def values_of_vms(run_directory, names):
    """{VM: {name of a statistic: value}} of what a VM has, as the program says it."""
    values = {name: {} for name in names}
    for stat in told(run_directory, "stats", "--target", "vm", "--provider", "kvm")["stats"]:
        if stat["vm"] in values:
            values[stat["vm"]][stat["name"]] = stat.get("values", stat.get("value"))
    return values


def test_each_has_its_own_socket(daemon, programs, qemu, vmm, around, registered, name):
    kinds = {kind: f"{name}-{kind}" for kind in ("qemu", "demo", "told", "run")}
    pids = {"qemu": qemu(kinds["qemu"]).pid, "demo": programs.demo("--name", kinds["demo"], "--guest", "halted").pid}
    registered(kinds["told"])
    words = around("--name", kinds["run"], run_directory=daemon.run_directory)
    pids |= {"told": os.getpid(), "run": vmm("--vcpus", "0", around=words).pid}
    daemon.wait_for(*kinds.values())

    here = listed(daemon.run_directory)
    assert {kind: (here[vm]["pid"], here[vm]["way"]) for kind, vm in kinds.items()} == {
        kind: (pid, "registered" if kind in ("told", "run") else "kernel") for kind, pid in pids.items()
    }
    by_kernel = {vm["pid"]: vm["vm"] for vm in listed(programs.path("nobody")).values()}

    def says_what_the_kernel_says():
        of_kernel = values_of_vms(programs.path("nobody"), by_kernel.values())
        of_daemon = values_of_vms(daemon.run_directory, kinds.values())
        return all(of_daemon[vm] and of_daemon[vm] == of_kernel[by_kernel[pids[kind]]] for kind, vm in kinds.items())

    wait_until(says_what_the_kernel_says, "no guest changes anything between the two")
    for vm in kinds.values():
        client = programs.client(daemon.socket(vm))
        assert client.execute("query-name") == {"name": vm}
        before = client.execute_with("query-stats", SIGNAL_EXITS)
        for _ in range(QUERIES):
            assert client.execute_with("query-stats", SIGNAL_EXITS) == before
