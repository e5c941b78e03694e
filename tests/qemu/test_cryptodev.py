# SPDX-License-Identifier: MIT
"""QEMU 8 and later have statistics of crypto devices, without KVM, too."""

import json
import shutil

import pytest

from peers import QEMU, Qemu
from support import exposition
from support.programs import run
from support.qmp import Qmp

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


def assert_unknown(result):
    """What an older QEMU has no word for is not there."""
    assert (result.returncode, result.stdout) == (3, ""), result.stderr


def test_crypto_devices(vm):
    result = run("stats", "--socket", vm.path, "--target", "cryptodev", "-o", "json")
    if version_of(vm) < 8:
        assert_unknown(result)
        return
    assert (result.returncode, result.stderr) == (0, "")
    stats = json.loads(result.stdout)["stats"]
    assert {(stat["target"], stat["path"], stat["value"]) for stat in stats} == {
        ("cryptodev", PATH, 0)
    }
    result = run("top", "--socket", vm.path, "-b", "-n", "1")
    assert result.returncode == 0 and PATH in result.stdout


def show(verb, vm, *options):
    result = run(verb, "--socket", vm.path, *options)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def paths_of(vm, verb, *options):
    stats = json.loads(show(verb, vm, "--target", "cryptodev", *options))["stats"]
    return {stat["path"] for stat in stats}


@pytest.fixture
def plugged(vm):
    """How a second device comes, and is taken away. It is there already."""

    def tell(command, **arguments):
        qmp = Qmp(vm.path)
        qmp.negotiate()
        qmp.execute(command, **arguments)
        qmp.close()

    def plug():
        tell("object-add", **{"qom-type": "cryptodev-backend-builtin", "id": "c1"})

    def unplug():
        tell("object-del", id="c1")

    plug()
    yield plug, unplug
    unplug()


def test_crypto_devices_in_all_verbs(vm, plugged, directory):
    """One is plugged in, and taken away, and comes back."""
    if version_of(vm) < 8:
        for verb in ["stats"], ["hist", "sym-encrypt-ops"], ["snap"]:
            assert_unknown(run(*verb, "--socket", vm.path, "--target", "cryptodev"))
        return
    plug, unplug = plugged
    both = {PATH, "/objects/c1"}
    before, after = f"{directory}/before", f"{directory}/after"
    for paths in both, {PATH}, both:
        assert paths_of(vm, "stats", "-o", "json") == paths_of(vm, "snap") == paths
        lines = show("top", vm, "-b", "-n", "1", "--target", "cryptodev").splitlines()
        titles = next(i for i, line in enumerate(lines) if line.startswith("OBJECT"))
        assert {line.split()[0] for line in lines[titles + 1 :]} == paths
        for text_format, read in exposition.READERS.items():
            found = read(show("export", vm, "-o", text_format))
            labels = [labels for labels, _ in found.of("cryptodev_sym_encrypt_ops_total")]
            assert {label["object"] for label in labels} == paths
        show("snap", vm, "-f", after)
        if paths == both:
            show("snap", vm, "-f", before)
            unplug()
        else:
            result = run("diff", before, after, "--target", "cryptodev", "--all", "-o", "json")
            assert result.returncode == 0 and "only in" in result.stderr
            assert {stat["path"] for stat in json.loads(result.stdout)["stats"]} == {PATH}
            plug()
    plug()


def test_what_is_known_of_crypto_devices(vm):
    if version_of(vm) < 8:
        options = ["--socket", vm.path, "--target", "cryptodev", "-o", "json"]
        assert_unknown(run("schemas", *options))
        return
    schemas = json.loads(show("schemas", vm, "--target", "cryptodev", "-o", "json"))["stats"]
    assert {(each["target"], each["provider"]) for each in schemas} == {("cryptodev", "cryptodev")}
    assert "sym-encrypt-ops" in {each["name"] for each in schemas}
    assert "each object of target cryptodev" in show("describe", vm, "sym-encrypt-ops")
