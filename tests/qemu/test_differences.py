# SPDX-License-Identifier: MIT
"""Random messages to both sides. differences.py runs more of them by hand."""

import pytest

from compare import BY_DESIGN, EXACT, error_of, parse
from differences import compare_all
from messages import Generator, messages

SEED = 20221


def differing(results):
    return [
        (message, verdict.reason)
        for message, verdict, _, _ in results
        if verdict.agreement not in (EXACT, BY_DESIGN)
    ]


def test_json_is_answered_equally(qemu, demo):
    sent = messages(SEED, 200, Generator.well_formed)
    assert not differing(compare_all(qemu.path, demo.path, sent))


@pytest.mark.parametrize("seed", range(4))
def test_json_is_answered_equally_before_the_negotiation(qemu, demo, seed):
    """The first successful negotiation ends this, so few messages for each connection."""
    sent = [m for m in messages(seed, 20, Generator.well_formed) if b"oob" not in m]
    assert not differing(compare_all(qemu.path, demo.path, sent, negotiated=False))


def test_what_is_no_json_is_an_error_of_the_same_class(qemu, demo):
    for message, _, theirs, ours in compare_all(
        qemu.path, demo.path, messages(SEED, 100, Generator.damaged)
    ):
        first = [[error_of(parse(line)) for line in lines[:1]] for lines in (theirs, ours)]
        classes = [[error and error[0] for error in errors] for errors in first]
        assert classes[0] == classes[1], message
