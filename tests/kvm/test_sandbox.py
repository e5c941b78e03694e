# SPDX-License-Identifier: MIT
"""A VMM that confines itself: in a jail without /proc, and with no system call but those of vitals(3)."""

import contextlib
import os
import platform
import re
import socket

import pytest

from support.programs import ROOT, SANITIZED, TIMEOUT, Program, program, wait_until
from support.qmp import Qmp

SANDBOXED_VMM = program("VITALS_SANDBOXED_VMM", "tests/sandboxed-vmm")
MANUAL = ROOT / "docs" / "vitals.3.scd"
PASSES_RIGHTS = tuple(map(int, platform.release().split("-")[0].split(".")[:2])) < (6, 16)


class Vmm(Program):
    """Confined, and serving, when the constructor returns."""

    def __init__(self, programs, jail, path, *filters):
        super().__init__([SANDBOXED_VMM, jail, path, *filters], programs.directory)
        line = self.read_line()
        assert line == "ok", f"{line}, {self.process.poll()}: {self.log()}"

    def tell(self, command):
        self.process.stdin.write(command)
        self.process.stdin.flush()
        assert self.read_line() == "ok", self.log()

    def ask_to_end(self):
        self.process.stdin.close()


def ask_all(programs, path):
    client = programs.client(path)
    for target in ("vm", "vcpu"):
        reply = client.execute("query-stats", target=target)
        providers = reply["vm"] if target == "vm" else reply["vcpus"][0]["providers"]
        assert providers[0]["provider"] == "kvm" and len(providers[0]["stats"]) > 10
    return client


# ---- a jail -------------------------------------------------------------------------------------


@pytest.fixture
def jail(programs):
    if os.geteuid() != 0:
        pytest.skip("chroot() takes root")
    path = programs.path("jail")
    os.mkdir(path)
    return path


def test_a_jail_without_proc(programs, jail):
    """Files of statistics are known without it, and the socket's file is removed."""
    vmm = programs.keep(Vmm(programs, jail, "/vm.sock"))
    ask_all(programs, f"{jail}/vm.sock")
    vmm.stop()
    assert os.listdir(jail) == []


# ---- system calls -------------------------------------------------------------------------------


def calls_of_manual(phase):
    found = re.findall(rf"^{phase}: (.*)$", MANUAL.read_text("utf-8"), re.MULTILINE)
    assert found
    return ",".join(" ".join(found).split())


@pytest.fixture
def filters():
    if SANITIZED:
        pytest.skip("sanitizers have system calls of their own")
    if platform.machine() != "x86_64":
        pytest.skip("the list is that of x86-64")
    serving = calls_of_manual("serving")
    if PASSES_RIGHTS:
        serving += "," + calls_of_manual("closing")
    return calls_of_manual("setup"), serving, calls_of_manual("end")


@pytest.fixture
def vmm(programs, filters):
    return programs.keep(Vmm(programs, "-", programs.path("vm.sock"), *filters))


@pytest.fixture
def path(programs, vmm):
    return programs.path("vm.sock")


def test_queries(programs, vmm, path):
    client = ask_all(programs, path)
    commands = {entry["name"] for entry in client.execute("query-commands")}
    for command in commands - {"qmp_capabilities", "query-stats"}:
        client.execute(command)
    vmm.tell("x")
    reply = client.execute("query-stats", target="vm", filters=[{"provider": "own"}])
    assert reply["vm"][0]["stats"] == [{"name": "events", "value": 1}]


def test_noise_and_slow_readers(programs, vmm, path):
    noise = programs.connect(path)
    noise.read_line()
    noise.send(b"}\n" * 100)
    for _ in range(40):  # more than are answered without a pause
        assert noise.read_line()
    slow = programs.client(path)
    slow.send(b'{"execute": "query-qmp-schema"}' * 200)
    ask_all(programs, path)
    slow.end()
    for _ in range(200):
        assert slow.read_line()
    assert slow.read_line() == b""


def test_long_messages(programs, vmm, path):
    client = programs.client(path)
    client.send(b'{"execute": "query-name", "id": "' + b"x" * 1000000 + b'"}')
    assert len(client.read_line()) > 1000000
    client.send(b'{"execute": "query-name", "id": "' + b"x" * 2000000 + b'"}\n')
    assert b"error" in client.read_line()


def test_files_that_are_sent_along(programs, vmm, path):
    client = programs.client(path)
    ends = os.pipe()
    with contextlib.suppress(OSError):  # refused, from Linux 6.16 on
        socket.send_fds(client.socket, [b'{"execute": "query-name"}'], [ends[0]])
    for end in ends:
        os.close(end)
    client.close()
    ask_all(programs, path)


def test_a_full_table_of_files(programs, vmm, path):
    """Whoever connects then is closed, and opens no file in the VMM."""
    old = ask_all(programs, path)
    vmm.tell("f")
    for _ in range(20):
        refused = programs.connect(path)
        assert refused.read_line() == b""
    assert old.execute("query-name") is not None
    vmm.tell("e")
    refused = programs.connect(path)  # there is a file, which is the VM's
    assert b"can have no more open files" in refused.read_line()
    vmm.tell("c")
    assert not os.path.exists(path)


ANSWERS = b'{"QMP": {}}\r\n' + b'{"return": {}}\r\n' * 4


def test_registration(programs, filters):
    """And again, when the daemon has closed the connection."""
    path = programs.path("register.sock")
    words = (*filters, calls_of_manual("publishing"), path)
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.settimeout(TIMEOUT)
        daemon.bind(path)
        daemon.listen()
        vmm = programs.keep(Vmm(programs, "-", programs.path("vm.sock"), *words))
        for answers in (b"", ANSWERS, ANSWERS):
            client, _ = daemon.accept()
            client.settimeout(TIMEOUT)
            with client:
                client.sendall(answers)
                received = b""
                while answers and b"events" not in received:
                    received += client.recv(4096)
        vmm.tell("x")


def test_the_filter_is_no_more_than_the_list(programs, filters):
    """So that a call that is not on the list would be seen."""
    setup, serving, end = filters
    less = ",".join(set(serving.split(",")) - {"pread64"})
    setup = ",".join(set(setup.split(",")) | {"pread64"})
    path = programs.path("vm.sock")
    vmm = Vmm(programs, "-", path, setup, less, end)
    client = Qmp(path)
    client.read_line()
    client.send(b'{"execute": "qmp_capabilities"}{"execute": "query-stats", "arguments": {"target": "vm"}}')
    wait_until(lambda: vmm.process.poll() is not None, "the VMM is killed")
    assert vmm.wait() == -31  # SIGSYS
    client.close()
