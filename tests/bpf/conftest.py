# SPDX-License-Identifier: MIT
import pytest

from support.kernel_reader import BareVmm, Host, Reader


@pytest.fixture(autouse=True, scope="session")
def kvm(readable_host):
    """All tests need it."""


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
