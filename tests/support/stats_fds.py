# SPDX-License-Identifier: MIT
"""The kernel's statistics files that another process keeps open."""

import contextlib
import ctypes
import os
import re

from support import stats_file

SYS_PIDFD_GETFD = 438
FILE_MAX = 1 << 16
VM_LINK = "anon_inode:kvm-vm-stats"
VCPU_LINK = re.compile(r"anon_inode:kvm-vcpu-stats:(\d+)")


def pidfd_getfd(pidfd, fd):
    """A duplicate of another process's fd."""
    libc = ctypes.CDLL(None, use_errno=True)
    copy = libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)
    if copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return copy


class StatsFds:
    """Copies of all statistics files of a process: that of its VM, and those of its vCPUs."""

    def __init__(self, pid):
        self.vm = None
        self.vcpus = {}  # by the number of the vCPU
        pidfd = os.pidfd_open(pid)
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                self.take(pidfd, int(name), os.readlink(f"/proc/{pid}/fd/{name}"))
        os.close(pidfd)

    def take(self, pidfd, fd, link):
        if link == VM_LINK:
            self.vm = pidfd_getfd(pidfd, fd)
        elif match := VCPU_LINK.fullmatch(link):
            self.vcpus[int(match[1])] = pidfd_getfd(pidfd, fd)

    def read_vm(self):
        return stats_file.parse(os.pread(self.vm, FILE_MAX, 0))

    def read_vcpu(self, number):
        return stats_file.parse(os.pread(self.vcpus[number], FILE_MAX, 0))

    def stop(self):
        for fd in [self.vm, *self.vcpus.values()]:
            os.close(fd)


def by_name(stats):
    return {s.name: s.values if s.is_histogram else s.values[0] for s in stats if s.is_known}


def values_of_files(programs, pid, vcpus):
    """{None or the vCPU: {statistic: its value or values}} of the one VM of a process."""
    files = programs.keep(StatsFds(pid))
    of_vcpus = {number: by_name(files.read_vcpu(number)) for number in vcpus}
    return {None: by_name(files.read_vm()), **of_vcpus}
