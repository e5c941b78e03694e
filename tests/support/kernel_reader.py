# SPDX-License-Identifier: MIT
"""VMMs that know nothing of vitals, and the program that reads them from the kernel."""

import contextlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess

from support.programs import PRELOADED, InputEnded, program, words_of

BARE_VMM = program("VITALS_BARE_VMM", "tests/bare-vmm")
BPF_READER = program("VITALS_BPF_READER", "tests/bpf-reader")
OLD_ITERATORS = program("VITALS_OLD_ITERATORS", "tests/old-iterators.so")
NOBODY = 65534
READS_ONE_PROCESS = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2]) >= (6, 1)
KVM_NUMBERS = os.makedev(10, 232)

# enum bpf_missing of src/bpf/why.h
MISSING = {
    name: number
    for number, name in enumerate(
        "nothing build cap_bpf cap_perfmon host btf kvm_btf lockdown device permission statistics "
        "kvm iterator trust".split()
    )
}


def missing_for_host():
    """Why VMs can't be made here, or other users' not be read; or None."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"/dev/kvm can't be opened: {error.strerror}"
    if os.geteuid() != 0:
        return "reading the VMs of a host from the kernel is tested as root"
    return None


class Told(InputEnded):
    """A program that is told by lines, and answers each with lines up to a last one."""

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        """Comes all at once, so that only its beginning is waited for."""
        lines = []
        line = self.read_line()
        while line != self.LAST:
            assert line, f"it ended: {self.log()}"
            lines.append(line)
            line = self.process.stdout.readline().strip()
        return lines


class BareVmm(Told):
    """tests/support/bare_vmm.c; all VMs are made when the constructor returns."""

    LAST = "ok"

    def __init__(self, directory, *options, around=()):
        super().__init__([*around, BARE_VMM, *map(str, options)], directory, None)
        assert self.answer() == []

    def rows(self):
        """What its own statistics files say: {(kind, fd): (vCPU's number, its thread, values)}."""
        rows = {}
        for line in self.tell("rows"):
            kind, *numbers = line.split()
            fd, *numbers = map(int, numbers)
            identity = (0, 0) if kind == "vm" else (numbers.pop(0), numbers.pop(0))
            rows[kind, fd] = (*identity, numbers)
        return rows


class Reader(Told):
    """tests/support/bpf_reader.c."""

    LAST = "{}"

    def __init__(self, directory, *arguments, around=()):
        super().__init__([*around, *(arguments or [BPF_READER])], directory, None)
        first = json.loads(self.read_line())
        self.missing, self.text, self.hint = first["missing"], first["text"], first["hint"]

    def ask(self, *words):
        return [json.loads(line) for line in self.tell(*words)]

    def kvm(self, pid=0):
        return self.ask("kvm", pid)

    def rows(self, pid):
        """As BareVmm.rows()."""
        records = self.kvm(pid)
        rows = {(r["kind"], r["fd"]): (r["vcpu_id"], r["thread"], r["row"]) for r in records}
        assert len(rows) == len(records)
        return rows


class Host:
    """A directory that stands for "/": what the checks look at can be taken away or replaced."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "host")
        for name in ("dev", "proc/self", "sys/kernel/btf", "sys/kernel/security"):
            os.makedirs(os.path.join(self.path, name))
        self.make_device(0o666)
        for name in ("proc/self/status", "proc/self/uid_map", "sys/kernel/btf/vmlinux"):
            os.symlink(f"/{name}", os.path.join(self.path, name))
        os.chmod(directory, 0o711)

    def make_device(self, mode):
        """The real KVM, with other permissions."""
        path = os.path.join(self.path, "dev/kvm")
        os.mknod(path, stat.S_IFCHR | 0o600, KVM_NUMBERS)
        os.chmod(path, mode)

    def remove(self, name):
        os.unlink(os.path.join(self.path, name))

    def write(self, name, data):
        path = os.path.join(self.path, name)
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(data)


def reader_for_all(directory):
    """The reader where any user may run it."""
    path = os.path.join(directory, "bpf-reader")
    if not os.path.exists(path):
        shutil.copy(BPF_READER, path)
    return path


def as_nobody(*capabilities):
    """Words before a command: it runs as another user that has these capabilities alone."""
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if capabilities:
        added = ",".join(f"+{capability}" for capability in capabilities)
        words += [f"--inh-caps={added}", f"--ambient-caps={added}"]
    return words


def before_linux_6_1():
    """Words before a command: its kernel has no passes over one process alone."""
    return ["env", *words_of({"LD_PRELOAD": OLD_ITERATORS, **PRELOADED})]


def processes_read(pid):
    """Which processes it has passes over that leave out all others."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as lines:
            words = dict(line.split(":", 1) for line in lines if ":" in line)
            if words.get("link_type", "").strip() == "iter" and "pid" in words:
                found.add(int(words["pid"]))
    return found


def process_status(pid):
    """The lines of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def children(pid):
    """The processes that this one has started."""
    output = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True, check=False)
    return [int(word) for word in output.stdout.split()]
