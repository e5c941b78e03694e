# SPDX-License-Identifier: MIT
"""Many VMs, of VMMs that know nothing of the daemon and of some that have registered, which all go, or stay, at once."""

import os
import signal
import time

import pytest

from support.passes import Passes
from support.programs import EXAMPLE_PUBLISH, InputEnded, listens, wait_until
from support.registrant import Registrant, Vm

PROCESSES, VMS, REGISTERED = 4, 10, 5


@pytest.fixture
def fleet(programs, vmm, run_directory, name):
    """Starts them."""

    def run():
        path = os.path.join(run_directory, "register.sock")
        registered = [programs.keep(InputEnded([EXAMPLE_PUBLISH, f"{name}-{i}", path], programs.directory, path))
                      for i in range(REGISTERED)]  # fmt: skip
        return [vmm("--vms", VMS, "--vcpus", "0,1") for _ in range(PROCESSES)] + registered

    return run


def ways(host, fleet):
    """By the sockets of their VMs that have vCPUs, of which the daemon is told behind a VM."""
    pids = {process.pid for process in fleet}
    return {vm["sockets"]["grouped"]: vm["way"] for vm in host.execute("query-vms") if vm.get("pid") in pids and vm["vcpus"]}


def wait_for_all(programs, daemon, fleet):
    """Their sockets, when those that have registered are there by that way."""
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    expected = PROCESSES * VMS * ["kernel"] + REGISTERED * ["registered"]
    wait_until(lambda: sorted(ways(host, fleet).values()) == expected, "all are there")
    paths = set(ways(host, fleet))
    host.close()
    return paths


def files_of(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def sockets_of(daemon):
    return sorted(os.path.join(path, each) for path, _, files in os.walk(daemon.run_directory) for each in files)


def test_all_vmms_are_killed_at_once(programs, serve, fleet):
    """While a client is at each socket: nothing is left of them."""
    daemon = serve()
    files, sockets = files_of(daemon), sockets_of(daemon)
    vmms = fleet()
    for path in wait_for_all(programs, daemon, vmms):
        assert programs.client(path).execute("query-stats", target="vcpu")["vcpus"]
    assert files_of(daemon) > files + PROCESSES * VMS
    for vmm in vmms:
        vmm.send_signal(signal.SIGKILL)
    for vmm in vmms:
        vmm.wait()
    wait_until(lambda: sockets_of(daemon) == sockets, "their sockets are gone")
    wait_until(lambda: files_of(daemon) <= files, "their files are closed")


def test_all_are_there_again_when_the_daemon_is(programs, serve, fleet):
    """Those that the kernel shows before it says that it is ready; by their names."""
    daemon = serve()
    vmms = fleet()
    paths = wait_for_all(programs, daemon, vmms)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    again = serve()
    assert sum(map(listens, paths)) >= PROCESSES * VMS
    assert wait_for_all(programs, again, vmms) == paths
    assert all(map(listens, paths))


WAVE = 100
MESSAGES = '{{"execute": "qmp_capabilities"}} {{"execute": "register-vm", "arguments": {{"name": "{name}"}}}}'


def test_many_that_register_at_once_wait_for_few_passes(programs, start, name):
    """As many as have come before a pass begins can register behind it, whatever it takes to read all VMs."""
    passes = programs.keep(Passes(programs))
    daemon = start("--user", "root", "--group", "root", around=passes.around)
    assert daemon.ready, daemon.log()
    clients = [programs.keep(Registrant(os.path.join(daemon.run_directory, "register.sock"))) for _ in range(WAVE)]
    vms = [programs.keep(Vm(vcpus=())) for _ in clients]
    for client in clients:
        assert "QMP" in client.read_message()
    wait_until(lambda: len(kernels(programs, daemon)) >= WAVE, "all are seen")
    daemon.send_signal(signal.SIGSTOP)
    before, begin = passes.by_link(), time.monotonic()
    for i, (client, vm) in enumerate(zip(clients, vms, strict=True)):
        client.send_files(MESSAGES.format(name=f"{name}-{i}"), [vm.stats])
    daemon.send_signal(signal.SIGCONT)
    for client in clients:
        assert client.read_message() == {"return": {}} and "return" in client.read_message()
    unasked = 1 + int((time.monotonic() - begin) / 0.5)
    assert passes.since(before) <= WAVE / 10 + unasked


def kernels(programs, daemon):
    """VMs of this process."""
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    found = [vm for vm in host.execute("query-vms") if vm.get("pid") == os.getpid()]
    host.close()
    return found
