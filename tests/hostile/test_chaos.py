# SPDX-License-Identifier: MIT
"""Clients that do anything in any order, for VITALS_CHAOS_SECONDS, as VITALS_CHAOS_SEED lets them choose."""

import os
import time

import chaos

SECONDS = float(os.environ.get("VITALS_CHAOS_SECONDS", "8")) / 2  # on each kernel
SEED = int(os.environ.get("VITALS_CHAOS_SEED", time.time_ns() % 1000000))


def test_one_that_means_well_gets_its_replies(attacked, honest):
    server = attacked()
    client = honest(server)
    client.socket.settimeout(chaos.PATIENCE)
    print(f"seed {SEED}")
    counts = chaos.run(server, client, SECONDS, SEED)
    print(", ".join(f"{name}: {n}" for name, n in sorted(counts.items())))
    print(client)
    attempts = counts.total() - counts["honest replies"]
    assert attempts > 100 and counts["go"]
    server.stop()  # also says what a sanitizer has found
