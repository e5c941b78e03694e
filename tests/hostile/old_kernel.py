# SPDX-License-Identifier: MIT
"""A kernel before Linux 6.16, as far as a program can tell: it has no SO_PASSRIGHTS."""

import ctypes
import errno
import platform
import struct

SO_PASSRIGHTS = 83
SOCKET_OPTION_CALLS = {"x86_64": (54, 55), "aarch64": (208, 209)}  # setsockopt, getsockopt
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
AT_CALL, AT_THIRD_ARGUMENT = 0, 32  # in struct seccomp_data


class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def assemble():
    one, other = SOCKET_OPTION_CALLS[platform.machine()]
    code = [
        (LOAD, 0, 0, AT_CALL),
        (EQUALS, 1, 0, one),
        (EQUALS, 0, 3, other),
        (LOAD, 0, 0, AT_THIRD_ARGUMENT),
        (EQUALS, 0, 1, SO_PASSRIGHTS),
        (RETURN, 0, 0, FAIL | errno.ENOPROTOOPT),
        (RETURN, 0, 0, ALLOW),
    ]
    return len(code), b"".join(struct.pack("HBBI", *line) for line in code)


def pretend():
    """For a child, before it becomes the program."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(*assemble())
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")
