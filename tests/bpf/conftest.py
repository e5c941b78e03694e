# SPDX-License-Identifier: MIT
import os

import pytest

from support.kernel_reader import BareVmm, Host, Reader


@pytest.fixture(autouse=True, scope="session")
def kvm():
    """Skips all tests where VMs can't be made, or other users' not be read."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        pytest.skip(f"/dev/kvm can't be opened: {error.strerror}")
    if os.geteuid() != 0:
        pytest.skip("reading the VMs of a host from the kernel is tested as root")


@pytest.fixture
def reader(programs):
    """Reads VMs from the kernel."""
    reader = programs.keep(Reader(programs.directory))
    assert reader.missing == 0, reader.text
    return reader


@pytest.fixture
def vmm(programs):
    """Starts a VMM that knows nothing of vitals."""
    return lambda *options, **words: programs.keep(BareVmm(programs.directory, *options, **words))


@pytest.fixture
def host(programs):
    return Host(programs.directory)
