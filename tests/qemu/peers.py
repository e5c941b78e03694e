# SPDX-License-Identifier: MIT
"""The two sides that are compared: a real QEMU, and `vitals demo` in QEMU's dialect."""

import json
import os
import select
import shutil
import socket
import time

from support.programs import Demo, Program, listens, wait_until

QEMU = "qemu-system-x86_64"
VCPUS = 2
# QEMU's second vCPU is /machine/unattached/device[2]; the demo numbers its vCPUs without gaps.
DEMO_VCPUS = 3
RESET = b"\xff"
TIMEOUT = 30


def missing_kvm():
    """Why there is no KVM here, or None."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    return None


def missing_qemu():
    """Why QEMU with KVM can't be run here, or None."""
    return missing_kvm() if shutil.which(QEMU) else f"{QEMU} is not installed"


class Qemu(Program):
    """QEMU with a VM of two vCPUs whose firmware finds nothing to boot."""

    def __init__(self, directory, *options):
        self.path = os.path.join(directory, f"qemu-{time.monotonic_ns()}.sock")
        command = [QEMU, "-nodefaults", "-display", "none", "-name", "demo"]
        options = options or ["-enable-kvm", "-smp", str(VCPUS), "-m", "32"]
        command += [*options, "-qmp", f"unix:{self.path},server=on,wait=off"]
        super().__init__(command, directory)
        wait_until(lambda: self.ended_early() or listens(self.path), "QEMU listens")

    def ended_early(self):
        assert self.process.poll() is None, self.log()
        return False


def flat_demo(directory, *options):
    path = os.path.join(directory, f"flat-{time.monotonic_ns()}.sock")
    where = f"{path},dialect=flat"
    demo = Demo(directory, "--name", "demo", "--vcpus", DEMO_VCPUS, *options, path=where)
    demo.path = path
    return demo


class Peer:
    """A connection that hands out whatever lines arrive, and checks nothing."""

    def __init__(self, path, negotiated=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self.received = b""
        self.exchanges = 0
        self.greeting = self.read_line()
        if negotiated:
            self.send(b'{"execute": "qmp_capabilities"}')
            assert self.read_line() == b'{"return": {}}\r\n'

    def stop(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def take_line(self):
        end = self.received.find(b"\n") + 1
        line, self.received = self.received[:end], self.received[end:]
        return line

    def read_line(self):
        """The next line with its end; what is left, at the end of the connection."""
        while b"\n" not in self.received:
            data = self.socket.recv(1 << 20)
            if not data:
                line, self.received = self.received, b""
                return line
            self.received += data
        return self.take_line()

    def read_lines(self, least, quiet):
        """At least so many lines, and all that follow until it is quiet for so many seconds."""
        lines = []
        while True:
            wait = quiet if len(lines) >= least else max(quiet, 5.0)
            if b"\n" not in self.received and not select.select([self.socket], [], [], wait)[0]:
                return lines
            line = self.read_line()
            if not line:
                return lines
            lines.append(line)

    def exchange(self, message):
        """All lines with which a message is answered, whatever state it leaves the parser in.

        A reset and a command with a new id follow it: the reset gives one error, which is left out,
        and the reply to the command is the end."""
        self.exchanges += 1
        mark = f"end-{self.exchanges}"
        end = json.dumps({"execute": "query-name", "id": mark})
        self.send(message + b"\n" + RESET + end.encode())
        lines = []
        while True:
            line = self.read_line()
            assert line, f"closed the connection after {message[:200]!r}: {lines}"
            if f'"id": "{mark}"'.encode() in line:
                return lines[:-1]
            lines.append(line)
