# SPDX-License-Identifier: MIT
"""Recordings that `vitals demo --recording` shows, so that a demo needs no KVM."""

import pathlib

from support import stats_file
from support.stats_file import Stat

VCPUS = 3


def device(index):
    return f"/machine/unattached/device[{index}]"


def vm_stats(frame):
    return [
        Stat("pages_4k", type=1, values=[500 + frame]),
        Stat("remote_tlb_flush", values=[1000 * frame]),
    ]


def vcpu_stats(frame, index):
    return [
        Stat("exits", values=[10_000 * frame + index]),
        Stat("guest_mode", type=1, unit=4, values=[index % 2]),
        Stat("halt_wait_ns", unit=2, exponent=-9, values=[2**40 + frame]),
        Stat("halt_wait_hist", type=4, unit=2, exponent=-9, values=[frame, index, *range(30)]),
    ]


def write(directory, frames=1):
    """Makes a recording of a VM. Returns its path."""
    directory = pathlib.Path(directory)
    directory.mkdir()
    for frame in range(frames):
        (directory / f"vm.{frame}").write_bytes(stats_file.build(vm_stats(frame), "kvm-1"))
        for i in range(VCPUS):
            data = stats_file.build(vcpu_stats(frame, i), f"kvm-1/vcpu-{i}")
            (directory / f"vcpu{i}.{frame}").write_bytes(data)
    return str(directory)
