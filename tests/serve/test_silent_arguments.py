# SPDX-License-Identifier: MIT
"""A VMM whose arguments lie in a file that never answers."""

import os
import signal
import sys
import time

from support.programs import wait_until

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENOUGH = 3  # s; more than the daemon waits for one process, and than a pass takes

# Its second page of arguments is of that file. It is long enough to have no other.
HIDE_ARGUMENTS = """
import ctypes, os, sys
sys.path.insert(0, sys.argv[1])
from support.registrant import Vm
vm = Vm()
fd = os.open(sys.argv[2], os.O_RDWR)
with open("/proc/self/stat", encoding="ascii") as stat:
    start = int(stat.read().rpartition(")")[2].split()[45])
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
page = (start + 8191) & ~4095
at = libc.mmap(page, 4096, 3, 0x12, fd, 0)
print("hidden" if at == page else os.strerror(ctypes.get_errno()), flush=True)
os.read(0, 1)
os.kill(os.getpid(), 9)
"""


def test_nobody_waits_for_arguments(daemon, programs, silent_file, vmm):
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    process = programs.start([sys.executable, "-c", HIDE_ARGUMENTS, TESTS, silent_file, "x" * 16384])
    assert process.read_line() == "hidden", process.log()

    def shown():
        return [vm["name"] for vm in host.execute("query-vms") if vm["pid"] == process.pid]

    begin = time.monotonic()
    wait_until(shown, "it is seen")
    assert shown()[0].endswith(f"-{process.pid}")
    assert time.monotonic() - begin < ENOUGH
    other = vmm()
    daemon.wait_for(f"bare-vmm-{other.pid}")
    process.send_signal(signal.SIGKILL)
    process.ended = True  # it is about to be, when its file is closed
