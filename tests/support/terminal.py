# SPDX-License-Identifier: MIT
"""`vitals top` on a terminal of its own, which tmux plays."""

import os
import shutil
import subprocess

import pytest

from support.programs import TIMEOUT, VITALS, assert_no_reports, wait_until


class Terminal:
    """A tmux server with one window, in which a shell has run vitals top."""

    def __init__(self, programs, *options, width=80, height=24, variables=""):
        self.socket = programs.path("tmux.sock")
        self.status = programs.path("status")
        script = (
            f"ulimit -c 0; stty -a > {self.status}.before; "
            f"{variables} '{VITALS}' top {' '.join(map(str, options))} "
            f"2> {self.status}.errors & echo $! > {self.status}.pid; fg > /dev/null; "
            f"status=$?; stty -a > {self.status}.after; echo $status > {self.status}; "
            f"read; fg > /dev/null; echo $? > {self.status}.second; cat"
        )
        environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height,
                  "bash", "-m", "-c", script,
                  env={**environment, "LC_ALL": "C.UTF-8"})  # fmt: skip

    def tmux(self, *words, **options):
        command = ["tmux", "-S", self.socket, *map(str, words)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, check=True, **options
        ).stdout

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def text(self):
        return self.tmux("capture-pane", "-p")

    def wait_for(self, *parts):
        """The text of the screen, once it has all of these."""
        wait_until(lambda: all(part in self.text() for part in parts), parts)
        return self.text()

    def settings(self):
        tty = self.tmux("display-message", "-p", "#{pane_tty}").strip()
        return subprocess.run(
            ["stty", "-F", tty, "-a"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    def read(self, suffix=""):
        with open(self.status + suffix, encoding="utf-8") as file:
            return file.read()

    def exit_status(self, suffix=""):
        path = self.status + suffix
        wait_until(lambda: os.path.exists(path) and self.read(suffix), "the end of vitals top")
        return int(self.read(suffix))

    def signal(self, number):
        os.kill(int(self.read(".pid")), number)

    def stop(self):
        """The programs in it end with their terminal."""
        self.tmux("kill-server")
        assert_no_reports(self.read(".errors"))


def start(programs, *options, **keywords):
    if not shutil.which("tmux"):
        pytest.fail("tmux is missing: it plays the terminal")
    return programs.keep(Terminal(programs, *options, **keywords))
