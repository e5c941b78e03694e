# SPDX-License-Identifier: MIT
"""QEMU 8 and later have statistics of crypto devices, without KVM, too."""

import json
import shutil

import pytest

from peers import QEMU, Qemu
from support.programs import run

OPTIONS = ["-accel", "tcg", "-machine", "none", "-S", "-object", "cryptodev-backend-builtin,id=c0"]
PATH = "/objects/c0"


@pytest.fixture(scope="module")
def vm(directory):
    if not shutil.which(QEMU):
        pytest.skip(f"{QEMU} is not installed")
    qemu = Qemu(directory, *OPTIONS)
    yield qemu
    qemu.stop()


def version_of(vm):
    (found,) = json.loads(run("list", "--socket", vm.path, "-o", "json").stdout)["vms"]
    return int(found["version"].split(".")[0])


def test_crypto_devices(vm):
    result = run("stats", "--socket", vm.path, "--target", "cryptodev", "-o", "json")
    if version_of(vm) < 8:
        assert (result.returncode, result.stdout) == (3, "")
        return
    assert (result.returncode, result.stderr) == (0, "")
    stats = json.loads(result.stdout)["stats"]
    assert {(stat["target"], stat["path"], stat["value"]) for stat in stats} == {
        ("cryptodev", PATH, 0)
    }
    result = run("top", "--socket", vm.path, "-b", "-n", "1")
    assert result.returncode == 0 and PATH in result.stdout
