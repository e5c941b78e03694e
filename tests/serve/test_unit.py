# SPDX-License-Identifier: MIT
"""The unit that systemd starts the daemon by."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from support.kernel_reader import NOBODY
from support.programs import ROOT
from support.registrant import Registrant
from test_users import GROUP, STRANGER, as_user, can_use

SYSTEMD = ROOT / "packaging/systemd"
UNIT = SYSTEMD / "vitals.service.in"
WITH_HTTP = SYSTEMD / "metrics.conf.in"
WITH_SOCKETS = SYSTEMD / "sockets.conf"


@pytest.mark.parametrize("files, most", [([UNIT], 15), ([UNIT, WITH_HTTP], 20), ([UNIT, WITH_SOCKETS], 15)], ids=["alone", "with HTTP", "with sockets"])
def test_the_unit_confines_the_daemon(tmp_path, files, most):
    """By systemd's own measure: 0 is nothing that could be forbidden, 100 is all."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "vitals.service"
    text = "\n".join(file.read_text("utf-8") for file in files)
    unit.write_text(text.replace("@daemon@", "/usr/libexec/vitals/vitals-serve"), "utf-8")
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", unit]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-200:] + result.stderr
    assert "ignoring" not in result.stderr


def test_each_account_of_the_unit_is_made():
    """A host without udev has no group kvm, and the unit would not start there."""
    unit, sysusers = UNIT.read_text("utf-8"), (SYSTEMD / "vitals.sysusers").read_text("utf-8")
    accounts = set(re.findall(r"^(?:User|Group|SupplementaryGroups)=(\S+)", unit, re.MULTILINE))
    assert accounts <= set(re.findall(r"^[ug] (\S+)", sysusers, re.MULTILINE)) and "kvm" in accounts


def test_the_units_are_right(tmp_path):
    """What systemd itself finds wrong in them."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    for file in SYSTEMD.glob("*.socket"):
        shutil.copy(file, tmp_path)
    text = "".join(file.read_text("utf-8") for file in (UNIT, WITH_SOCKETS)).replace("@daemon@", "/bin/true")
    (tmp_path / "vitals.service").write_text(text, "utf-8")
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *tmp_path.iterdir()]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    mine = [line for line in result.stderr.splitlines() if "vitals" in line]
    assert result.returncode == 0 and not mine, result.stderr


HAND_OVER = """
import os, socket, sys
names, fds = sys.argv[1].split(":"), []
for path in sys.argv[2].split(":"):
    family = socket.AF_UNIX if path else socket.AF_NETLINK
    listener = socket.socket(family, socket.SOCK_STREAM if path else socket.SOCK_DGRAM, 0 if path else 15)
    listener.bind(path or (0, 1))
    if path:
        os.chmod(path, 0o666)
        listener.listen()
    fds.append(os.dup(listener.fileno()))
for at, fd in enumerate(fds):
    os.dup2(fd, 100 + at)
for at in range(len(fds)):
    os.dup2(100 + at, 3 + at)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names)}
os.execv(sys.argv[3], sys.argv[3:])
"""


def handing_over(names, paths):
    return [sys.executable, "-c", HAND_OVER, ":".join(names), ":".join(paths)]


def test_sockets_that_are_handed_over(programs, start, vmm):
    """The directory is root's then, as systemd makes it, and the sockets stay."""
    run = programs.path("run")
    os.makedirs(os.path.join(run, "vms"))
    os.chown(os.path.join(run, "vms"), NOBODY, NOBODY)
    paths = [os.path.join(run, "host.sock"), os.path.join(run, "register.sock"), ""]
    daemon = start("--user", "nobody", "--group", "nogroup", around=handing_over(["host", "register", "uevents"], paths))
    assert daemon.ready, daemon.log()
    vm = vmm()
    daemon.wait_for(f"bare-vmm-{vm.pid}")
    names = [each["name"] for each in programs.client(paths[0]).execute("query-vms")]
    assert f"bare-vmm-{vm.pid}" in names
    assert "QMP" in programs.keep(Registrant(paths[1])).read_message()
    daemon.stop()
    assert set(os.listdir(run)) == {"host.sock", "register.sock", "vms"}


def test_the_group_is_let_in_at_a_socket_that_is_handed_over(programs, start):
    """Whatever an earlier start, or who has made it, has let in."""
    run = programs.path("run")
    os.makedirs(os.path.join(run, "vms"))
    for directory in run, os.path.join(run, "vms"):
        os.chown(directory, NOBODY, NOBODY)
    host = os.path.join(run, "host.sock")
    around = [*as_user(NOBODY), *handing_over(["host"], [host])]
    daemon = start("--registered-only", "--group", "daemon", around=around)
    assert daemon.ready, daemon.log()
    assert [can_use(host, STRANGER, gid) for gid in (1, GROUP)] == [True, False]


def test_the_unit_may_change_the_sockets_that_are_handed_over():
    """ProtectSystem=strict forbids it to all that the unit does not name."""
    writable = re.findall(r"^ReadWritePaths=(\S+)", WITH_SOCKETS.read_text("utf-8"), re.MULTILINE)
    host = (SYSTEMD / "vitals-host.socket").read_text("utf-8")
    assert os.path.dirname(re.search(r"^ListenStream=(\S+)", host, re.MULTILINE)[1]) in writable


@pytest.mark.parametrize("name, is_socket", [("other", True), ("host", False), ("uevents", True)])
def test_a_socket_of_another_kind(programs, start, name, is_socket):
    path = programs.path("a.sock") if is_socket else ""
    daemon = start(around=handing_over([name], [path]))
    assert not daemon.ready and daemon.wait() == 1
    assert f"a socket that was handed over is called '{name}': FileDescriptorName= must be" in daemon.log()
