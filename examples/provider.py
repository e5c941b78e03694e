#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A VMM in Python: a provider, and the server in the program's own loop. It ends with standard input.

provider.py SOCKET [LIBRARY]
"""

import ctypes
import os
import select
import sys

vitals = ctypes.CDLL(sys.argv[2] if len(sys.argv) > 2 else "libvitals.so.0")
for constructor in ("ctx", "server", "listen", "client"):
    getattr(vitals, f"vitals_{constructor}_options_new").restype = ctypes.c_void_p
vitals.vitals_group_ops_new.restype = ctypes.c_void_p
vitals.vitals_row.restype = ctypes.POINTER(ctypes.c_uint64)
COLLECT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
VM, CUMULATIVE, NONE, GROUPED = b"vm", 0, 0, 0
lines = 0


@COLLECT
def collect(_opaque, sink):  # an exception is printed, and leaves this as 0
    row = vitals.vitals_row(ctypes.c_void_p(sink), None)
    if row:
        row[0] = lines
    return 0


def check(err):
    if err < 0:
        sys.exit(f"provider.py: {os.strerror(-err)}")


ctx, server = ctypes.c_void_p(), ctypes.c_void_p()
options = ctypes.c_void_p(vitals.vitals_ctx_options_new(b"python"))
check(vitals.vitals_ctx_new(options, ctypes.byref(ctx)))
ops = ctypes.c_void_p(vitals.vitals_group_ops_new(b"input", VM, collect, None, None))
check(vitals.vitals_group_ops_add(ops, b"input_lines", b"Lines of standard input.",
                                  CUMULATIVE, NONE, 10, 0, 1, 0))  # fmt: skip
check(vitals.vitals_register(ctx, ops, None))
vitals.vitals_group_ops_free(ops)
listen = ctypes.c_void_p(vitals.vitals_listen_options_new(sys.argv[1].encode(), GROUPED, None))
check(vitals.vitals_server_new(None, ctypes.byref(server)))
check(vitals.vitals_server_listen(server, ctx, listen, None))
for memory in (options, listen):
    vitals.vitals_options_free(memory)

fd, running = vitals.vitals_server_fd(server), True
while running:
    ready, _, _ = select.select([fd, sys.stdin], [], [])
    if fd in ready:
        vitals.vitals_server_process(server)  # never blocks
    if sys.stdin in ready:
        running = bool(os.read(0, 256))
        lines += running
vitals.vitals_server_free(server)  # before its contexts
vitals.vitals_ctx_free(ctx)
