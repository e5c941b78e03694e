# SPDX-License-Identifier: MIT
"""QEMU hands the reply to a client that has left to the next client of its socket: that one must
not take it for its own.

VITALS_RECONNECTS says how often each verb is tried."""

import itertools
import json
import os
import time

import pytest

from peers import Peer
from support.programs import run

RECONNECTS = int(os.environ.get("VITALS_RECONNECTS", "10"))
SLOW = ["query-qmp-schema", "query-cpu-definitions"]
BUSY = [0.0005, 0.001, 0.002, 0.005]  # seconds until the client leaves: QEMU has begun to answer
VERBS = ["list", "stats", "snap"]
FORMS = {"list": ["-o", "json"], "stats": ["-o", "json"], "snap": []}
VALUES = ["time", "reply_time", "value", "values", "boot_time"]  # the last as the clock is slewed


def leave(qemu, turn):
    """A client that asks for something slow, with an id or without, and goes."""
    client = Peer(qemu.path)
    request = {"execute": SLOW[turn % 2]}
    if turn // 2 % 2:
        request["id"] = f"left-{turn}"
    client.send(json.dumps(request).encode() + b"\n")
    time.sleep(BUSY[turn % len(BUSY)])
    client.stop()


def is_disturbed(qemu):
    """Whether the next client gets a reply that is not its own."""
    client = Peer(qemu.path, negotiated=False)
    client.send(b'{"execute": "qmp_capabilities", "id": "mine"}')
    first = client.read_line()
    client.stop()
    return b'"id": "mine"' not in first


def test_a_client_that_leaves_disturbs_the_next_one(qemu):
    """So that the tests below try something."""
    for turn in itertools.count():
        assert turn < 1000, "QEMU gives replies to the next client"
        leave(qemu, turn)
        if is_disturbed(qemu):
            return


def without_values(shown):
    if isinstance(shown, dict):
        return {name: without_values(shown[name]) for name in shown if name not in VALUES}
    return [without_values(each) for each in shown] if isinstance(shown, list) else shown


def show(qemu, verb):
    result = run(verb, "--socket", qemu.path, *FORMS[verb])
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    return without_values(json.loads(result.stdout))


@pytest.mark.parametrize("verb", VERBS)
def test_replies_to_those_who_left(qemu, verb):
    expected = show(qemu, verb)
    assert expected["vms" if verb == "list" else "stats"]
    wrong = []
    for turn in range(RECONNECTS):
        leave(qemu, turn)
        if (shown := show(qemu, verb)) != expected:
            wrong.append(shown)
    assert not wrong, f"{len(wrong)} of {RECONNECTS} were wrong, such as {wrong[0]}"
