#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows what vitals does, in a few seconds: runs `vitals demo` and talks QMP with it.

Usage: scripts/demo.py build/vitals

Where no VM can be run, it says why and shows recorded statistics instead; every heading is
then marked [recorded].
"""

import contextlib
import errno
import json
import os
import pathlib
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

WIDTH = 100
VCPUS = 5
SHOWN = 3  # elements of a long list
TIMEOUT = 10  # seconds that an answer may take
HISTOGRAM = "halt_wait_hist"
ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDING = ROOT / "tests" / "data" / "recording"

COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
BOLD, DIM, GREEN, CYAN = "1", "2", "32", "36"


class DemoError(Exception):
    """What went wrong, in words for the user."""


# ---- text ---------------------------------------------------------------------------------------


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOR else text


def say(text):
    print(textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def heading(text, recorded):
    line = f"── {'[recorded] ' if recorded else ''}{text} "
    print()
    print(paint(BOLD, line + "─" * (WIDTH - len(line))))
    print()


def indented(items):
    """The lines of several items of a JSON object or array, with the commas between them."""
    lines = []
    for number, item in enumerate(items, 1):
        lines += ["  " + line for line in item]
        if number < len(items):
            lines[-1] += ","
    return lines


def packed(texts, room):
    """The members of an object on as few lines as they need, or None if one is too long."""
    lines = ["{" + texts[0]]
    for text in texts[1:]:
        lines[-1] += ","
        if len(lines[-1] + text) + 2 <= room:
            lines[-1] += " " + text
        else:
            lines.append(" " + text)
    lines[-1] += "}"
    return lines if all(len(line) <= room for line in lines) else None


def pretty_object(value, room, shown):
    """On several lines. A long last member goes on behind the others, if these leave it a line."""
    members = [(json.dumps(key) + ": ", pretty(value[key], room - 2, shown)) for key in value]
    *others, (name, last) = members
    short = all(len(lines) == 1 for _, lines in others)
    if short and len(last) > 1:
        start = "{" + "".join(other + lines[0] + ", " for other, lines in others) + name
        if len(start + last[0]) <= room:
            return [start + last[0]] + last[1:-1] + [last[-1] + "}"]
    elif short:
        lines = packed([name + lines[0] for name, lines in members], room)
        if lines:
            return lines
    return ["{"] + indented([[name + lines[0]] + lines[1:] for name, lines in members]) + ["}"]


def pretty_array(value, room, shown):
    items = [pretty(element, room - 3, shown) for element in value[:shown]]
    left = len(value) - len(items)
    more = ["  " + paint(DIM, f"… {left} more")] if left else []
    return ["["] + indented(items) + more + ["]"]


def pretty(value, room, shown):
    """Lines of JSON: what fits stays on one line. Of a long array only @shown elements are there."""
    text = json.dumps(value)
    if isinstance(value, list) and len(value) > (shown or len(value)):
        if isinstance(value[0], dict):
            return pretty_array(value, room, shown)
    if len(text) <= room or not value or not isinstance(value, (dict, list)):
        return [text]
    return (pretty_object if isinstance(value, dict) else pretty_array)(value, room, shown)


def show(arrow, color, message, shown):
    for i, line in enumerate(pretty(message, WIDTH - 3, shown)):
        print((paint(color, arrow) if i == 0 else "  ") + " " + line)


# ---- QMP ----------------------------------------------------------------------------------------


class Qmp:
    """A client: connects, and sends one command at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.greeting = self.receive()

    def close(self):
        self.file.close()
        self.socket.close()

    def receive(self):
        line = self.file.readline()
        if not line:
            raise DemoError("the server closed the connection")
        return json.loads(line)

    def send(self, request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return self.receive()


def result_of(reply):
    if "return" not in reply:
        raise DemoError(f"the server refused: {reply.get('error', reply)}")
    return reply["return"]


# ---- the program --------------------------------------------------------------------------------


def vm_problem():
    """Why no VM can be run here, or None."""
    if platform.machine() not in ("x86_64", "amd64"):
        return f"The guest is code for x86-64, and this is {platform.machine()}."
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            advice = (
                "Join the group that owns it (often: usermod -a -G kvm USER) and log in again, or "
                "run this as root."
            )
        else:
            advice = (
                "Load KVM's module (modprobe kvm_intel, or kvm_amd); if that fails, enable "
                "virtualisation in the firmware or, inside a VM, nested virtualisation."
            )
        return f"/dev/kvm can't be opened: {error.strerror}. {advice}"
    return None


@contextlib.contextmanager
def running(command):
    """Runs the program until it has said that it serves; at the end it must exit well."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if not line:
            raise DemoError(f"{command[0]} did not start, exit status {process.wait(TIMEOUT)}")
        yield line.strip()
    except BaseException:
        process.kill()
        raise
    else:
        process.send_signal(signal.SIGTERM)
        if process.wait(TIMEOUT) != 0:
            raise DemoError(f"{command[0]} ended with exit status {process.returncode}")
    finally:
        process.stdout.close()
        process.wait()


# ---- screens ------------------------------------------------------------------------------------


def negotiate(qmp, recorded):
    heading("Connect", recorded)
    say("The server greets, and the client says which capabilities it wants. Here: none.")
    print()
    show("<-", GREEN, qmp.greeting, None)
    request = {"execute": "qmp_capabilities"}
    show("->", CYAN, request, None)
    reply = qmp.send(request)
    show("<-", GREEN, reply, None)
    result_of(reply)


COMMANDS = [
    (
        "The VM's statistics",
        "All providers answer: 'kvm' is the kernel, 'demo' is this VMM's own.",
        {"execute": "query-stats", "arguments": {"target": "vm"}},
    ),
    (
        "The vCPUs' statistics",
        "The same for each vCPU.",
        {"execute": "query-stats", "arguments": {"target": "vcpu"}},
    ),
    (
        "Some statistics of some vCPUs",
        "Nothing else is read. Provider 'demo' and its 'demo_exits_handled' stand where the "
        "proposal's example has 'xyz' and 'somestat'.",
        {
            "execute": "query-stats",
            "arguments": {
                "target": "vcpu",
                "vcpus": ["/machine/unattached/device[2]", "/machine/unattached/device[4]"],
                "filters": [
                    {"provider": "kvm", "fields": ["l1d_flush", "exits"]},
                    {"provider": "demo", "fields": ["demo_exits_handled"]},
                ],
            },
        },
    ),
    (
        "The schemas",
        "What the statistics are: type, unit, scale, and the bucket width of linear histograms.",
        {"execute": "query-stats-schemas"},
    ),
]


def run_commands(qmp, recorded):
    for number, (title, text, request) in enumerate(COMMANDS, 1):
        heading(f"{number}. {title}", recorded)
        say(text)
        print()
        show("->", CYAN, request, None)
        reply = qmp.send(request)
        show("<-", GREEN, reply, SHOWN)
        result_of(reply)


def show_verb(program, path, text, *words):
    """What a verb of the program prints of the same VM."""
    command = [program, *words, "--socket", path]
    say(text)
    print()
    print(paint(BOLD, "$ " + " ".join(command)))
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False)
    if result.returncode != 0:
        raise DemoError(f"{program} {words[0]} ended with exit status {result.returncode}")
    print(result.stdout.rstrip())


def show_verbs(program, path, recorded):
    heading("A histogram", recorded)
    show_verb(program, path, "How long the halted vCPU waited to be woken, from the first bucket that "
              "has something to the last.", "hist", HISTOGRAM, "--vcpu", "0")  # fmt: skip
    heading("Who does what", recorded)
    show_verb(program, path, "What each vCPU did in a second. On a terminal this is a live view.",
              "top", "-b", "-n", "1", "-i", "1")  # fmt: skip


def show_next_steps(program, recorded):
    heading("What to try next", recorded)
    socket_path = "/tmp/vitals.sock"
    options = f" --recording {os.path.relpath(RECORDING)}" if recorded else ""
    for command, text in [
        (f"{program} demo{options} --qmp {socket_path}", "serves until you press ^C; meanwhile,"),
        (f"{program} top --socket {socket_path}", "in another terminal: Enter goes into a VM, h helps"),
        (f"{program} hist --socket {socket_path}", "where the time goes, in bars"),
        (f"{program} doctor", "what this host lacks for statistics of its VMs, if anything"),
        (f"socat READLINE UNIX-CONNECT:{socket_path}", "type the commands that are shown above"),
        ("less README.md HACKING.md", "what it is for, and how to work on it"),
    ]:
        print(f"  {paint(BOLD, command)}")
        print(f"      {text}")


def demo(program):
    problem = vm_problem()
    recorded = problem is not None
    if recorded:
        say(problem)
        say("Recorded statistics are shown instead.")
        source = ["--recording", os.path.relpath(RECORDING)]
    else:
        source = ["--vcpus", str(VCPUS), "--guest", "work"]
    with tempfile.TemporaryDirectory(prefix="vitals-demo-") as directory:
        path = os.path.join(directory, "qmp.sock")
        command = [program, "demo", *source, "--qmp", path]
        heading("Start", recorded)
        say("$ " + " ".join(command))
        with running(command) as line, contextlib.closing(Qmp(path)) as qmp:
            say(line)
            # So that the guest has done something; or to be in the middle between two frames.
            time.sleep(0.5 if recorded else 1)
            negotiate(qmp, recorded)
            run_commands(qmp, recorded)
            show_verbs(program, path, recorded)
    show_next_steps(program, recorded)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip(), file=sys.stdout if "--help" in sys.argv else sys.stderr)
        return 0 if "--help" in sys.argv else 2
    try:
        demo(sys.argv[1])
    except DemoError as error:
        problem = str(error)
    except (OSError, ValueError, LookupError, subprocess.TimeoutExpired) as error:
        problem = f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    sys.stdout.flush()
    print(f"demo.py: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
