# SPDX-License-Identifier: MIT
"""A VMM in Python that registers its VM with the daemon: all that it takes in any language."""

import array
import fcntl
import json
import os
import socket

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

    def add(self, vm, *vcpus):
        paths = [{"path": f"/machine/cpu[{vcpu}]"} for vcpu in vcpus]
        self.do("add-vcpus", [vm.vcpus[vcpu] for vcpu in vcpus], vcpus=paths)
