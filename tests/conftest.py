# SPDX-License-Identifier: MIT
"""What the tests of the wire and those on KVM share."""

import pytest

from support.browser import CHROMIUM, Browser
from support.kernel_reader import missing_for_host
from support.programs import Programs


@pytest.fixture(scope="session")
def readable_host():
    """Skips a test where VMs can't be made, or other users' not be read."""
    if missing_for_host():
        pytest.skip(missing_for_host())


@pytest.fixture
def programs():
    """Starts programs and clients, and ends them with the test."""
    started = Programs()
    yield started
    started.close()


@pytest.fixture
def server(programs):
    """A test server without any provider."""
    return programs.server()


@pytest.fixture
def client(programs, server):
    """A client of it that has negotiated."""
    return programs.client(server)


@pytest.fixture
def browser(programs):
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    browser = programs.keep(Browser(programs.directory))
    browser.look(1280, 800)
    return browser
