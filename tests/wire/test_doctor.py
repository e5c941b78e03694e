# SPDX-License-Identifier: MIT
"""`vitals doctor`: what works here, found in a tree of files that stands for the system's."""

import contextlib
import grp
import json
import os
import pathlib
import resource
import socket
import threading

import pytest

from support.programs import TIMEOUT, run, without_capabilities

WITHOUT_VM = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}
CHECKS = ["kvm device", "kvm statistics", "a try", "kernel", "pid namespace", "lockdown", "landlock", "debugfs",
          "user", "open files"]  # fmt: skip


class Tree:
    """Files below a directory that stands for "/"."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory)
        self.path.mkdir()

    def write(self, name, text=""):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def socket(self, name):
        """A socket on which somebody listens, and never accepts."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        with contextlib.chdir(path.parent):  # a socket's path must be short
            listener.bind(path.name)
        listener.listen()
        listener.setblocking(False)
        return path, listener

    def doctor(self, *options, env=WITHOUT_VM, **keywords):
        """(exit status, checks)"""
        result = run("doctor", "--root", self.path, "-o", "json", *options, env=env, **keywords)
        assert result.stderr == ""
        reply = json.loads(result.stdout)
        assert reply["schema_version"] == 1
        assert reply["healthy"] == (result.returncode == 0)
        assert [check["check"] for check in reply["checks"]][: len(CHECKS)] == CHECKS
        return result.returncode, reply["checks"]

    def check(self, name, *options, **keywords):
        """The only check of this name."""
        (check,) = [c for c in self.doctor(*options, **keywords)[1] if c["check"] == name]
        return check

    def sockets(self, *options, **keywords):
        return [c for c in self.doctor(*options, **keywords)[1] if c["check"] == "socket"]


@pytest.fixture
def tree(programs):
    return Tree(programs.path("root"))


def assert_check(check, status, found, hint=None):
    assert check["status"] == status and found in check["found"], check
    assert check["hint"] is None if hint is None else hint in (check["hint"] or ""), check


# ---- KVM ----------------------------------------------------------------------------------------


def test_no_kvm(tree):
    status, checks = tree.doctor()
    assert status == 1
    assert_check(checks[0], "problem", f"{tree.path}/dev/kvm: No such file", "modprobe kvm_intel")
    assert_check(checks[1], "not there", "not checked without KVM")
    assert_check(checks[2], "not there", "no VM was created")


def test_a_device_that_is_not_kvm(tree):
    tree.write("dev/kvm")
    assert_check(tree.check("kvm device"), "problem", "is not KVM", "10, 232")


def test_a_device_of_others(tree):
    tree.write("dev/kvm").chmod(0)
    check = tree.check("kvm device", preexec_fn=without_capabilities)
    assert_check(check, "warning", "/dev/kvm: Permission denied", "usermod -aG ")
    assert "its mode is 0000, which lets no group in." in check["hint"]


def check_as_other(programs, tree):
    """What doctor says of the device to a user who owns nothing."""
    tree.path.chmod(0o755)
    options = ["doctor", "--root", tree.path, "-o", "json"]
    result = programs.run_as_other(*options, env=WITHOUT_VM)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)["checks"][0]


@pytest.mark.parametrize("gid, group", [(1, "daemon"), (54321, "54321")])
def test_a_device_of_a_group(programs, tree, gid, group):
    """Without root the file can't be given away: then it opens for the group, but not its owner."""
    device = tree.write("dev/kvm")
    if os.geteuid() == 0:
        os.chown(device, 0, gid)
    else:
        group = grp.getgrgid(os.stat(device).st_gid).gr_name
    device.chmod(0o060)
    check = check_as_other(programs, tree)
    hint = f"To run VMs: it belongs to the group {group}. Join it with 'usermod -aG {group} "
    assert_check(check, "warning", f"{device}: Permission denied", hint)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o000])
def test_a_device_that_opens_for_no_group(programs, tree, mode):
    """As after 'mknod': to join the group would not help."""
    device = tree.write("dev/kvm")
    device.chmod(mode if os.geteuid() == 0 else 0)
    check = check_as_other(programs, tree)
    assert_check(check, "warning", f"{device}: Permission denied", f"'chmod 0660 {device}'")
    assert "which lets no group in" in check["hint"]


def test_a_device_below_a_directory_of_others(programs, tree):
    tree.write("dev/kvm")
    (tree.path / "dev").chmod(0)
    check = check_as_other(programs, tree)
    (tree.path / "dev").chmod(0o755)
    assert_check(check, "warning", "/dev/kvm: Permission denied", "directories above it")


def test_who_only_looks_needs_no_kvm(tree, programs, recording):
    """A VM was named, and answers: all is well with it."""
    programs.demo("--recording", recording, "--qmp", vm := programs.path("vm.sock"))
    status, checks = tree.doctor("--socket", vm)
    assert status == 0
    assert_check(checks[0], "warning", "to look at them nobody does", "modprobe")


# ---- the kernel ---------------------------------------------------------------------------------


@pytest.mark.parametrize("release, status", [
    ("4.18.0-553.el8", "warning"), ("5.13.19", "warning"),
    ("5.14.0", "warning"), ("5.15.123", "warning"), ("5.15.124", "ok"), ("5.16.200", "warning"),
    ("6.1.42", "warning"), ("6.1.43", "ok"), ("6.1.0-18-amd64", "warning"), ("6.4.7", "warning"),
    ("6.4.8", "ok"), ("6.5", "ok"), ("6.5.0-rc1", "ok"), ("6.18.44", "ok"), ("7.0.0", "ok"),
])  # fmt: skip
def test_versions_of_the_kernel(tree, release, status):
    tree.write("proc/sys/kernel/osrelease", release + "\n")
    check = tree.check("kernel")
    assert_check(check, status, f"Linux {release}", None if status == "ok" else "")
    assert ("since 5.14" in check["found"]) == (release in ("4.18.0-553.el8", "5.13.19"))


CAN = "can crash the kernel, unless the distribution has repaired it"
MAY = "may crash the kernel; your distributor may have repaired it"


@pytest.mark.parametrize("release, version, status, found", [
    ("6.1.0-56-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.187-1 (2026-11-02)", "ok",
     "Linux 6.1.0-56-amd64, which is 6.1.187"),
    ("6.1.0-0.deb11.17-amd64", "#1 SMP Debian 6.1.69-1~bpo11+1 (2024-01-05)", "ok", "6.1.69"),
    ("6.1.0-10-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.38-1 (2023-07-14)", "warning", CAN),
    ("6.1.0-56-amd64", "#1 SMP Debian 6.4.9-1 (2026-11-02)", "warning", MAY),  # of another one
    ("6.1.0-56-amd64", "#1 SMP Debian strange", "warning", MAY),
    ("6.1.0-56-amd64", None, "warning", MAY),
    ("5.15.0-91-generic", "#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023", "warning", MAY),
    ("5.14.0-362.8.1.el9_3.x86_64", "#1 SMP PREEMPT_DYNAMIC Tue Oct 3 2023", "warning", MAY),
    ("5.15.0", "#1 SMP", "warning", CAN),
    ("6.4.0-rc3", "#1 SMP", "warning", CAN),
    ("6.1.42-gentoo", "#1 SMP", "warning", CAN),
    ("6.1", "#1 SMP", "warning", CAN),
    ("6.8.0-31-generic", "#31-Ubuntu SMP", "ok", "Linux 6.8.0-31-generic"),
])  # fmt: skip
def test_kernels_of_distributors(tree, release, version, status, found):
    """They keep a version, and repair what is below it."""
    tree.write("proc/sys/kernel/osrelease", release + "\n")
    if version is not None:
        tree.write("proc/sys/kernel/version", version + "\n")
    hint = "Repaired in 6.5, 6.4.8, 6.1.43 and 5.15.124"
    assert_check(tree.check("kernel"), status, found, None if status == "ok" else hint)


@pytest.mark.parametrize("text", [None, "", "strange"])
def test_a_kernel_without_a_version(tree, text):
    if text is not None:
        tree.write("proc/sys/kernel/osrelease", text)
    assert_check(tree.check("kernel"), "warning", "does not tell the version")


@pytest.mark.parametrize("number, status", [(4026531836, "ok"), (4026532500, "warning")])
def test_pid_namespace(tree, number, status):
    path = tree.path / "proc/self/ns/pid"
    path.parent.mkdir(parents=True)
    path.symlink_to(f"pid:[{number}]")
    check = tree.check("pid namespace")
    assert (check["status"], bool(check["hint"])) == (status, status == "warning")


def test_no_pid_namespace(tree):
    assert tree.check("pid namespace")["status"] == "not there"


@pytest.mark.parametrize("text, status, found", [
    (None, "not there", "the kernel lacks it"),
    ("[none] integrity confidentiality\n", "ok", "none"),
    ("none [integrity] confidentiality\n", "ok", "integrity: KVM's counters in debugfs"),
    ("none integrity [confidentiality]\n", "ok", "confidentiality: "),
    ("nonsense\n", "warning", "no mode in brackets"),
])  # fmt: skip
def test_lockdown(tree, text, status, found):
    if text is not None:
        tree.write("sys/kernel/security/lockdown", text)
    assert_check(tree.check("lockdown"), status, found)


def test_debugfs(tree):
    assert_check(tree.check("debugfs"), "not there", "debugfs is not mounted")
    counter = tree.write("sys/kernel/debug/kvm/exits", "5\n")
    assert_check(tree.check("debugfs"), "ok", "can be read")
    counter.chmod(0)
    check = tree.check("debugfs", preexec_fn=without_capabilities)
    assert_check(check, "not there", "can't be read (Permission denied); vitals does not need it")


# ---- the user -----------------------------------------------------------------------------------


def test_user(tree):
    check = tree.check("user")
    assert_check(check, "ok", f"({os.geteuid()}), groups: ")


@pytest.mark.parametrize("limit, status, hint", [(256, "warning", "ulimit -n"), (1024, "ok", None)])
def test_open_files(tree, limit, status, hint):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    check = tree.check("open files", preexec_fn=lower)
    assert_check(check, status, f"may have {limit}, and raise that to {limit}", hint)


# ---- sockets that are named ---------------------------------------------------------------------


def test_no_socket(tree):
    (check,) = tree.sockets()
    assert_check(check, "not there", "no socket of a VM", "Name one with --socket")


def test_sockets_of_vitals(programs, tree, recording):
    flat = programs.path("flat.sock")
    demo = programs.demo("--recording", recording, "--qmp", flat + ",dialect=flat")
    for options, env in [
        (["--socket", demo.path, "--socket", flat], WITHOUT_VM),
        (["--socket", programs.directory], WITHOUT_VM),
    ]:
        checks = {check["found"].split(": ")[0]: check for check in tree.sockets(*options, env=env)}
        assert set(checks) == {demo.path, flat}
        # 2 and 4 of the recording, 4 and 2 of the demo
        count = "VM 'demo', 12 statistics, 3 vCPUs"
        assert_check(checks[demo.path], "ok", f": vitals, dialect grouped, {count}")
        assert_check(checks[flat], "ok", f": vitals, dialect flat, {count}")
    (check,) = tree.sockets(env={**WITHOUT_VM, "VITALS_SOCKET": flat})
    assert_check(check, "ok", f"{flat}: vitals")
    both = tree.sockets(env={**WITHOUT_VM, "VITALS_SOCKET": f"{demo.path}:{flat}"})
    assert [check["found"].split(": ")[0] for check in both] == [demo.path, flat]


def test_sockets_that_fail(programs, tree):
    missing = programs.path("missing.sock")
    empty = programs.path("empty")
    os.mkdir(empty)
    checks = tree.sockets("--socket", missing, "--socket", empty)
    assert_check(checks[0], "problem", f"{missing}: no such file", "")
    found = f"{empty}: no socket in this directory"
    assert_check(checks[1], "problem", found, "Directories in it are not searched.")


def test_a_server_that_is_silent(programs, tree):
    path, _listener = tree.socket("silent.sock")
    (check,) = tree.sockets("--socket", path, "--timeout", 0.1)
    assert check["status"] == "problem" and str(path) in check["found"]


class FakeQemu:
    """Answers one client as QEMU of some version does."""

    def __init__(self, path, version, stats):
        self.version, self.stats = version, stats
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.settimeout(TIMEOUT)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def answer(self, command):
        stats = [{"name": "exits", "type": "cumulative"}] if self.stats else []
        schema = {"provider": "kvm", "target": "vcpu", "stats": stats}
        vcpu = {"cpu-index": 0, "qom-path": "/machine/unattached/device[0]"}
        return {
            "qmp_capabilities": {}, "query-stats-schemas": [schema],
            "query-name": {"name": "guest"}, "query-cpus-fast": [vcpu],
        }[command]  # fmt: skip

    def serve(self):
        connection, _ = self.listener.accept()
        major, minor, micro = self.version
        version = {"qemu": {"major": major, "minor": minor, "micro": micro}, "package": ""}
        with connection, connection.makefile("rw") as file:
            file.write(json.dumps({"QMP": {"version": version, "capabilities": []}}) + "\r\n")
            file.flush()
            for line in file:
                request = json.loads(line)
                reply = {"return": self.answer(request["execute"]), "id": request["id"]}
                file.write(json.dumps(reply) + "\r\n")
                file.flush()

    def stop(self):
        self.thread.join(TIMEOUT)
        self.listener.close()


@pytest.mark.parametrize("version, stats, status, hint", [
    ((7, 2, 22), True, "warning", "interrupts every vCPU at each query"),
    ((8, 0, 5), True, "warning", "interrupts every vCPU at each query"),
    ((8, 1, 0), True, "ok", None),
    ((10, 0, 0), True, "ok", None),
    ((10, 0, 0), False, "warning", "where the VM runs with KVM"),
])  # fmt: skip
def test_versions_of_qemu(programs, tree, version, stats, status, hint):
    path = programs.path("qemu.sock")
    programs.keep(FakeQemu(path, version, stats))
    (check,) = tree.sockets("--socket", path)
    text = ".".join(map(str, version))
    found = f"{path}: QEMU {text}, VM 'guest', {int(stats)} statistics, 1 vCPUs"
    assert_check(check, status, found, hint)


# ---- sockets in the usual places ----------------------------------------------------------------

PLACES = [
    ("run/vitals/vms/web1/qmp", "vitals", "--socket asks it"),
    ("var/run/qemu-server/100.qmp", "Proxmox", "one client at a time"),
    ("var/lib/libvirt/qemu/domain-1-web/monitor.sock", "libvirt, which has taken it", "a second"),
]


@pytest.mark.parametrize("name, owner, hint", PLACES)
def test_usual_places_are_not_asked(tree, name, owner, hint):
    path, listener = tree.socket(name)
    tree.write(os.path.join(os.path.dirname(name), "no-socket.qmp"))
    (check,) = tree.sockets()
    assert_check(check, "ok", f"{path}: of {owner}; was not asked", hint)
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("name", [name for name, _, _ in PLACES])
def test_usual_places_without_permission(tree, name):
    path, _listener = tree.socket(name)
    path.chmod(0)
    (check,) = tree.sockets(preexec_fn=without_capabilities)
    assert_check(check, "warning", f"{path}: of ", "mode and owner")
    assert "not for this user (Permission denied)" in check["found"]


def test_a_usual_place_that_is_named_is_asked_once(tree):
    path, listener = tree.socket("run/vitals/vms/a/qmp")
    for named in (path, path.parent):
        (check,) = tree.sockets("--socket", named, "--timeout", 0.1)
        assert check["status"] == "problem"
        listener.accept()[0].close()


# ---- output -------------------------------------------------------------------------------------


def test_table(tree):
    result = run("doctor", "--root", tree.path, env=WITHOUT_VM)
    assert (result.returncode, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("problem    kvm device      ")
    assert [line for line in lines if "kvm statistics" in line] == [
        "not there  kvm statistics  not checked without KVM"
    ]
    assert " Load the module" in result.stdout and max(map(len, lines)) <= 100 + len(str(tree.path))


@pytest.mark.parametrize("options, text", [
    (["-o", "csv"], "unknown format 'csv'; there is: table json"),
    (["--root", "/" * 3841], "--root: longer than 3840 bytes"),
])  # fmt: skip
def test_wrong_usage(options, text):
    result = run("doctor", *options, env=WITHOUT_VM)
    assert (result.returncode, result.stdout) == (2, "") and text in result.stderr
    assert "Try 'vitals doctor --help'." in result.stderr


def test_a_long_root():
    result = run("doctor", "--root", "/" * 3840, "-o", "json", env=WITHOUT_VM)
    device = json.loads(result.stdout)["checks"][0]
    assert device["check"] == "kvm device"
