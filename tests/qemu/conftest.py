# SPDX-License-Identifier: MIT
import shutil
import tempfile

import pytest

from peers import Peer, Qemu, flat_demo, missing_kvm, missing_qemu


@pytest.fixture(scope="session")
def directory():
    path = tempfile.mkdtemp(prefix="vitals-test-")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def demo(directory):
    """`vitals demo` in QEMU's dialect."""
    if missing_kvm():
        pytest.skip(missing_kvm())
    demo = flat_demo(directory)
    yield demo
    demo.stop()


@pytest.fixture(scope="session")
def qemu(directory):
    """A real QEMU; it has one client at a time."""
    if missing_qemu():
        pytest.skip(missing_qemu())
    qemu = Qemu(directory)
    yield qemu
    qemu.stop()


@pytest.fixture
def ours(demo):
    peer = Peer(demo.path)
    yield peer
    peer.stop()


@pytest.fixture
def theirs(qemu):
    peer = Peer(qemu.path)
    yield peer
    peer.stop()
