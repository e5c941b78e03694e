# SPDX-License-Identifier: MIT
"""A VMM in Python that registers its VM with the daemon: all that it takes in any language."""

import array
import fcntl
import json
import os
import socket
import struct

from support.qmp import Qmp

KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_GET_STATS_FD = 0xAE01, 0xAE41, 0xAECE


class Vm:
    """A VM that nobody runs."""

    def __init__(self, vcpus=(0,)):
        kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
        self.fds = [kvm, fcntl.ioctl(kvm, KVM_CREATE_VM, 0)]
        self.stats = self.stats_of(self.fds[1])
        self.vcpus = {}
        for vcpu in vcpus:
            self.plug(vcpu)

    def stats_of(self, fd):
        self.fds.append(fcntl.ioctl(fd, KVM_GET_STATS_FD, 0))
        return self.fds[-1]

    def plug(self, vcpu):
        self.fds.append(fcntl.ioctl(self.fds[1], KVM_CREATE_VCPU, vcpu))
        self.vcpus[vcpu] = self.stats_of(self.fds[-1])
        return self.vcpus[vcpu]

    def stop(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class Rows:
    """A memory file with rows of a VMM's own statistics, by the description of add-stats."""

    def __init__(self, row_len, n=1, size=None, offset=0, flags=0, seals=fcntl.F_SEAL_SHRINK):
        self.row_len, self.offset = row_len, offset
        self.row_size = 8 * (1 + 2 * row_len)
        self.fd = os.memfd_create("rows", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC | flags)
        os.ftruncate(self.fd, size or offset + n * self.row_size)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals)

    def write(self, *values, row=0):
        """Where the present ones are not; then these are the present ones."""
        at = self.offset + row * self.row_size
        (sequence,) = struct.unpack("Q", os.pread(self.fd, 8, at))
        copy = (sequence + 1) % 2
        os.pwrite(self.fd, struct.pack(f"{self.row_len}Q", *values), at + 8 + copy * 8 * self.row_len)
        os.pwrite(self.fd, struct.pack("Q", sequence + 1), at)

    def blocks(self):
        """Of 512 bytes, of memory that it has."""
        return os.fstat(self.fd).st_blocks

    def stop(self):
        os.close(self.fd)


class Registrant(Qmp):
    """A connection to register.sock."""

    stop = Qmp.close

    def send_files(self, text, fds):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        data = text.encode()
        sent = self.socket.sendmsg([data], control)
        if sent < len(data):  # where nothing is left, the daemon may have closed it
            self.socket.sendall(data[sent:])

    def tell(self, command, fds=(), **arguments):
        """The whole reply."""
        self.send_files(json.dumps({"execute": command, "arguments": arguments}), fds)
        return self.read_message()

    def do(self, command, fds=(), **arguments):
        reply = self.tell(command, fds, **arguments)
        assert "return" in reply, reply
        return reply["return"]

    def error(self, command, fds=(), **arguments):
        return self.tell(command, fds, **arguments)["error"]["desc"]

    def register(self, vm, name, **words):
        """With all of its vCPUs."""
        told = self.do("register-vm", [vm.stats], name=name, **words)
        if vm.vcpus:
            self.add(vm, *vm.vcpus)
        return told

    def add_stats(self, rows, provider, target, stats, **words):
        if rows.offset:
            words |= {"offset": rows.offset}
        return self.tell("add-stats", [rows.fd], provider=provider, target=target, stats=stats, **words)

    def add(self, vm, *vcpus):
        paths = [{"path": f"/machine/cpu[{vcpu}]"} for vcpu in vcpus]
        self.do("add-vcpus", [vm.vcpus[vcpu] for vcpu in vcpus], vcpus=paths)
