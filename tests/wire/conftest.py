# SPDX-License-Identifier: MIT
import pytest

from support import recordings


@pytest.fixture
def recording(programs):
    """A recording of one frame."""
    return recordings.write(programs.path("recording"))
