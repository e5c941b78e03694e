# SPDX-License-Identifier: MIT
import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def kvm():
    """Skips all tests where /dev/kvm can't be opened."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        pytest.skip(f"/dev/kvm can't be opened: {error.strerror}")
