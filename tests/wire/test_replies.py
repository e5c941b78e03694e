# SPDX-License-Identifier: MIT
"""What a peer may say at any moment, beside the replies that are waited for, changes nothing."""

import json
import os

import pytest

from support.programs import run
from support.strangers import FakeQemu

STATS = [{"name": "exits", "type": "cumulative", "exponent": 0}]
VCPU = "/machine/unattached/device[0]"
VALUES = [{"provider": "kvm", "qom-path": VCPU, "stats": [{"name": "exits", "value": 7}]}]
REPLIES = {
    "query_stats_schemas": {"return": [{"provider": "kvm", "target": "vcpu", "stats": STATS}]},
    "query_stats": {"return": VALUES},
}
ERROR = {"class": "CommandNotFound", "desc": "The command has not been found"}
OTHERS = {
    "return": {"return": {}, "id": "other"},
    "error": {"error": ERROR, "id": "other"},
    "number": {"return": [], "id": 1},
    "without id": {"return": {}},
    "error without id": {"error": ERROR},
    "event": {"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESUME", "data": {}},
}
VERBS = {
    "list": ["-o", "json"],
    "stats": ["-o", "json"],
    "schemas": ["-o", "json"],
    "hist": ["-o", "json"],
    "snap": [],
    "describe": ["-o", "json"],
    "top": ["-b", "-n", "2", "-i", "0.1"],
}


def without_times(text):
    """Times differ from run to run."""
    if not text.startswith("{"):
        return [line for line in text.splitlines() if not line.startswith("vitals top: ")]
    shown = json.loads(text)
    for name in shown:
        for record in shown[name] if isinstance(shown[name], list) else []:
            record.pop("reply_time", None)
    return {name: value for name, value in shown.items() if name not in ("time", "boot_time")}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("verb", VERBS)
def test_messages_to_others(programs, verb, other):
    path = programs.path("vm.sock")
    shown = []
    for before in b"", 2 * (json.dumps(OTHERS[other]).encode() + b"\r\n"):
        vm = FakeQemu(path, before=before, **REPLIES)
        result = run(verb, "--socket", path, *VERBS[verb])
        vm.stop()
        os.unlink(path)
        shown.append((result.returncode, result.stderr, without_times(result.stdout)))
    assert shown[0][0] in (0, 3) and shown[0] == shown[1]
