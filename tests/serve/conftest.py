# SPDX-License-Identifier: MIT
import os
import shutil
import sys

import pytest

from support import silent_fs
from support.daemon import Daemon
from support.kernel_reader import BareVmm
from support.programs import PRELOADED, VITALS, Program, words_of
from support.web import Web


@pytest.fixture(autouse=True, scope="session")
def kvm(readable_host):
    """All tests need it."""


@pytest.fixture
def vmm(programs):
    """Starts a VMM that knows nothing of vitals."""
    return lambda *options, **words: programs.keep(BareVmm(programs.directory, *options, **words))


@pytest.fixture
def start(programs):
    """Starts the daemon."""
    return lambda *options, **words: programs.keep(Daemon(programs.directory, *options, **words))


@pytest.fixture
def daemon(start):
    """One that runs as root's own."""
    daemon = start("--user", "root", "--group", "root")
    assert daemon.ready, daemon.log()
    return daemon


@pytest.fixture
def run_directory(programs):
    return programs.path("run")


@pytest.fixture
def serve(start, run_directory):
    """Starts such a daemon there, again and again."""

    def run():
        daemon = start("--user", "root", "--group", "root", run_directory=run_directory)
        assert daemon.ready, daemon.log()
        return daemon

    return run


@pytest.fixture
def around(programs):
    """Words before a VMM: `vitals run`."""

    def words(*options, run_directory=programs.path("nobody"), **environment):
        settings = {"VITALS_RUN_DIR": run_directory, "XDG_RUNTIME_DIR": programs.directory, **PRELOADED, **environment}
        return ["env", *words_of(settings), VITALS, "run", *options, "--"]

    return words


@pytest.fixture
def web(start):
    """The HTTP of one."""
    daemon = start("--user", "root", "--group", "root", "--metrics", "127.0.0.1:0")
    assert daemon.ready, daemon.log()
    return Web(daemon)


class Qemu(Program):
    """One that is still about to start when its VM is there."""

    def stop(self):
        if not self.ended:
            self.kill()


@pytest.fixture
def qemu(programs):
    """Starts a QEMU that nobody can ask, with a VM that does not run."""
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("qemu-system-x86_64 is not installed")

    def start(name, *options):
        command = ["qemu-system-x86_64", "-enable-kvm", "-nodefaults", "-display", "none", "-S", "-m", "16",
                   "-monitor", "none", "-name", f"guest={name},debug-threads=on", *options]  # fmt: skip
        return programs.keep(Qemu(command, programs.directory))

    return start


@pytest.fixture
def silent_file(programs):
    """The path of a file that can be opened, and never answers."""
    if not silent_fs.is_possible():
        pytest.skip("no file system can be mounted by FUSE")
    directory = programs.path("silent")
    os.mkdir(directory)
    server = programs.start([sys.executable, silent_fs.__file__, directory])
    assert server.read_line() == "ready", server.log()
    yield os.path.join(directory, "file")
    server.kill()
    silent_fs.unmount(directory)


@pytest.fixture
def name():
    """A VM's name that no other test has."""
    return f"web-{os.getpid()}"
