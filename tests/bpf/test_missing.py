# SPDX-License-Identifier: MIT
"""What is said where something is missing. The answers of the system are faked below a directory,
but for the lockdown, which may be real: scripts/emulated_kvm.py --kernel-argument."""

import json
import os
import pathlib
import subprocess

import pytest

from support.kernel_reader import BPF_READER, MISSING, Reader
from support.programs import program

MAKE_BTF = program("VITALS_MAKE_BTF", "tests/make-btf")
VMLINUX = "/sys/kernel/btf/vmlinux"


def is_locked():
    path = pathlib.Path("/sys/kernel/security/lockdown")
    return path.exists() and "[confidentiality]" in path.read_text(encoding="ascii")


@pytest.fixture
def refused(programs, host):
    """(which thing is missing, the text) for this host."""

    def start():
        reader = Reader(programs.directory, BPF_READER, host.path)
        assert reader.wait() == 1
        return reader.missing, reader.text

    return start


def test_no_btf(refused, host):
    host.remove("sys/kernel/btf/vmlinux")
    missing, text = refused()
    assert missing == MISSING["btf"]
    assert "does not describe its structs: /sys/kernel/btf/vmlinux: No such file" in text


def test_lockdown(refused, host):
    host.write("sys/kernel/security/lockdown", "none integrity [confidentiality]\n")
    missing, text = refused()
    assert missing == MISSING["lockdown"]
    assert text.endswith("lockdown=confidentiality")


def test_lockdown_of_integrity_is_allowed(programs, host):
    host.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    assert programs.keep(Reader(programs.directory, BPF_READER, host.path)).missing == 0


def test_this_host(programs):
    """Its own answers. `make check-lockdown` runs this where they are those of a lockdown."""
    reader = Reader(programs.directory)
    reader.ask_to_end()
    reader.wait()
    assert reader.missing == MISSING["lockdown" if is_locked() else "nothing"], reader.text


def test_a_lockdown_that_nobody_tells_of(programs, host):
    """Without securityfs the kernel's refusal is what tells."""
    os.rmdir(os.path.join(host.path, "sys/kernel/security"))
    reader = Reader(programs.directory, BPF_READER, host.path)
    reader.ask_to_end()
    reader.wait()
    assert reader.missing == MISSING["lockdown" if is_locked() else "nothing"], reader.text


def test_no_device(refused, host):
    host.remove("dev/kvm")
    missing, text = refused()
    assert missing == MISSING["device"]
    assert "/dev/kvm can't be opened: No such file" in text


def test_another_device(refused, host):
    host.write("dev/kvm", "")
    missing, text = refused()
    assert missing == MISSING["statistics"]
    assert "no statistics files" in text


# ---- KVM as a module that alone describes its structs ---------------------------------------------


def struct_members():
    """{(struct, member): (offset, size)} of this kernel: a module's need not be in vmlinux."""
    dump = subprocess.run(["/usr/sbin/bpftool", "-j", "btf", "dump", "file", VMLINUX],
                          stdout=subprocess.PIPE, check=True).stdout  # fmt: skip
    types = {type_["id"]: type_ for type_ in json.loads(dump)["types"]}
    return {
        (type_["name"], member["name"]): (member["bits_offset"] // 8, size_of(types, member))
        for type_ in types.values()
        if type_["kind"] == "STRUCT" and type_["name"] in ("kvm", "kvm_vcpu")
        for member in type_["members"]
    }


def size_of(types, member):
    type_ = types[member["type_id"]]
    while type_["kind"] in ("TYPEDEF", "CONST", "VOLATILE", "TYPE_TAG"):
        type_ = types[type_["type_id"]]
    return type_.get("size", 8)  # a pointer has none


USED = [("kvm", "mm"), ("kvm", "userspace_pid"), ("kvm", "stat"), ("kvm_vcpu", "kvm"),
        ("kvm_vcpu", "vcpu_id"), ("kvm_vcpu", "pid"), ("kvm_vcpu", "mutex"),
        ("kvm_vcpu", "stat")]  # fmt: skip


@pytest.fixture(scope="module")
def members():
    all_members = struct_members()
    return {key: all_members[key] for key in USED}


@pytest.fixture
def module(programs, host):
    """Starts the reader on a host whose module has these members."""

    def start(members):
        directory = os.path.join(host.path, "sys/kernel/btf")
        host.remove("sys/kernel/btf/vmlinux")
        words = [f"{struct}.{name}:{at}:{size}" for (struct, name), (at, size) in members.items()]
        subprocess.run([MAKE_BTF, directory, *words], check=True)
        return Reader(programs.directory, BPF_READER, host.path)

    return start


def test_kvm_as_a_module_that_describes_itself(programs, module, members, vmm):
    reader = programs.keep(module(members))
    assert reader.missing == 0, reader.text
    vm = vmm("--vcpus", "0,5", "--guest", "once")
    assert reader.rows(vm.pid) == vm.rows()


@pytest.mark.parametrize("key", USED)
def test_a_member_that_is_missing(module, members, key):
    reader = module({other: place for other, place in members.items() if other != key})
    assert (reader.missing, reader.wait()) == (MISSING["kvm_btf"], 1)
    assert f"struct {key[0]} with a member {key[1]}" in reader.text


@pytest.mark.parametrize("key", [key for key in USED if key[1] != "mutex"])
def test_a_module_that_is_not_as_described(module, members, key):
    """Read there, memory is something else. A mutex is free, as most memory is 0."""
    offset, size = members[key]
    reader = module({**members, key: (offset + 8, size)})
    assert (reader.missing, reader.wait()) == (MISSING["trust"], 1)
    assert "is not what its statistics file says" in reader.text


@pytest.mark.parametrize("struct", ["kvm", "kvm_vcpu"])
def test_statistics_that_are_longer_than_their_struct(module, members, struct):
    offset, _ = members[struct, "stat"]
    reader = module({**members, (struct, "stat"): (offset, 64)})
    assert (reader.missing, reader.wait()) == (MISSING["kvm_btf"], 1)
