# SPDX-License-Identifier: MIT
"""No request takes much more of the server's CPU than another of its length."""

import costly
import pytest
from honest import Honest

from support.programs import DATA, SANITIZED, cpu_time, stat

VCPUS = 8
RATIO_MAX = 20  # of an id that is all escapes to one that has none; it was 60


@pytest.fixture
def of_vcpus(programs, server):
    """Two sockets of a server with a few vCPUs: {dialect: path}."""
    server.tell("kvm", "-")
    for i in range(VCPUS):
        server.tell("vcpu", costly.VCPU % i, DATA / "kvm" / "x86_64-linux-6.18" / "vcpu.stats")
    for i in range(VCPUS):
        server.tell("register", f"own/block#{i}", stat("reads"))
        server.tell("row", f"own/block#{i}", f"name-{i}", i)
    flat = programs.path("flat.sock")
    server.tell("listen", flat, "flat")
    return {"grouped": server.path, "flat": flat}


def cost(programs, server, path, message):
    """Seconds of the server's CPU, and the reply."""
    client = programs.keep(Honest(path))
    before = cpu_time(server.pid)
    reply = client.ask(message)
    return cpu_time(server.pid) - before, reply


@pytest.mark.parametrize("dialect", ["grouped", "flat"])
def test_the_costliest_requests_are_answered(programs, server, of_vcpus, dialect):
    for what, message in costly.requests(dialect).items():
        seconds, reply = cost(programs, server, of_vcpus[dialect], message)
        print(f"{what}: {len(message)} bytes, {seconds * 1000:.1f} ms, reply of {len(reply)} bytes")
        assert reply.startswith((b'{"return": ', b'{"error": ')), what


@pytest.mark.skipif(SANITIZED, reason="it makes writing slower than reading")
@pytest.mark.parametrize("what", ["an id of DEL", "an id of umlauts", "an unknown command"])
def test_escapes_are_as_cheap_as_letters(programs, server, what):
    plain = costly.with_id('"%s"' % ("x" * costly.MESSAGE_MAX)).encode()
    escaped = costly.requests("grouped")[what]
    costs = [[cost(programs, server, server.path, message)[0] for _ in range(5)]
             for message in (plain, escaped)]  # fmt: skip
    assert min(costs[1]) < RATIO_MAX * min(costs[0])


def test_names_are_sorted_once(programs, server, of_vcpus):
    """And not for each of the providers that are asked."""
    requests = costly.requests("flat")
    costs = [min(cost(programs, server, of_vcpus["flat"], requests[what])[0] for _ in range(5))
             for what in ("vCPUs", "providers and vCPUs")]  # fmt: skip
    assert costs[1] < 2.5 * costs[0] or SANITIZED
