# SPDX-License-Identifier: MIT
"""A QEMU without KVM, as it is: it has no statistics, and serves one client at a time."""

import json
import re
import shutil

import pytest

from peers import QEMU, Peer, Qemu
from support.programs import run

OPTIONS = ["-accel", "tcg", "-machine", "none", "-S"]


@pytest.fixture(scope="module")
def without_kvm(directory):
    if not shutil.which(QEMU):
        pytest.skip(f"{QEMU} is not installed")
    qemu = Qemu(directory, *OPTIONS)
    yield qemu
    qemu.stop()


@pytest.mark.parametrize("verb", ["stats", "schemas", "hist", "snap", "describe"])
def test_no_statistics(without_kvm, verb):
    result = run(verb, "--socket", without_kvm.path)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr == (
        f"vitals {verb}: {without_kvm.path}: no statistics\n"
        "  QEMU has them only where the VM runs with KVM: -accel kvm.\n"
    )


def test_busy_with_another_client(without_kvm):
    other = Peer(without_kvm.path)
    result = run("stats", "--socket", without_kvm.path, "--timeout", 0.3)
    other.stop()
    assert (result.returncode, result.stdout) == (1, "")
    line, hint = result.stderr.splitlines()
    assert line == f"vitals stats: {without_kvm.path}: connected, but no greeting within 0.3 s"
    assert "one client at a time: is another one connected?" in hint


def test_busy_with_another_client_again_and_again(without_kvm):
    """Those that gave up are still in its queue, and fill it."""
    other = Peer(without_kvm.path)
    results = [run("list", "--socket", without_kvm.path, "--timeout", 0.3) for _ in range(5)]
    other.stop()
    assert {(result.returncode, result.stdout) for result in results} == {(1, "")}
    first, last = results[0].stderr, results[-1].stderr
    assert "no greeting within 0.3 s" in first and "is another one connected?" in first
    assert f"vitals list: {without_kvm.path}: the server takes no more clients\n" in last
    assert "clients that wait, or have given up" in last and "another one holds it" in last


def test_doctor_says_so(without_kvm):
    options = ["--socket", without_kvm.path, "--root", "/nothing", "-o", "json"]
    checks = json.loads(run("doctor", *options).stdout)["checks"]
    (check,) = [c for c in checks if c["check"] == "socket"]
    assert check["status"] == "warning"
    assert re.search(r", \d+ statistics, 0 vCPUs", check["found"]), "8 and later describe others'"
    assert "where the VM runs with KVM" in check["hint"]
