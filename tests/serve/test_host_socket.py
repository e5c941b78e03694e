# SPDX-License-Identifier: MIT
"""host.sock: which VMs there are, whose they are, and where their sockets are."""

import json
import os
import subprocess
import time

import pytest

from support.programs import TIMEOUT, VITALS, run, wait_until
from support.this_host import WITHOUT_VM
from test_users import GROUP, MEMBER, STRANGER, as_user, can_use, name_of


@pytest.fixture
def host(daemon, programs):
    """A client of the daemon."""
    return programs.client(os.path.join(daemon.run_directory, "host.sock"))


def told(host, name):
    """What it says of the VM of this name; None: nothing."""
    return next((vm for vm in host.execute("query-vms") if vm["name"] == name), None)


def at_daemon(daemon, *words, **options):
    """Runs a verb that finds the daemon by itself."""
    return run(*words, env=WITHOUT_VM | {"VITALS_RUN_DIR": daemon.run_directory}, **options)


def test_what_is_told_of_a_vm(daemon, host, qemu, name):
    uuid = "4a1c1e6a-0000-4000-8000-00000000c0de"
    begin = time.time()
    process = qemu(name, "-smp", "3", "-uuid", uuid)
    wait_until(lambda: (vm := told(host, name)) and vm["vcpus"] == 3, "QEMU makes its VM")
    vm = told(host, name)
    assert abs(vm.pop("since") - begin) < 60
    assert vm == {
        "name": name,
        "uuid": uuid,
        "pid": process.pid,
        "uid": 0,
        "vmm": "qemu",
        "vcpus": 3,
        "state": "never-ran",
        "way": "kernel",
        "sockets": {"grouped": daemon.socket(name), "flat": daemon.socket(name, "qemu.sock")},
    }


@pytest.mark.parametrize("guest, state", [("none", "never-ran"), ("spinning", "running"), ("halted", "running")])
def test_states(host, vmm, guest, state):
    name = name_of(vmm("--guest", guest))
    wait_until(lambda: told(host, name)["state"] == state, "it is seen")


def test_a_vm_that_is_at_rest_is_paused(host, vmm):
    name = name_of(vmm("--guest", "once"))
    assert told(host, name)["state"] in ("outside", "paused")
    wait_until(lambda: told(host, name)["state"] == "paused", "it has been seen so for a second")


def test_who_asks_sees_what_is_there_now(host, vmm):
    """Also what began after the last pass, and not what has ended since."""
    vm = vmm("--vms", 2)
    names = name_of(vm), f"{name_of(vm)}@{vm.pid}"
    assert all(told(host, name)["sockets"] for name in names)
    vm.kill()
    assert not any(told(host, name) for name in names)


def test_an_odd_name(host, programs, name):
    """The one that it has, beside the one of its directory."""
    odd = f'{name}/"ö'
    programs.demo("--name", odd)
    vm = told(host, odd)
    assert vm["sockets"]["grouped"].endswith(f"/vms/{name}_2f_22_c3_b6/qmp.sock")


def test_it_has_no_command_of_a_vm(host):
    commands = {each["name"] for each in host.execute("query-commands")}
    assert commands == {"qmp_capabilities", "query-version", "query-commands", "query-qmp-schema",
                        "query-vms", "query-vms-stats", "query-vms-stats-schemas", "query-vms-cpus-fast"}  # fmt: skip
    assert host.error_of('{"execute": "query-stats"}') == "The command query-stats has not been found"


def test_members_look_without_any_privilege(start, vmm):
    daemon = start("--user", "nobody", "--group", "nogroup")
    name = name_of(vmm("--guest", "once"))
    path = os.path.join(daemon.run_directory, "host.sock")
    assert can_use(path, MEMBER, GROUP) and not can_use(path, STRANGER)
    daemon.wait_for(name)

    def list_as(gid):
        command = [*as_user(STRANGER, gid), VITALS, "list", "--json", "--vm", name]
        env = WITHOUT_VM | {"VITALS_RUN_DIR": daemon.run_directory}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False)

    (vm,) = json.loads(list_as(GROUP).stdout)["vms"]
    assert (vm["vm"], vm["way"], vm["vmm"], vm["socket"]) == (name, "kernel", "bare-vmm", daemon.socket(name))
    refused = list_as(STRANGER)
    assert refused.returncode == 1 and "host.sock: the daemon does not answer: Permission denied" in refused.stderr


def test_top_and_stats_ask_it(daemon, vmm):
    name = name_of(vmm("--guest", "spinning"))
    daemon.wait_for(name)
    result = at_daemon(daemon, "top", "-b", "-n", "2", "-i", "0.1")
    assert result.returncode == 0 and name in result.stdout
    result = at_daemon(daemon, "stats", "--vm", name, "--json")
    stats = json.loads(result.stdout)["stats"]
    assert {stat["vm"] for stat in stats} == {name}
    assert {stat["provider"] for stat in stats} == {"kvm", "sched"}


def test_top_goes_on_with_what_comes_and_goes(daemon, programs, vmm):
    first = vmm()
    daemon.wait_for(name_of(first))
    env = WITHOUT_VM | {"VITALS_RUN_DIR": daemon.run_directory}
    top = programs.start(["env", *(f"{k}={v}" for k, v in env.items()), VITALS, "top", "-b", "-i", "0.2"])
    second = vmm()
    lines = iter(top.read_line, None)
    assert any(line.startswith(name_of(second)) for line in lines)
    first.kill()
    again = vmm()
    assert any(line.startswith(name_of(again)) for line in lines)
    top.kill()


def test_it_vanishes_with_the_daemon(daemon):
    path = os.path.join(daemon.run_directory, "host.sock")
    assert os.path.exists(path)
    daemon.stop()
    assert not os.path.exists(path)


def test_an_exposition_says_that_the_daemon_answers(daemon, host, vmm):
    """As any user, who could not ask the kernel; also where there is no VM."""
    name = name_of(vmm())
    wait_until(lambda: told(host, name), "it is seen")
    lines = at_daemon(daemon, "export", "--preset", "minimal").stdout.splitlines()
    up = [line for line in lines if line.startswith("vitals_source_up{")]
    assert f'vitals_source_up{{vm="",source="{daemon.run_directory}/host.sock"}} 1' in up
    assert f'vitals_source_up{{vm="{name}",source="{daemon.socket(name)}"}} 1' in up
    assert not [line for line in up if line.endswith(" 0") or '"kernel"' in line]
    assert [line for line in lines if line.startswith('vitals_collector_duration_seconds{collector="socket"}')]
