# SPDX-License-Identifier: MIT
"""The client of every manual: socat. foreign_clients.py runs others by hand."""

import subprocess

import pytest

from compare import EXACT, compare

SESSION = b"""{"execute": "qmp_capabilities"}
{"execute": "query-version"}
{"execute": "query-stats", "arguments": {"target": "vm"}, "id": 1}
{"execute": "query-stats", "arguments": {"target": "vcpu"}, "id": 2}
{"execute": "query-stats-schemas"}
"""


def socat(path):
    """All lines of a session whose input ends at once."""
    command = ["socat", "-t", "10", "-", f"UNIX-CONNECT:{path}"]
    result = subprocess.run(command, input=SESSION, capture_output=True, timeout=30, check=True)
    return result.stdout.splitlines(keepends=True)


@pytest.fixture
def sessions(qemu, demo):
    return socat(qemu.path), socat(demo.path)


def test_socat(sessions):
    theirs, ours = sessions
    assert len(ours) == 6
    verdict = compare(theirs[1:], ours[1:])
    assert verdict.agreement == EXACT, verdict.reason
