#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Replays recordings of a real QEMU against `vitals demo`, and prints how the replies agree.

Each line of a file of recordings has what was sent (base64), what QEMU replied, and under which
circumstances. Which of them apply to vitals is decided by the rules of not_for_us()."""

import argparse
import base64
import collections
import contextlib
import dataclasses
import json
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from compare import BY_CLASS, DIFFERS, EXACT, compare  # noqa: E402
from compare import error_of, is_syntax_error, parse  # noqa: E402
from peers import Peer, flat_demo  # noqa: E402

RECORDINGS = pathlib.Path(__file__).resolve().parent.parent / "data" / "qmp-qemu-7.2.jsonl"
CUT_AT = 4000  # characters of a reply that a recording holds
QUIET = 0.03  # seconds without a further reply
COMMAND = re.compile(rb"""["']exec(?:ute|-oob)["']\s*:\s*["']((?:\\.|[^"'\\])*)["']""")
OOB_ENABLED = re.compile(rb'"enable"\s*:\s*\[\s*"oob"(\s*,\s*"oob")*\s*\]')
# Errors that are found before a command is looked up, or because it is not found.
BEFORE_COMMANDS = re.compile(r"JSON |QMP input |The command .* has not been found$|Expecting cap")


@dataclasses.dataclass
class Recording:
    name: str
    sent: bytes
    received: str
    negotiated: str  # "no", "yes", or "oob": with that capability
    vm: str
    writes: int  # into so many parts it was cut
    gap: float  # seconds between them
    closed: bool  # the client ended its side
    sent_is_cut: bool

    @property
    def received_is_cut(self):
        return len(self.received) >= CUT_AT or self.received.rstrip().endswith("...")

    @property
    def lines(self):
        """The whole lines of the replies."""
        lines = self.received.splitlines(keepends=True)
        return lines[:-1] if self.received_is_cut else lines


def read(path):
    recordings = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            case = json.loads(line)
            recordings.append(
                Recording(
                    name=case["case"],
                    sent=base64.b64decode(case["sent"]),
                    received=case["received"],
                    negotiated=case["negotiated"],
                    vm=case["vm"],
                    writes=case.get("writes") or 1,
                    gap=case.get("gap") or 0,
                    closed=case.get("closed", False),
                    sent_is_cut="sent_truncated_from" in case,
                )
            )
    return recordings


# ---- which apply --------------------------------------------------------------------------------


def unescaped(name):
    """A command's name as it is written in a request."""
    with contextlib.suppress(ValueError):
        return json.loads(b'"' + name.replace(b"\\'", b"'") + b'"')
    return name.decode("ascii", "replace")


def errors_of(recording):
    """The description of each error, and None for each other reply."""
    errors = [error_of(reply) for reply in map(parse, recording.lines)]
    return [error and error[1] for error in errors]


def foreign_command(recording, commands):
    """A command that we don't have, and that QEMU looked at."""
    errors = errors_of(recording)
    if errors and all(error and BEFORE_COMMANDS.match(error) for error in errors):
        return None
    for name in map(unescaped, COMMAND.findall(recording.sent)):
        if name not in commands and f"The command {name} has not been found" not in errors:
            return name
    return None


def not_for_us(recording, commands):
    """Why it can't be compared with ours, or None."""
    if recording.sent_is_cut:
        return "the recording holds only a part of what was sent"
    if recording.negotiated == "oob":
        return "needs the capability 'oob', which we don't offer"
    if OOB_ENABLED.search(recording.sent):
        return "enables the capability 'oob', which we don't offer"
    if recording.received.startswith("{\r\n"):
        return "pretty-printed: an option of QEMU's"
    if not recording.sent and not recording.received.startswith('{"QMP"'):
        return "nothing was sent: what another client's command, or its being there, caused"
    command = foreign_command(recording, commands)
    if command:
        return "a command that we don't have"
    if recording.vm == "machine-none-tcg":
        return "a VM without KVM, vCPUs and name, which the demo can't be"
    if recording.received_is_cut and not recording.lines:
        return "the recording holds only a part of the reply"
    return None


# ---- replaying ----------------------------------------------------------------------------------


def parts(recording):
    size = -(-len(recording.sent) // recording.writes) or 1
    return [recording.sent[i : i + size] for i in range(0, len(recording.sent), size)]


def replay(path, recording):
    """Our lines, or the greeting if nothing was sent."""
    peer = Peer(path, negotiated=recording.negotiated == "yes")
    for part in parts(recording):
        peer.send(part)
        time.sleep(recording.gap)
    if recording.closed:
        peer.socket.shutdown(socket.SHUT_WR)
    lines = peer.read_lines(len(recording.lines), QUIET) if recording.sent else [peer.greeting]
    peer.stop()
    return lines


def without_capabilities(lines):
    """A greeting without what QEMU offers and we don't."""
    return [re.sub(r'"capabilities": \[[^]]*\]', '"capabilities": []', line) for line in lines]


def replay_and_compare(path, recording):
    theirs, ours = recording.lines, replay(path, recording)
    if not recording.sent:
        theirs = without_capabilities(theirs)
    if recording.received_is_cut and is_syntax_error(parse(theirs[-1])):
        ours = ours[: len(theirs)]
    return compare(theirs, ours)


def command_names(path):
    peer = Peer(path)
    peer.send(b'{"execute": "query-commands"}')
    names = {command["name"] for command in json.loads(peer.read_line())["return"]}
    peer.stop()
    return names


@dataclasses.dataclass
class Results:
    total: int = 0
    not_for_us: dict = dataclasses.field(default_factory=dict)  # name: why
    verdicts: dict = dataclasses.field(default_factory=dict)  # name: Verdict

    def of(self, agreement):
        return {n: v for n, v in self.verdicts.items() if v.agreement == agreement}

    @property
    def syntax_by_class(self):
        return [v for v in self.verdicts.values() if v.is_syntax]

    @property
    def share_of_agreement(self):
        """The share that agrees: exactly, or by class where it is an error of JSON syntax."""
        agree = len(self.of(EXACT)) + len(self.syntax_by_class)
        return agree / len(self.verdicts)


def replay_all(recordings, path):
    results = Results(total=len(recordings))
    commands = command_names(path)
    for recording in recordings:
        reason = not_for_us(recording, commands)
        if reason:
            results.not_for_us[recording.name] = reason
        else:
            results.verdicts[recording.name] = replay_and_compare(path, recording)
    return results


# ---- the table ----------------------------------------------------------------------------------


def table(results):
    other_order = sum(v.order_differs for v in results.verdicts.values())
    lines = [
        f"recordings           {results.total}",
        f"  apply              {len(results.verdicts)}",
        f"    exact            {len(results.of(EXACT))}  ({other_order} but for the order)",
        f"    by class only    {len(results.of(BY_CLASS))}"
        f"  ({len(results.syntax_by_class)} of them JSON syntax)",
        f"    differ           {len(results.of(DIFFERS))}",
        f"  agree              {results.share_of_agreement:.1%}",
    ]
    for agreement in (DIFFERS, BY_CLASS):
        lines += ["", f"{agreement}:"]
        lines += [f"  {name}\n    {v.reason}" for name, v in results.of(agreement).items()]
    lines += ["", "do not apply:"]
    for reason, n in collections.Counter(results.not_for_us.values()).most_common():
        lines.append(f"  {n:4} {reason}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("recordings", nargs="?", default=RECORDINGS, help="a file of recordings")
    parser.add_argument("--socket", help="of a server that runs already (default: start a demo)")
    options = parser.parse_args()

    recordings = read(options.recordings)
    if options.socket:
        results = replay_all(recordings, options.socket)
    else:
        directory = tempfile.mkdtemp(prefix="vitals-replay-")
        demo = flat_demo(directory)
        try:
            results = replay_all(recordings, demo.path)
        finally:
            demo.stop()
            shutil.rmtree(directory)
    print(table(results))
    return 0 if results.share_of_agreement >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
