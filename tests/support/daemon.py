# SPDX-License-Identifier: MIT
"""`vitals serve` in a directory of its own."""

import contextlib
import os

from support.programs import VITALS, Program, listens, wait_until


class Daemon(Program):
    """Serves when the constructor returns, unless it has refused; then `ready` is false."""

    def __init__(self, directory, *options, run_directory=None, around=(), **words):
        self.run_directory = run_directory or os.path.join(directory, "run")
        os.chmod(directory, 0o711)
        command = [*around, VITALS, "serve", "--run-dir", self.run_directory, *map(str, options)]
        super().__init__(command, directory, **words)
        try:
            self.announcement = self.read_line()
        except AssertionError:
            self.kill()
            raise

    @property
    def ready(self):
        return bool(self.announcement)

    def directory(self, name):
        return os.path.join(self.run_directory, "vms", name)

    def socket(self, name, file="qmp.sock"):
        return os.path.join(self.directory(name), file)

    def names(self):
        """The directories that there are, of this test's VMs or of any other."""
        return {name for name in os.listdir(os.path.join(self.run_directory, "vms")) if name[0] != "."}

    def has(self, name):
        """Whether both sockets are served."""
        return all(listens(self.socket(name, file)) for file in ("qmp.sock", "qemu.sock"))

    def n_files(self):
        """Without sockets, of which each VM of the host has some, also one of others; and without a pass's."""
        links = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(f"/proc/{self.pid}/fd/{name}"))
        return sum(not link.startswith(("socket:", "anon_inode:bpf")) for link in links)

    def wait_for(self, *names):
        for name in names:
            wait_until(lambda name=name: self.has(name), f"{name} has its sockets")

    def wait_without(self, *names):
        wait_until(lambda: not self.names() & set(names), f"{names} have no sockets any more")
