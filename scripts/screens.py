#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the pictures of `vitals top` for the documentation, of two demo VMs on /dev/kvm.

Writes docs/screens/*.txt, as they are on the terminal, and docs/top.svg, with colours. Needs tmux.
"""

import argparse
import html
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
SIZES = [(80, 24), (200, 50)]
TIMEOUT = 20

# ---- the picture --------------------------------------------------------------------------------

CELL_WIDTH, LINE_HEIGHT, MARGIN = 8, 17, 12
FOREGROUND, BACKGROUND = "#d8dee9", "#1c2128"
COLOURS = {31: "#ff7b72", 32: "#7ee787", 36: "#79c0ff"}


def spans(line, state):
    """(text, state) of each part of a line of `capture-pane -e`; the state goes on behind it."""
    for text, codes in re.findall(r"([^\033]+)|\033\[([\d;]*)m", line):
        if text:
            yield text, frozenset(state)
            continue
        for code in map(int, codes.split(";") if codes else [0]):
            if code == 0:
                state.clear()
            elif 30 <= code < 40:
                state -= {old for old in state if 30 <= old < 40}
                state |= {code} - {39}
            else:
                state.add(code)


def draw_span(text, style, column, row):
    """A part of a line, at its place in cells."""
    colour = next((COLOURS[code] for code in style if code in COLOURS), FOREGROUND)
    x, y, width = MARGIN + column * CELL_WIDTH, MARGIN + row * LINE_HEIGHT, len(text) * CELL_WIDTH
    if 7 in style:  # reverse
        yield f'<rect x="{x}" y="{y}" width="{width}" height="{LINE_HEIGHT}" fill="{colour}"/>'
        colour = BACKGROUND
    if text.strip():
        weight = ' font-weight="bold"' if 1 in style else ""
        opacity = ' opacity="0.6"' if 2 in style else ""
        yield (
            f'<text x="{x}" y="{y + 13}" textLength="{width}" xml:space="preserve" '
            f'fill="{colour}"{weight}{opacity}>{html.escape(text)}</text>'
        )


def draw(screen, columns):
    """An SVG of a screen with its escape sequences."""
    lines = screen.rstrip("\n").split("\n")
    width = 2 * MARGIN + columns * CELL_WIDTH
    height = 2 * MARGIN + len(lines) * LINE_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="monospace" font-size="13">',
        f'<rect width="{width}" height="{height}" rx="6" fill="{BACKGROUND}"/>',
    ]
    state = set()
    for row, line in enumerate(lines):
        column = 0
        for text, style in spans(line, state):
            parts += draw_span(text, style, column, row)
            column += len(text)
    return "\n".join([*parts, "</svg>", ""])


# ---- the terminal -------------------------------------------------------------------------------


class Terminal:
    """A tmux server of our own with one window."""

    def __init__(self, directory, command, columns, lines):
        self.socket = os.path.join(directory, f"tmux-{columns}")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", lines, *command)

    def tmux(self, *words):
        environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        return subprocess.run(
            ["tmux", "-u", "-S", self.socket, *map(str, words)],
            env={**environment, "LC_ALL": "C.UTF-8"}, stdout=subprocess.PIPE, text=True, check=True,
        ).stdout  # fmt: skip

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def wait_for(self, pattern):
        deadline = time.monotonic() + TIMEOUT
        while not re.search(pattern, self.text(), re.MULTILINE):
            if time.monotonic() > deadline:
                sys.exit(f"{pattern!r} does not come:\n{self.text()}")
            time.sleep(0.05)

    def close(self):
        self.tmux("kill-server")


def save(terminal, name, columns, lines):
    path = DOCS / "screens" / f"{name}-{columns}x{lines}.txt"
    shown = "\n".join(line.rstrip() for line in terminal.text().rstrip("\n").split("\n"))
    path.write_text(shown + "\n", "utf-8")


def take(terminal, columns, lines):
    """All screens in one size: down the levels, then the help."""
    terminal.wait_for(r"^web1 .*%")
    save(terminal, "vms", columns, lines)
    terminal.press("Enter")
    terminal.wait_for(r"^vcpu 1 .*%")
    save(terminal, "vcpus", columns, lines)
    terminal.press("j", "Enter")
    terminal.wait_for(r"^exits .*/s")
    save(terminal, "statistics", columns, lines)
    terminal.press("/", "halt_wait_hist", "Enter", "Enter", "t")
    terminal.wait_for(r"p99")
    save(terminal, "histogram", columns, lines)
    if (columns, lines) == SIZES[0]:
        (DOCS / "top.svg").write_text(draw(terminal.text("-e", "-N"), columns), "utf-8")
    terminal.press("h")
    terminal.wait_for(r"Any key goes back")
    save(terminal, "help", columns, lines)


# ---- the VMs ------------------------------------------------------------------------------------


def start_demo(vitals, directory, name, *options):
    demo = subprocess.Popen(
        [vitals, "demo", "--name", name, "--qmp", f"{directory}/{name}.sock", *options],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    if not demo.stdout.readline():
        sys.exit(demo.wait())
    return demo


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("vitals", help="the program: build/vitals")
    vitals = os.path.abspath(parser.parse_args().vitals)
    (DOCS / "screens").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        demos = [
            start_demo(vitals, directory, "web1", "--vcpus", "4"),
            start_demo(vitals, directory, "db", "--vcpus", "2", "--guest", "halted"),
        ]
        try:
            for columns, lines in SIZES:
                command = [vitals, "top", "--socket", f"{directory}/web1.sock",
                           "--socket", f"{directory}/db.sock"]  # fmt: skip
                terminal = Terminal(directory, command, columns, lines)
                try:
                    take(terminal, columns, lines)
                finally:
                    terminal.close()
        finally:
            for demo in demos:
                demo.terminate()
                demo.wait()


if __name__ == "__main__":
    main()
