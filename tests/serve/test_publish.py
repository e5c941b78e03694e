# SPDX-License-Identifier: MIT
"""A VMM that registers its VM by the one call of libvitals, with daemons that come and go."""

import os
import signal

import pytest

from support.programs import EXAMPLE_PUBLISH, InputEnded, wait_until
from test_host_socket import told


@pytest.fixture
def example(programs, run_directory, name):
    path = os.path.join(run_directory, "register.sock")
    return programs.keep(InputEnded([EXAMPLE_PUBLISH, name, path], programs.directory, path))


def shown(daemon, programs, name):
    """With its vCPU, of which the daemon is told behind the VM."""
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    wait_until(lambda: (found := told(host, name)) and found["vcpus"] == 1, "it is shown")
    return told(host, name)


def test_it_is_shown_as_it_has_said(programs, example, serve, name):
    daemon = serve()
    vm = shown(daemon, programs, name)
    assert (vm["way"], vm["vmm"], vm["pid"]) == ("registered", "example", example.pid)
    example.process.stdin.close()
    daemon.wait_without(name)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_comes_back_with_the_daemon(programs, example, serve, name, end):
    for _ in range(3):
        daemon = serve()
        assert shown(daemon, programs, name)
        os.kill(daemon.pid, end)
        wait_until(lambda daemon=daemon: daemon.process.poll() is not None, "the daemon has ended")
        daemon.ended = True


def test_nobody_waits_for_a_daemon_that_is_stopped(example, serve, name):
    daemon = serve()
    daemon.wait_for(name)
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        example.stop()
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    daemon.wait_without(name)
