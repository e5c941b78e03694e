# SPDX-License-Identifier: MIT
"""What the demo says is what the kernel has: the same files are read here, by other code."""

import signal
import time

from support import stats_file
from support.programs import TIMEOUT, wait_until
from support.stats_fds import StatsFds

VCPUS = 4


def device(index):
    return f"/machine/unattached/device[{index}]"


def is_running(client):
    return client.execute("query-status")["running"]


def kvm_vm(client):
    (provider,) = client.execute("query-stats", target="vm", filters=[{"provider": "kvm"}])["vm"]
    return provider["stats"]


def kvm_vcpus(client):
    """The statistics by path, in the order of the reply."""
    reply = client.execute("query-stats", target="vcpu", filters=[{"provider": "kvm"}])
    return {vcpu["path"]: vcpu["providers"][0]["stats"] for vcpu in reply["vcpus"]}


def read_all(fds):
    """What the kernel has, in the form of kvm_vm() and kvm_vcpus()."""
    vcpus = {
        device(i): stats_file.expected_values(fds.read_vcpu(i)) for i in sorted(fds.vcpus)
    }
    return stats_file.expected_values(fds.read_vm()), vcpus


def compare_values(client, fds):
    """A paused VM has work, too, that ends a little later: the kernel is asked before and after."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        before = read_all(fds)
        answer = kvm_vm(client), kvm_vcpus(client)
        if before == read_all(fds):
            break
        assert time.monotonic() < deadline, "the VM does not come to rest"
    assert answer == before
    return answer


def test_values_of_a_paused_vm(programs):
    demo = programs.demo("--vcpus", VCPUS, "--pause-after", "1")
    client = programs.client(demo)
    fds = programs.keep(StatsFds(demo.pid))
    assert sorted(fds.vcpus) == list(range(VCPUS))
    wait_until(lambda: not is_running(client), "the pause")

    vm, vcpus = compare_values(client, fds)
    assert list(vcpus) == [device(i) for i in range(VCPUS)]
    exits = [dict((s["name"], s["value"]) for s in stats)["exits"] for stats in vcpus.values()]
    assert all(exits), "nothing has happened, so nothing was compared"
    n_vcpu = len(vcpus[device(0)])
    print(f"{len(vm)} statistics of the VM and {n_vcpu} of each vCPU are the kernel's")

    time.sleep(0.3)
    assert compare_values(client, fds)[1] == vcpus  # and they stand still


def test_values_after_a_pause_by_signal(programs):
    demo = programs.demo("--vcpus", VCPUS)
    client = programs.client(demo)
    fds = programs.keep(StatsFds(demo.pid))
    for _ in range(3):
        time.sleep(0.2)
        demo.send_signal(signal.SIGUSR1)
        wait_until(lambda: not is_running(client), "the pause")
        paused = compare_values(client, fds)
        demo.send_signal(signal.SIGUSR1)
        wait_until(lambda: is_running(client), "the end of the pause")
        wait_until(lambda: kvm_vcpus(client) != paused[1], "the guest goes on")


def test_schemas(programs):
    demo = programs.demo("--vcpus", VCPUS, "--guest", "none")
    fds = programs.keep(StatsFds(demo.pid))
    schemas = programs.client(demo).execute("query-stats-schemas", provider="kvm")
    assert schemas == {
        "vcpu": [{"provider": "kvm", "stats": stats_file.expected_schema(fds.read_vcpu(0))}],
        "vm": [{"provider": "kvm", "stats": stats_file.expected_schema(fds.read_vm())}],
    }
    stats = fds.read_vm() + fds.read_vcpu(0)
    assert "exits" in [stat.name for stat in stats]
    assert bool(demo.log()) == any(not stat.is_known for stat in stats)  # of what is left out


def test_values_of_a_vm_that_never_ran(programs):
    """Also a histogram of zeros is whole."""
    demo = programs.demo("--vcpus", 3, "--guest", "none")
    client = programs.client(demo)
    assert client.execute("query-status")["running"] is False
    compare_values(client, programs.keep(StatsFds(demo.pid)))
