# SPDX-License-Identifier: MIT
"""As whom the daemon runs, and who may use the sockets of a VM."""

import os
import pathlib
import stat
import subprocess

import pytest

from support.kernel_reader import NOBODY, process_status

GROUP = 65534  # "nogroup"
MEMBER, OWNER, STRANGER = 4321, 4322, 4323  # people, by /etc/login.defs
SYSTEM = 201  # an account of no person

CONNECT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    try:
        client.connect(sys.argv[1])
        print(client.recv(1).decode())
    except OSError as error:
        print(type(error).__name__)
"""


def as_user(uid, gid=None, *capabilities):
    """Words before a command."""
    words = ["setpriv", f"--reuid={uid}", f"--regid={gid or uid}", "--clear-groups"]
    if capabilities:
        added = ",".join(f"+{capability}" for capability in capabilities)
        words += [f"--inh-caps={added}", f"--ambient-caps={added}"]
    return words


def can_use(path, uid, gid=None):
    """Whether a user gets a greeting there."""
    command = [*as_user(uid, gid), "/usr/bin/python3", "-c", CONNECT, path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert said in ("{", "PermissionError")
    return said == "{"


@pytest.fixture
def daemon(start):
    daemon = start("--user", "nobody", "--group", "nogroup")
    assert daemon.ready, daemon.log()
    return daemon


@pytest.fixture
def vm_of(vmm):
    """Starts a VM of another user, who may open /dev/kvm whatever its mode."""
    return lambda uid: vmm("--guest", "once", around=as_user(uid, None, "dac_override"))


def name_of(vm):
    return f"bare-vmm-{vm.pid}"


def test_no_privilege_is_left(daemon, vmm):
    status = process_status(daemon.pid)
    assert status["Uid"].split() == [str(NOBODY)] * 4
    assert status["Gid"].split() == [str(GROUP)] * 4
    assert status["Groups"].split() == []
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    vm = vmm()  # of a VM that starts now, too, all is read
    daemon.wait_for(name_of(vm))


def test_root_keeps_no_capability_either(start, vmm):
    daemon = start("--user", "root", "--group", "root")
    status = process_status(daemon.pid)
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    daemon.wait_for(name_of(vmm()))


def test_two_capabilities_are_enough(programs, start, vmm):
    """As the unit starts it: a user of its own, which may open /dev/kvm."""
    os.mkdir(programs.path("run"))
    os.chown(programs.path("run"), MEMBER, MEMBER)
    daemon = start(around=as_user(MEMBER, None, "bpf", "perfmon", "dac_override"))
    assert daemon.ready, daemon.log()
    status = process_status(daemon.pid)
    assert status["Uid"].split() == [str(MEMBER)] * 4
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    daemon.wait_for(name_of(vmm()))


def test_member_owner_and_neither(daemon, vm_of):
    """A member of the group may use all sockets, a person the own ones, and all others none."""
    own, other = name_of(vm_of(OWNER)), name_of(vm_of(STRANGER))
    daemon.wait_for(own, other)
    for file in ("qmp.sock", "qemu.sock"):
        expected = {MEMBER: True, OWNER: True, STRANGER: False}
        group = {MEMBER: GROUP}
        path = daemon.socket(own, file)
        assert {uid: can_use(path, uid, group.get(uid)) for uid in expected} == expected
        assert can_use(daemon.socket(other, file), STRANGER)
        assert not can_use(daemon.socket(other, file), OWNER)


def test_vms_of_a_system_account(daemon, vm_of):
    """Whoever breaks out of one of them has the account of all."""
    names = [name_of(vm_of(SYSTEM)) for _ in range(2)]
    daemon.wait_for(*names)
    for name in names:
        assert not can_use(daemon.socket(name), SYSTEM)
        assert can_use(daemon.socket(name), MEMBER, GROUP)


def test_modes(daemon, vmm):
    vm = vmm()
    daemon.wait_for(name_of(vm))

    def mode(*path):
        found = os.stat(os.path.join(daemon.run_directory, *path))
        assert (found.st_uid, found.st_gid) == (NOBODY, GROUP)
        return oct(stat.S_IMODE(found.st_mode))

    assert mode() == "0o755"
    assert mode("vms", ".lock") == "0o600"
    assert mode("vms") == "0o751"
    assert mode("vms", name_of(vm)) == "0o750"
    assert mode("vms", name_of(vm), "qmp.sock") == mode("vms", name_of(vm), "qemu.sock") == "0o660"


def test_without_a_group_nobody_else_may(programs, start, vmm):
    os.mkdir(programs.path("run"))
    os.chown(programs.path("run"), MEMBER, GROUP)
    daemon = start(around=as_user(MEMBER, GROUP, "bpf", "perfmon", "dac_override"))
    name = name_of(vmm())
    daemon.wait_for(name)
    assert not can_use(daemon.socket(name), STRANGER, GROUP)
    assert can_use(daemon.socket(name), MEMBER)


# ---- what it refuses ----------------------------------------------------------------------------


def refused(start, *options, **words):
    daemon = start(*options, **words)
    assert not daemon.ready
    assert daemon.wait() == 1
    return daemon.log()


def test_a_second_one(daemon, start, vmm):
    vm = vmm()
    daemon.wait_for(name_of(vm))
    assert "run: another vitals serve runs here\n" in refused(start, "--user", "nobody", "--group", "nogroup")
    assert daemon.has(name_of(vm))


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_directory_that_others_may_write(programs, start, mode):
    os.mkdir(programs.path("run"))
    os.chmod(programs.path("run"), mode)
    assert "run: others may write to this directory\n" in refused(start)


def test_a_lock_that_is_a_file_of_another_directory(programs, start):
    """Root would give it to the daemon's user, whose the directory is."""
    os.mkdir(programs.path("run"))
    os.chown(programs.path("run"), NOBODY, NOBODY)
    of_root = pathlib.Path(programs.path("of-root"))
    of_root.touch()
    os.mkdir(programs.path("run/vms"))
    os.chown(programs.path("run/vms"), NOBODY, NOBODY)
    os.link(of_root, programs.path("run/vms/.lock"))
    log = refused(start, "--user", "nobody", "--group", "nogroup")
    assert "run: the sockets can't be made: Too many links\n" in log
    assert of_root.stat().st_uid == 0


def test_a_directory_of_another_user(programs, start):
    os.mkdir(programs.path("run"))
    os.chown(programs.path("run"), MEMBER, MEMBER)
    assert "run: this directory is another user's\n" in refused(start, "--user", "nobody")


@pytest.mark.parametrize("around", [as_user(MEMBER, None, "bpf", "perfmon", "dac_override"), []], ids=["itself", "root"])
def test_a_directory_of_root(programs, start, around):
    """Its user could make no socket there."""
    os.mkdir(programs.path("run"))
    options = [] if around else ["--user", "nobody", "--group", "nogroup"]
    uid = MEMBER if around else NOBODY
    log = refused(start, *options, around=around)
    assert f"run: user {uid} can't make sockets in this directory: 'chown {uid} " in log


def test_a_link_in_place_of_what_it_makes(programs, start):
    """It would make somebody else's directory its own, and clear it."""
    os.makedirs(programs.path("run"))
    os.makedirs(programs.path("precious/a"))
    os.symlink("../precious", programs.path("run/vms"))
    assert "the sockets can't be made: " in refused(start)
    assert os.listdir(programs.path("precious")) == ["a"]


def test_a_link_among_what_is_left(programs, start):
    os.makedirs(programs.path("run/vms/a"))
    os.makedirs(programs.path("precious/b"))
    for link in ("run/vms/c", "run/vms/a/d"):
        os.symlink(programs.path("precious"), programs.path(link))
    daemon = start("--user", "root", "--group", "root")
    assert not daemon.names() & {"a", "c"}
    assert os.listdir(programs.path("precious")) == ["b"]


def test_a_path_that_is_too_long(programs, start):
    limit = 107 - len("/vms//qemu.sock") - 24
    for length, fits in (limit, True), (limit + 1, False):
        path = programs.path("").ljust(length, "x")
        assert len(path) == length
        if fits:
            start("--user", "root", run_directory=path).stop()
        else:
            assert "too long for the paths of sockets\n" in refused(start, run_directory=path)


@pytest.mark.parametrize("option, what", [("--user", "user"), ("--group", "group")])
def test_nobody_of_this_name(start, option, what):
    log = refused(start, option, "no-such-name")
    assert log == f"vitals serve: {option}: there is no {what} 'no-such-name'\n"


def test_only_root_can_become_another(programs, start):
    assert "only root can become another user" in refused(start, "--user", "root", around=as_user(MEMBER))


def test_without_the_right_to_read_the_host(programs, start):
    os.mkdir(programs.path("run"))
    os.chown(programs.path("run"), MEMBER, MEMBER)
    log = refused(start, around=as_user(MEMBER))
    assert "vitals serve: the VMs of this host can't be read: " in log and "CAP_BPF" in log


def test_a_daemon_that_is_not_installed(programs):
    result = programs.run_as_other("serve", "--run-dir", programs.path("run"))
    if result.returncode == 1 and "can't be made" in result.stderr:
        pytest.skip("it is installed on this machine")
    assert result.returncode == 1 and "/vitals/vitals-serve: No such file or directory\n" in result.stderr
    assert "  The daemon is not installed" in result.stderr
