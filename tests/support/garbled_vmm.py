# SPDX-License-Identifier: MIT
"""A VMM that registers its VM, and has another one; then its own memory says nothing true of it.

    garbled_vmm.py REGISTER.SOCK NAME

Writes a line when all is so, and ends with its input.
"""

import ctypes
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.registrant import Registrant, Vm  # pylint: disable=wrong-import-position

GARBAGE = b'\xff"\\\n{},=\x1b[2J\x00\x80guest=\xc3'
ARGUMENTS_BEGIN, ENVIRONMENT_END = 48, 51  # proc(5): of /proc/PID/stat


def garble():
    """What /proc shows of the arguments and the environment is the process's own memory."""
    with open("/proc/self/stat", "rb") as file:
        numbers = [b"", b"", *file.read().rpartition(b") ")[2].split()]
    begin, end = int(numbers[ARGUMENTS_BEGIN - 1]), int(numbers[ENVIRONMENT_END - 1])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(begin)
        memory.write((GARBAGE * (1 + (end - begin) // len(GARBAGE)))[: end - begin])
    ctypes.CDLL(None).prctl(15, GARBAGE[:14] + b"\0", 0, 0, 0)  # PR_SET_NAME


def main():
    registered, other = Vm((0, 5)), Vm()
    registrant = Registrant(sys.argv[1]).negotiate()
    registrant.register(registered, sys.argv[2])
    garble()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0 if other and registrant else 1)  # what is garbled is not looked at again


main()
