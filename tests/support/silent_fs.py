# SPDX-License-Identifier: MIT
"""A file system (FUSE) whose one file can be opened, and then never answers: no read, no close.

    python3 silent_fs.py DIRECTORY

It says "ready" when it is mounted. When it is killed, all that waits goes on. Needs root.
"""

import ctypes
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, OPEN, RELEASE, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 18, 26, 36, 42
IN_HEADER = struct.Struct("IIQQIIII")
ROOT, FILE = 1, 2
SIZE = 1 << 16
MESSAGE_MAX = 1 << 18
MNT_DETACH = 2


def attributes(node):
    mode = 0o40755 if node == ROOT else 0o100666
    return struct.pack("6Q10I", node, SIZE, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node):
    """What is said to a request; None: nothing."""
    if opcode == INIT:
        return struct.pack("IIIIHHIIHHI7I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0, *[0] * 7)
    if opcode == LOOKUP:
        return struct.pack("QQQQII", FILE, 0, 1000, 1000, 0, 0) + attributes(FILE)
    if opcode == GETATTR:
        return struct.pack("QII", 1000, 0, 0) + attributes(node)
    if opcode == OPEN:
        return struct.pack("QIi", 0, 0, 0)
    return b"" if opcode == RELEASE else None


def serve(fd):
    while True:
        request = os.read(fd, MESSAGE_MAX)
        _, opcode, unique, node, *_ = IN_HEADER.unpack_from(request)
        reply = answer(opcode, node)
        if reply is not None:
            os.write(fd, struct.pack("IiQ", 16 + len(reply), 0, unique) + reply)


def is_possible():
    """Whether this kernel has such file systems, and this user may mount one."""
    with open("/proc/filesystems", encoding="ascii") as names:
        return os.geteuid() == 0 and os.path.exists("/dev/fuse") and "\tfuse\n" in names.read()


def mount(directory):
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"silent", os.fsencode(directory), b"fuse", 0, options):
        sys.exit(os.strerror(ctypes.get_errno()))
    return fd


def unmount(directory):
    ctypes.CDLL(None).umount2(os.fsencode(directory), MNT_DETACH)


if __name__ == "__main__":
    device = mount(sys.argv[1])
    print("ready", flush=True)
    serve(device)
