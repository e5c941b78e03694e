# SPDX-License-Identifier: MIT
"""Numbers and threads of vCPUs, as KVM and the VMM say them."""

import json

import pytest

from support.programs import run

IDS = [0, 1, 2, 3, 5]


def cpus(client):
    return {
        cpu["qom-path"]: (cpu["cpu-index"], cpu["thread-id"])
        for cpu in client.execute("query-cpus-fast")
    }


@pytest.fixture
def vm(server):
    """All vCPUs are created by one thread, and not in the order of their ids."""
    server.tell("machine")
    for id_ in reversed(IDS):
        server.tell("cpu", f"/cpu/{id_}", id_)
    return server


def stats(server, *options):
    result = run("stats", "--socket", server.path, "--target", "vcpu", "-o", "json", *options)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)["stats"]


def test_numbers_are_those_of_kvm(vm, client):
    assert cpus(client) == {f"/cpu/{id_}": (id_, vm.pid) for id_ in IDS}
    assert {(stat["vcpu"], stat["path"]) for stat in stats(vm)} == {
        (id_, f"/cpu/{id_}") for id_ in IDS
    }
    assert {stat["path"] for stat in stats(vm, "--vcpu", 5)} == {"/cpu/5"}
    result = run("stats", "--socket", vm.path, "--vcpu", 4)
    assert result.returncode == 3 and "one of the numbers 0 to 3, 5, or" in result.stderr


def test_a_number_stays_over_unplugging(vm, client):
    vm.tell("unplug", "/cpu/0")
    vm.tell("unplug", "/cpu/3")
    assert {path: number for path, (number, _) in cpus(client).items()} == {
        "/cpu/1": 1, "/cpu/2": 2, "/cpu/5": 5}  # fmt: skip
    assert {stat["vcpu"] for stat in stats(vm)} == {1, 2, 5}
    vm.tell("cpu", "/cpu/0", 0)
    vm.tell("cpu", "/cpu/three", 3)
    assert cpus(client)["/cpu/0"][0] == 0 and cpus(client)["/cpu/three"][0] == 3


def test_the_vmm_tells_the_threads(vm, client):
    for id_ in IDS:
        vm.tell("thread", "vcpu", f"/cpu/{id_}", 1000 + id_)
    assert cpus(client) == {f"/cpu/{id_}": (id_, 1000 + id_) for id_ in IDS}


def test_the_demo_tells_its_threads(programs):
    demo = programs.demo("--vcpus", 3)
    for number, thread in cpus(programs.client(demo)).values():
        with open(f"/proc/{demo.pid}/task/{thread}/comm", encoding="ascii") as comm:
            assert comm.read() == f"vCPU {number}\n"
    none = programs.demo("--vcpus", 3, "--guest", "none")
    assert [thread for _, thread in cpus(programs.client(none)).values()] == [-1, -1, -1]
