# SPDX-License-Identifier: MIT
"""The verbs without a socket: all VMs of this host, of VMMs that know nothing of it."""

import json
import os
import shutil
import subprocess

import pytest

from support.kernel_reader import NOBODY, as_nobody, process_status
from support.programs import VITALS

WITHOUT_VM = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}


def vitals(*words, around=(), program=VITALS):
    return subprocess.run([*around, program, *words], env=WITHOUT_VM, capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip


def listed():
    result = vitals("list", "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["vms"]


def of_process(pid):
    return [vm for vm in listed() if vm["pid"] == pid]


@pytest.fixture
def vitals_for_all(tmp_path_factory):
    """The program where any user may run it."""
    directory = tmp_path_factory.mktemp("program")
    for path in (directory, directory.parent):
        path.chmod(0o755)
    return shutil.copy(VITALS, directory)


def test_list(vmm):
    vm = vmm("--vms", 2, "--vcpus", "0,5")
    first, second = sorted(of_process(vm.pid), key=lambda v: len(v["vm"]))
    assert first["vm"] == f"bare-vmm-{vm.pid}"
    assert second["vm"] == f"bare-vmm-{vm.pid}@{vm.pid}"
    assert first["way"] == "kernel" and first["vmm"] == "bare-vmm" and first["uid"] == 0
    assert first["vcpus"] == 2
    assert (first["socket"], first["peer"], first["dialect"], first["version"]) == (None,) * 4


def test_list_of_people(vmm):
    vm = vmm()
    titles, *lines = vitals("list").stdout.splitlines()
    assert titles.split() == ["VM", "VCPUS", "STATS", "VMM", "PID", "UID", "WAY"]
    (line,) = (line.split() for line in lines if f" {vm.pid} " in line)
    assert line[0] == f"bare-vmm-{vm.pid}" and line[3:] == ["bare-vmm", str(vm.pid), "0", "kernel"]


def test_each_value_is_that_of_the_statistics_files(vmm):
    vm = vmm("--vcpus", "0,5", "--guest", "once")
    rows = {(kind, number): values for (kind, _), (number, _, values) in vm.rows().items()}
    result = vitals("stats", "--json")
    assert result.returncode == 0, result.stderr
    seen = {}
    for stat in json.loads(result.stdout)["stats"]:
        if stat["vm"] == f"bare-vmm-{vm.pid}" and stat["provider"] == "kvm":
            key = (stat["target"], stat["vcpu"] or 0)
            seen.setdefault(key, []).extend(stat.get("values") or [stat["value"]])
    assert seen.keys() == rows.keys()
    for key, values in seen.items():
        # The kernel's own order of descriptors need not be that of its data.
        assert sorted(values) == sorted(rows[key])


def test_another_user_is_told_what_is_missing(vmm, vitals_for_all):
    vmm()
    result = vitals("list", around=as_nobody(), program=vitals_for_all)
    assert result.returncode == 1 and result.stdout == ""
    first, *others = result.stderr.splitlines()
    assert first.startswith("vitals list: no VM is named, and those of this host can't be read: ")
    assert len(others) == 2 and "--socket PATH" in others[1]
    result = vitals("list", "--host", around=as_nobody(), program=vitals_for_all)
    assert result.stderr.startswith("vitals list: the VMs of this host can't be read: ")


def test_two_capabilities_are_enough(vmm, vitals_for_all, host):
    """Where /dev/kvm can be opened: here by another one in its place."""
    vm = vmm()
    device = os.path.join(host.path, "dev/kvm")
    replaced = ["unshare", "-m", "sh", "-c", f"mount --bind {device} /dev/kvm && exec \"$@\"", "sh"]
    result = vitals("list", "--json", around=[*replaced, *as_nobody("bpf", "perfmon")],
                    program=vitals_for_all)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert vm.pid in [v["pid"] for v in json.loads(result.stdout)["vms"]]


def capabilities(pid):
    return {name: int(process_status(pid)[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")}


def test_nothing_is_kept_that_is_not_needed(vmm, tmp_path):
    vmm()
    words = [VITALS, "stats", "--stat", "exits", "-i", "0.05", "-n", "100000"]
    with subprocess.Popen(words, env=WITHOUT_VM, stdout=subprocess.PIPE, text=True) as running:
        running.stdout.readline()
        assert capabilities(running.pid) == {"CapEff": 0, "CapPrm": 0, "CapAmb": 0}
        assert process_status(running.pid)["NoNewPrivs"] == "1"
        running.kill()
    # A file in a directory of somebody else alone can still be written.
    os.mkdir(tmp_path / "home", 0o700)
    os.chown(tmp_path / "home", NOBODY, NOBODY)
    result = vitals("snap", "-f", str(tmp_path / "home" / "snapshot"))
    assert result.returncode == 0, result.stderr


def test_a_vm_is_seen_as_it_is(vmm):
    """Its values at each turn, not those of the start."""
    vmm("--guest", "spinning")
    result = vitals("stats", "--stat", "exits", "-i", "0.3", "-n", "2", "-o", "json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert sum(s["value"] for s in second["stats"]) > sum(s["value"] for s in first["stats"])


@pytest.mark.parametrize("verb", ["stats", "hist", "snap", "schemas"])
def test_a_host_without_vms(verb):
    """Only VMs of one's own pid namespace are seen."""
    result = vitals(verb, around=["unshare", "--pid", "--fork"])
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"vitals {verb}: this host has no VMs\n  ")


def test_a_list_without_vms():
    around = ["unshare", "--pid", "--fork"]
    assert vitals("list", "--json", around=around).stdout == '{"schema_version": 1, "vms": []}\n'
