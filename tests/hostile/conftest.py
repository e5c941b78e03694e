# SPDX-License-Identifier: MIT
"""What the attacks share: each is made on this kernel as it is, and as one without SO_PASSRIGHTS."""

import os
import time

import old_kernel
import pytest
from honest import Honest

from support.programs import TEST_SERVER, InputEnded, Server, stat


class ServerOnKernel(Server):
    """The test server, on this kernel or what it takes for an older one."""

    def __init__(self, directory, before_start=None, clients_max=0, memory_max=0):
        path = os.path.join(directory, f"server-{time.monotonic_ns()}.sock")
        command = [TEST_SERVER, path, "", str(clients_max), str(memory_max)]
        super(InputEnded, self).__init__(command, directory, preexec_fn=before_start)
        self.path = path
        assert self.read_line() == "ok 0", self.log()


@pytest.fixture(params=["this kernel", "without SO_PASSRIGHTS"])
def before_start(request):
    """What a program under attack calls before it starts."""
    return old_kernel.pretend if request.param == "without SO_PASSRIGHTS" else None


@pytest.fixture
def attacked(programs, before_start):
    """Starts a server with one statistic of its VM."""

    def start(**keywords):
        server = programs.keep(ServerOnKernel(programs.directory, before_start, **keywords))
        server.tell("register", "sched/vm", stat("runs"))
        server.tell("row", "sched/vm", "vm", 1)
        return server

    return start


@pytest.fixture
def honest(programs):
    """A client that means well."""
    return lambda server: programs.keep(Honest(server.path))
