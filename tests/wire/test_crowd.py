# SPDX-License-Identifier: MIT
"""Many clients at a time, good and bad."""

import crowd
from support.programs import DATA, SANITIZED, memory_bound

VCPUS = 8
RATIO_MAX = 5
MEMORY_MAX = 16 * 1024  # KiB that 200 clients may cost


def test_one_client_is_served_well_in_a_crowd(programs):
    server = programs.server()
    file = DATA / "kvm" / "x86_64-linux-6.18" / "vcpu.stats"
    server.tell("kvm", "-")
    for i in range(VCPUS):
        server.tell("vcpu", f"/machine/unattached/device[{i}]", file)
    result = crowd.measure(server.path, seconds=0.7, rounds=4)
    print(result)
    assert result.vcpus == VCPUS
    assert (result.memory_peak - result.memory_before) * 1024 < memory_bound(MEMORY_MAX)
    assert result.work_ratio < RATIO_MAX or SANITIZED  # they make it too slow for such a crowd
    programs.client(server).assert_alive()


def test_clients_do_not_get_each_others_replies(programs, server):
    clients = [programs.client(server) for _ in range(200)]
    for turn in range(3):
        for i, client in enumerate(clients):
            client.send(f'{{"execute": "query-name", "id": [{turn}, {i}]}}')
        for i, client in reversed(list(enumerate(clients))):
            assert client.read() == {"return": {}, "id": [turn, i]}
