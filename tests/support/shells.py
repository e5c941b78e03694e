# SPDX-License-Identifier: MIT
"""Shells on a terminal of their own, with the completion of vitals: what becomes of what is typed."""

import contextlib
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import time

from support.programs import TIMEOUT, VITALS

MARK = "\x18\x10"  # two keys that no completion takes: the shell shows its line

# What makes a shell ready, and how it shows its line: between <LINE: and :LINE>.
READY = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             "PS1='> '; bind 'set bell-style none'; source <(vitals completion bash); bind -x "
             "'\"\\C-x\\C-p\": printf \"<LINE%s%s:LINE>\\n\" : \"$READLINE_LINE\"'; "),
    "zsh": (["zsh", "-f", "-i"],
            "PS1='> '; unsetopt beep; autoload -U compinit; compinit -u -D; "
            "source <(vitals completion zsh); show() { print -r -- \"<LINE\":\"$BUFFER:LINE>\" }; "
            "zle -N show; bindkey '^X^P' show; "),
}  # fmt: skip


class Shell:
    """One that is interactive."""

    def __init__(self, name, directory, **environment):
        command, ready = READY[name]
        assert shutil.which(name), f"{name} is missing"
        self.text = ""
        path = f"{pathlib.Path(VITALS).parent}:{os.environ['PATH']}"
        variables = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}
        variables |= {"PATH": path, "TERM": "dumb", "HOME": str(directory), **environment}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(command[0], command, variables)
        self.send(ready + "echo REA''DY\n")
        self.read_until("READY")

    def send(self, text):
        os.write(self.fd, text.encode())

    def read_until(self, text):
        end = time.monotonic() + TIMEOUT
        while text not in self.text:
            readable, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert readable, f"no {text!r} in {self.text!r}"
            self.text += os.read(self.fd, 4096).decode("utf-8", "replace")
        before, self.text = self.text.split(text, 1)
        return before

    def complete(self, text):
        """What the line is once the tabulator has been pressed."""
        self.send(text + "\t" + MARK)
        self.read_until("<LINE:")
        return self.read_until(":LINE>")

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def fish(line, **environment):
    """What fish offers for the last word of the line."""
    assert shutil.which("fish"), "fish is missing"
    path = f"{pathlib.Path(VITALS).parent}:{os.environ['PATH']}"
    variables = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}
    done = subprocess.run(
        ["fish", "--no-config", "-c", "vitals completion fish | source; complete -C $argv[1]", line],
        env={**variables, "PATH": path, **environment}, capture_output=True, text=True,
        timeout=TIMEOUT, check=True,
    )  # fmt: skip
    return [offered.split("\t")[0] for offered in done.stdout.splitlines()]
