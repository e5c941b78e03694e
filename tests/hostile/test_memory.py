# SPDX-License-Identifier: MIT
"""memory_max bounds what a reply takes while it is written, and what is kept when all have left."""

import json

from honest import NEGOTIATION, Honest

from support.programs import memory_bound, stat, wait_until

MEMORY_MAX = 16 << 20
STATS, OBJECTS, PROVIDERS = 240, 64, 16  # a reply of 120 MB, to a request of 600 bytes
VALUE = (1 << 64) - 1
REQUEST = {"execute": "query-stats",
           "arguments": {"target": "vcpu", "providers": [{"provider": "sched"}] * PROVIDERS}}  # fmt: skip


def large(programs):
    """The socket of a server with many statistics, in dialect flat."""
    server = programs.server(memory_max=MEMORY_MAX)
    server.tell("register", "sched/vcpu", *(stat(f"statistic-{i}", count=16, type_="log-hist")
                                            for i in range(STATS)))  # fmt: skip
    for i in range(OBJECTS):
        server.tell("row", "sched/vcpu", f"/vcpu[{i}]", *[VALUE] * (16 * STATS))
    path = programs.path("flat.sock")
    server.tell("listen", path, "flat")
    return server, path


def test_a_reply_is_refused_while_it_is_written(programs):
    server, path = large(programs)
    before = server.memory()
    deaf = [programs.connect(path) for _ in range(4)]
    for client in deaf:
        client.send(NEGOTIATION + json.dumps(REQUEST).encode() + b"\n")
    honest = programs.keep(Honest(path)).measure(0.5)
    print(honest)
    grown = server.memory("VmHWM") - before
    print(f"memory_max {MEMORY_MAX >> 20} MiB; at the peak {grown / 1024:.0f} MiB more than before")
    assert grown < memory_bound(3 * MEMORY_MAX // 1024)
    for client in deaf:
        client.close()
    wait_until(lambda: server.memory() - before < memory_bound(MEMORY_MAX // 1024), "it is given back")
    print(f"when all have left {(server.memory() - before) / 1024:.0f} MiB more")
