#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sends the same random messages to a real QEMU and to `vitals demo`, and prints what differs."""

import argparse
import collections
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from compare import BY_DESIGN, DIFFERS, EXACT, compare  # noqa: E402
from compare import without_order_of_members  # noqa: E402
from messages import messages  # noqa: E402
from peers import Peer, Qemu, flat_demo  # noqa: E402


def is_by_design(our_lines):
    """We refuse numbers that QEMU writes as no JSON, and the capability that we don't offer."""
    text = b"".join(our_lines)
    return b"number is too large" in text or b"Capability oob not available" in text


def compare_message(qemu, ours, message):
    their_lines, our_lines = qemu.exchange(message), ours.exchange(message)
    verdict = compare(their_lines, our_lines)
    if verdict.agreement != EXACT:
        verdict = compare(their_lines, our_lines, without_order_of_members)
        if verdict.agreement == EXACT or is_by_design(our_lines):
            verdict.agreement = BY_DESIGN
    return verdict, their_lines, our_lines


def compare_all(qemu_path, our_path, sent, negotiated=True):
    """(message, verdict, QEMU's lines, our lines) of each, on one connection to each."""
    qemu, ours = Peer(qemu_path, negotiated), Peer(our_path, negotiated)
    try:
        return [(message, *compare_message(qemu, ours, message)) for message in sent]
    finally:
        qemu.stop()
        ours.stop()


def print_difference(message, verdict, theirs, ours):
    print(f"\n{verdict.agreement}: {verdict.reason}\n  sent: {message!r}")
    for name, lines in (("QEMU", theirs), ("we", ours)):
        for line in lines[:6]:
            print(f"  {name:4}: {line[:400]!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000, help="messages (default: 1000)")
    parser.add_argument("--syntax", action="store_true", help="also JSON errors equal by class")
    parser.add_argument("--before", action="store_true", help="before the negotiation")
    options = parser.parse_args()

    directory = tempfile.mkdtemp(prefix="vitals-differences-")
    qemu, demo = Qemu(directory), flat_demo(directory)
    try:
        sent = messages(options.seed, options.count)
        results = compare_all(qemu.path, demo.path, sent, not options.before)
    finally:
        demo.stop()
        qemu.stop()
        shutil.rmtree(directory)
    for message, verdict, theirs, ours in results:
        is_expected = verdict.is_syntax and not options.syntax
        if verdict.agreement not in (EXACT, BY_DESIGN) and not is_expected:
            print_difference(message, verdict, theirs, ours)
    count = collections.Counter(verdict.agreement for _, verdict, _, _ in results)
    print(f"\n{len(results)} messages: " + ", ".join(f"{n} {k}" for k, n in count.items()))
    return 1 if count[DIFFERS] else 0


if __name__ == "__main__":
    sys.exit(main())
