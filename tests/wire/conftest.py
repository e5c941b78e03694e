# SPDX-License-Identifier: MIT
import pathlib

import pytest

from support import introspection, recordings

HERE = pathlib.Path(__file__).parent


@pytest.fixture
def recording(programs):
    """A recording of one frame."""
    return recordings.write(programs.path("recording"))


def is_whole_run(request):
    """Whether all tests of this directory run, and not some that were picked by hand."""
    run = {item.path for item in request.session.items}
    picks = request.config.getoption("keyword") or any("::" in word for word in request.config.args)
    return not picks and run >= set(HERE.glob("test_*.py"))


@pytest.fixture(autouse=True, scope="session")
def every_command_returns(request):
    """A command that is listed, and that no test makes return something, fails the run."""
    yield
    if is_whole_run(request):
        assert set(introspection.listed) == {"grouped", "flat"}
        assert introspection.never_answered() == []
