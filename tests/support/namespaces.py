# SPDX-License-Identifier: MIT
"""Running a program with mounts of its own."""

import os


def with_own_mounts(*options):
    """The words before the command. In a chroot the root is no mount, so its propagation can't be
    changed: whoever mounts there takes it away again."""
    words = ["unshare", "-m", *options] if os.geteuid() == 0 else ["unshare", "-r", "-m", *options]
    return words + ["--propagation", "unchanged"] if is_in_a_chroot() else words


def is_in_a_chroot():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        return all(mount.split()[4] != "/" for mount in mounts)
