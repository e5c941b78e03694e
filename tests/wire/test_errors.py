# SPDX-License-Identifier: MIT
"""What goes wrong for somebody who tries the verbs: each says what was wrong, and what is right.

Each message stands in vitals-messages(7), and no message stands there that no test knows."""

import dataclasses
import json
import os
import pty
import select
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from support import manual, messages
from support.namespaces import with_own_mounts
from support.programs import TIMEOUT, VITALS, assert_no_reports, run, stat
from support.programs import wait_until, without_capabilities, without_right_to_read_the_kernel
from support.recordings import VCPUS
from support.strangers import CLOSE, SILENCE, FakeQemu, Listener, Stranger

WITHOUT_VM = {k: v for k, v in os.environ.items() if k != "VITALS_SOCKET"}
VERBS = {"stats": [], "list": [], "schemas": [], "hist": [], "snap": [], "top": ["-b", "-n", "1"],
         "describe": []}  # fmt: skip
CHOOSING = [verb for verb in VERBS if verb != "list"]  # statistics
ASKING = ["stats", "hist", "snap", "top"]  # for values, not only what there is


def vitals(verb, *arguments, env=WITHOUT_VM, **options):
    return run(verb, *VERBS.get(verb, []), *arguments, env=env, **options)


def assert_message(verb, line, entry):
    """A line on standard error is this entry of the manual."""
    assert entry in manual.messages()
    text = line.removeprefix(f"vitals {verb}: ")
    assert text != line and re.fullmatch(manual.message_pattern(entry), text), line


def assert_error(result, verb, status, entry, named="", hint=""):
    """One line says what is wrong, and names it; what is below says what to do."""
    assert (result.returncode, result.stdout) == (status, ""), result
    line, *below = result.stderr.splitlines()
    assert_message(verb, line, entry)
    assert named in line and hint in " ".join(below), result.stderr
    if status == 2:
        assert below.pop() == f"Try 'vitals {verb} --help'."
    assert len(below) <= 1 and all(re.fullmatch(r"  [A-Z'-].*[.?]", each) for each in below), below
    assert status == 2 or bool(below) == bool(hint)


# ---- sockets ------------------------------------------------------------------------------------


@dataclasses.dataclass
class Case:
    """A socket that can't be asked. `make` returns its path; `hint` is a part of what is below."""

    name: str
    make: callable
    entry: str
    hint: str
    options: tuple = ()
    preexec: callable = None


def regular_file(programs):
    return programs.write("file", b"")


def below_a_file(programs):
    return os.path.join(regular_file(programs), "vm.sock")


def loop_of_links(programs):
    os.symlink("loop", programs.path("loop"))
    return programs.path("loop")


def empty_directory(programs):
    os.makedirs(programs.path("empty/sub"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(programs.path("empty/sub/deeper.sock"))
    return programs.path("empty")


class Denied:
    """A directory with few permissions, until the test ends: without root it can't be removed."""

    def __init__(self, path, mode):
        self.path = path
        os.chmod(path, mode)

    def stop(self):
        os.chmod(self.path, 0o700)


def of_libvirt(programs):
    os.makedirs(programs.path(".config/libvirt/qemu"))
    return programs.keep(Listener(programs.path(".config/libvirt/qemu/m.sock"))).path


def denied_directory(programs):
    os.mkdir(programs.path("denied"))
    return programs.keep(Denied(programs.path("denied"), 0o300)).path


def below_denied_directory(programs):
    os.mkdir(programs.path("above"))
    programs.keep(Listener(programs.path("above/vm.sock")))
    programs.keep(Denied(programs.path("above"), 0))
    return programs.path("above/vm.sock")


def denied_socket(programs):
    path = programs.keep(Listener(programs.path("vm.sock"))).path
    os.chmod(path, 0)
    return path


def left_behind(programs):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(programs.path("left.sock"))
        listener.listen()
    return programs.path("left.sock")


def listener(**options):
    return lambda programs: programs.keep(Listener(programs.path("vm.sock"), **options)).path


def stranger(banner=b"", **options):
    return lambda programs: programs.keep(
        Stranger(programs.path("vm.sock"), banner, **options)
    ).path


def qemu(version=(7, 2, 22), **replies):
    return lambda programs: programs.keep(
        FakeQemu(programs.path("vm.sock"), version, **replies)
    ).path


def schemas_of(n):
    stats = [{"name": f"s{i}", "type": "log2-histogram"} for i in range(n)]
    return {"return": [{"provider": "kvm", "target": "vcpu", "stats": stats}]}


def targets_of(n):
    return {"return": [{"provider": "p", "target": f"t{i}", "stats": []} for i in range(n)]}


def vcpus_of(n):
    return {"return": [{"cpu-index": i, "qom-path": f"/{i}"} for i in range(n)]}


def values_of(n):
    return {"return": [{"provider": "kvm", "qom-path": f"/{i}", "stats": []} for i in range(n)]}


SHORT = ("--timeout", 0.1)
LATER = ("--timeout", 1)  # long enough for the greeting
SILENT = "PATH: connected, but no greeting within SECONDS s"
NOT_QMP = "PATH: this is no QMP socket"
GARBAGE = bytes(range(256)).replace(b" ", b"") * 4
TOO_OLD = {"error": {"class": "CommandNotFound", "desc": "no query-stats-schemas"}}
REFUSED = {"error": {"class": "GenericError", "desc": "not now"}}
TOO_MANY = b'{"error": {"class": "GenericError", "desc": "Too many clients, at most 3"}}\r\n'
NAMELESS = "PATH: no reply to COMMAND within SECONDS s, only one without its id"
EVENT = b'{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}\r\n'

SOCKETS = [
    Case("missing", lambda programs: programs.path("missing.sock"), "PATH: no such file",
         "Is the VM running"),
    Case("below a file", below_a_file, "PATH: a part of the path is no directory", "the path of"),
    Case("regular file", regular_file, "PATH: is no socket", "-qmp unix:PATH,server=on"),
    Case("too long", lambda programs: programs.path("x" * 120),
         "PATH: longer than the N bytes that a socket's path can have", "symbolic link"),
    Case("a loop of links", loop_of_links, "PATH: ERROR", ""),
    Case("empty directory", empty_directory, "PATH: no socket in this directory",
         "Directories in it are not searched. QEMU makes a QMP socket with -qmp"),
    Case("pattern", lambda programs: programs.path("*.nothing"),
         "PATH: no socket has such a path", "A pattern means the paths"),
    Case("of libvirt", of_libvirt, "PATH: libvirt needs this socket for itself",
         "virt-qemu-qmp-proxy DOMAIN PATH"),
    Case("denied directory", denied_directory, "PATH: the directory can't be read: ERROR",
         "who may list it", preexec=without_capabilities),
    Case("denied socket", denied_socket, "PATH: permission denied", "The modes of the socket",
         preexec=without_capabilities),
    Case("denied above", below_denied_directory, "PATH: permission denied",
         "and of the directories above", preexec=without_capabilities),
    Case("left behind", left_behind, "PATH: nobody listens on this socket", "has ended"),
    Case("datagrams", listener(kind=socket.SOCK_DGRAM), NOT_QMP, "datagrams"),
    Case("full", listener(is_full=True), "PATH: the server takes no more clients", "another one holds it",
         SHORT),
    Case("busy", listener(), SILENT, "one client at a time: is another one connected", SHORT),
    Case("waits for a request", stranger(), SILENT, "not one of QMP", SHORT),
    Case("closes", stranger(closes=True), "PATH: closed by the server without a greeting",
         "too many clients"),
    Case("refuses clients", stranger(TOO_MANY, closes=True),
         "PATH: no greeting, but an error: REASON", ""),
    Case("HTTP", stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n"), NOT_QMP, "does not greet"),
    Case("SSH", stranger(b"SSH-2.0-OpenSSH_9.2p1\r\n"), NOT_QMP, "does not greet"),
    Case("HMP", stranger(b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) "),
         NOT_QMP, "monitor for people"),
    Case("garbage", stranger(GARBAGE), NOT_QMP, "does not greet"),
    Case("JSON", stranger(b'{"hello": "world"}\r\n'), NOT_QMP, "does not greet"),
    Case("old", qemu((6, 2, 0), query_stats_schemas=TOO_OLD),
         "PATH: the server, of version VERSION, has no command COMMAND", "since version 7.1"),
    Case("silent later", qemu(query_stats_schemas=SILENCE),
         "PATH: no reply to COMMAND within SECONDS s", "--timeout waits longer", LATER),
    Case("closes later", qemu(query_stats_schemas=CLOSE),
         "PATH: closed by the server while it was asked for COMMAND", "may have ended"),
    Case("no ids", qemu(query_stats_schemas=b'{"return": []}\r\n'), NAMELESS, "send the id", LATER),
    Case("no id in an error", qemu(query_stats_schemas=TOO_MANY),
         "PATH: no reply to COMMAND within SECONDS s, only one without its id: REASON",
         "send the id", LATER),
    Case("many events", qemu(query_stats_schemas=EVENT * 4097),
         "PATH: more than N other messages, and no reply to COMMAND", "in trouble"),
    Case("broken later", qemu(query_stats_schemas=b"(qemu) \r\n"),
         "PATH: the reply to COMMAND is not QMP", "broken"),
    Case("a large number", qemu(query_stats_schemas={"return": [2**64]}),
         "PATH: the reply to COMMAND has a number of more than 64 bits", "broken"),
    Case("many members", qemu(query_stats_schemas={str(n): 0 for n in range(257)}),
         "PATH: the reply to COMMAND has an object of more than N members", "broken"),
    Case("a long reply", qemu(query_stats_schemas=b'{"return": [' + b" " * (17 << 20)),
         "PATH: the reply to COMMAND is longer than N MiB", ""),
    Case("much memory", qemu(query_stats_schemas=b'{"return": "' + b"," * (8 << 20)),
         "PATH: the reply to COMMAND takes more than N MiB of memory", ""),
    Case("many statistics", qemu(query_stats_schemas=schemas_of(8193)),
         "PATH: has more than N statistics", ""),
    Case("many targets", qemu(query_stats_schemas=targets_of(65)),
         "PATH: has more than N targets", ""),
    Case("many vCPUs", qemu(query_cpus_fast=vcpus_of(8193)), "PATH: has more than N vCPUs", ""),
    Case("not a list", qemu(query_stats_schemas={"return": {}}),
         "PATH: COMMAND: not a list of schemas", ""),
    Case("refuses", qemu(query_stats_schemas=REFUSED), "PATH: COMMAND: REASON", ""),
]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("case", SOCKETS, ids=lambda case: case.name)
def test_sockets_that_cant_be_asked(programs, verb, case):
    path = case.make(programs)
    result = vitals(verb, "--socket", path, *case.options, preexec_fn=case.preexec)
    assert_error(result, verb, 1, case.entry, path, case.hint)


@pytest.mark.parametrize("case", SOCKETS, ids=lambda case: case.name)
def test_doctor_finds_the_same(programs, case):
    """Its findings go to standard output: a problem is what it looks for."""
    path = case.make(programs)
    options = ["--socket", path, *case.options, "--root", programs.path("nothing"), "-o", "json"]
    result = vitals("doctor", *options, preexec_fn=case.preexec)
    assert (result.returncode, result.stderr) == (1, "")
    (check,) = [c for c in json.loads(result.stdout)["checks"] if c["check"] == "socket"]
    assert check["status"] == "problem" and check["found"].startswith(f"{path}: ")
    assert re.fullmatch(manual.message_pattern(case.entry), check["found"]), check
    assert case.hint in (check["hint"] or "") and bool(check["hint"]) == bool(case.hint)


@pytest.mark.parametrize("verb", ["stats", "schemas"])
def test_replies_that_take_too_much_memory_together(programs, verb):
    """None of them is too large by itself, and none has an end."""
    sockets = []
    for i in range(3):
        endless = b'{"return": "' + b"," * (2 << 20)
        peer = FakeQemu(programs.path(f"vm{i}.sock"), query_stats_schemas=endless)
        sockets += ["--socket", programs.keep(peer).path]
    result = vitals(verb, *sockets, "--timeout", "2")
    entry = "PATH: the reply to COMMAND was refused: all replies together take more than N MiB of memory"
    refused = [line for line in result.stderr.splitlines() if " was refused: " in line]
    assert result.returncode == 1 and len(refused) == 1
    assert re.fullmatch(f"vitals {verb}: " + manual.message_pattern(entry), refused[0])


def test_the_socket_of_another_user(programs):
    path = denied_socket(programs)
    result = programs.run_as_other("stats", "--socket", path, env=WITHOUT_VM)
    assert_error(result, "stats", 1, "PATH: permission denied", path, "The modes of the socket")


@pytest.mark.parametrize("verb", ASKING)
@pytest.mark.parametrize("reply, entry, hint", [
    (SILENCE, "PATH: no reply to COMMAND within SECONDS s", "--timeout waits longer"),
    (CLOSE, "PATH: closed by the server while it was asked for COMMAND", "may have ended"),
    ({"return": {}}, "PATH: COMMAND: a reply that can't be understood", ""),
    (values_of(8193), "PATH: COMMAND: more than N vCPUs", ""),
    (REFUSED, "PATH: COMMAND: REASON", ""),
], ids=["silent", "closes", "not a list", "many vCPUs", "refuses"])  # fmt: skip
def test_a_vm_that_gives_no_values(programs, verb, reply, entry, hint):
    path = qemu(query_stats_schemas=schemas_of(1), query_stats=reply)(programs)
    result = vitals(verb, "--socket", path, *LATER)
    assert_error(result, verb, 1, entry, path, hint)


@pytest.mark.parametrize("verb", ASKING)
def test_a_vm_with_too_many_objects(programs, verb):
    schemas = schemas_of(1)
    schemas["return"][0]["target"] = "disk"
    path = qemu(query_stats_schemas=schemas, query_stats=values_of(8193))(programs)
    result = vitals(verb, "--socket", path, *LATER)
    result.stdout = ""
    assert_error(result, verb, 1, "PATH: COMMAND: more than N objects", path)


@pytest.mark.parametrize("verb", VERBS)
def test_the_socket_of_the_environment_is_named_in_errors(programs, verb):
    path = programs.path("missing.sock")
    result = vitals(verb, env={**WITHOUT_VM, "VITALS_SOCKET": path})
    assert_error(result, verb, 1, "PATH: no such file", path, "Is the VM running")


# ---- VMs that end -------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["stats", "hist", "top"])
@pytest.mark.parametrize("number, entry, hint", [
    (signal.SIGTERM, "PATH: closed by the server while it was asked for COMMAND", "may have ended"),
    (signal.SIGKILL, "PATH: closed by the server while it was asked for COMMAND", "may have ended"),
    (signal.SIGSTOP, "PATH: no reply to COMMAND within SECONDS s", "--timeout waits longer"),
], ids=["ends", "killed", "stopped"])  # fmt: skip
def test_a_vm_that_ends_while_it_is_watched(programs, recording, verb, number, entry, hint):
    demo = programs.demo("--recording", recording)
    timeout = 1 if number == signal.SIGSTOP else TIMEOUT
    command = [VITALS, verb, "--socket", demo.path, "-i", "0.1", "-n", "40", "--timeout",
               str(timeout)]  # fmt: skip
    command += ["-b"] if verb == "top" else []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline()
        demo.send_signal(number)
        _, errors = process.communicate(timeout=TIMEOUT)
    demo.kill()
    assert_no_reports(errors)
    line, below = errors.splitlines()
    assert process.returncode == 1
    assert_message(verb, line, entry)
    assert demo.path in line and hint in below


def test_a_vm_that_is_back(programs, recording):
    """The other one goes on, so that top does."""
    stays, goes = (programs.demo("--recording", recording) for _ in range(2))
    command = [VITALS, "top", "-b", "-i", "0.2", "--socket", stays.path, "--socket", goes.path]
    process = programs.start(command)
    process.read_line()
    goes.stop()
    wait_until(lambda: "closed by the server" in process.log(), "the complaint")
    programs.demo("--recording", recording, path=goes.path)
    wait_until(lambda: process.log().endswith("is back\n"), "the news")
    process.kill()
    line = process.log().splitlines()[2]
    assert_message("top", line, "PATH: is back")
    assert goes.path in line


# ---- what is not asked --------------------------------------------------------------------------


def test_what_is_no_qmp(programs, recording):
    """One line for all of them, and no error where others answer."""
    directory = programs.path("vms")
    os.mkdir(directory)
    programs.demo("--recording", recording, path=f"{directory}/web1.sock")
    programs.keep(Listener(f"{directory}/web1.qga"))
    programs.keep(Listener(f"{directory}/web1.serial0"))
    programs.keep(Stranger(f"{directory}/x.sock", b"hello\r\n"))
    result = run("list", "--socket", directory)
    assert result.returncode == 0
    left_out, strange = result.stderr.splitlines()
    assert_message("list", left_out, "no QMP by the name, not asked: PATH")
    assert left_out.endswith(f"{directory}/web1.qga {directory}/web1.serial0")
    assert_message("list", strange, "no QMP: PATH")
    assert strange.endswith(f"no QMP: {directory}/x.sock")


def in_namespace(directory, target, *arguments):
    """Runs vitals where @directory is seen at @target."""
    script = ('mount -t tmpfs none "$0" && mkdir -p "$2" && mount --bind "$1" "$2" && shift 2 && "$@"; '
              'status=$?; umount --recursive "$0"; exit $status')  # fmt: skip
    above = "/" + target.split("/")[1]
    above = "/var/lib" if above == "/var" else above
    return subprocess.run(
        [*with_own_mounts(), "sh", "-c", script, above, directory, target, VITALS, *arguments],
        capture_output=True, text=True, timeout=TIMEOUT, check=False)  # fmt: skip


@pytest.mark.parametrize("place, path", [
    ("/var/lib/libvirt", "/var/lib/libvirt/monitor.sock"), ("/run/libvirt", "/run/libvirt/monitor.sock"),
])  # fmt: skip
def test_the_monitor_of_libvirt(programs, place, path):
    """It is not connected to, whichever way it is named."""
    listener = programs.keep(Listener(programs.path("monitor.sock")))
    for word in path, place, f"{place}/*.sock":
        result = in_namespace(programs.directory, place, "list", "--socket", word)
        assert result.returncode == 1
        line, hint = result.stderr.splitlines()
        assert_message("list", line, "PATH: libvirt needs this socket for itself")
        assert path in line and "virt-qemu-qmp-proxy DOMAIN PATH" in hint
    assert select.select(listener.sockets, [], [], 0)[0] == []


def test_the_monitor_of_a_session_of_libvirt(programs):
    os.mkdir(programs.path("libvirt"))
    listener = programs.keep(Listener(programs.path("libvirt/monitor.sock")))
    os.symlink(listener.path, programs.path("link.sock"))
    for name in "libvirt/monitor.sock", "link.sock":
        result = run("stats", "--socket", programs.path(name),
                     env={**os.environ, "XDG_RUNTIME_DIR": programs.directory})  # fmt: skip
        line, _ = result.stderr.splitlines()
        assert_message("stats", line, "PATH: libvirt needs this socket for itself")
    assert select.select(listener.sockets, [], [], 0)[0] == []


SWITCH = """
import os, sys
link, *targets = sys.argv[1:]
while os.getppid() == %d:
    for target in targets:
        os.symlink(target, link + ".new")
        os.rename(link + ".new", link)
"""


@pytest.mark.parametrize("verb", ["list", "doctor"])
def test_a_link_that_leads_to_libvirt_only_now_and_then(programs, verb):
    """What is connected to is what was looked at."""
    os.mkdir(programs.path("libvirt"))
    theirs = programs.keep(Listener(programs.path("libvirt/monitor.sock")))
    other = programs.keep(Listener(programs.path("other.sock")))
    link = programs.path("link.sock")
    os.symlink(other.path, link)
    switch = programs.start([sys.executable, "-c", SWITCH % os.getpid(), link, other.path, theirs.path])
    wait_until(lambda: os.readlink(link) == theirs.path, "it leads to libvirt")
    n_connected = 0
    while n_connected < 20:
        run(verb, "--socket", link, "--timeout", "0.05",
            env={**os.environ, "XDG_RUNTIME_DIR": programs.directory})  # fmt: skip
        assert select.select(theirs.sockets, [], [], 0)[0] == []
        while select.select(other.sockets, [], [], 0)[0]:
            other.sockets[0].accept()[0].close()
            n_connected += 1
    switch.kill()


def test_the_monitor_of_proxmox(programs):
    """It is asked where it is named by itself."""
    listener = programs.keep(Listener(programs.path("100.qmp")))
    for word in "/run/qemu-server", "/run/qemu-server/*.qmp":
        result = in_namespace(programs.directory, "/run/qemu-server", "list", "--socket", word)
        line, hint = result.stderr.splitlines()
        assert_message("list", line, "PATH: Proxmox needs this socket for itself")
        assert "Named by itself, it is asked." in hint
    assert select.select(listener.sockets, [], [], 0)[0] == []
    result = in_namespace(programs.directory, "/run/qemu-server", "list", "--timeout", "0.1",
                          "--socket", "/run/qemu-server/100.qmp")  # fmt: skip
    assert "no greeting" in result.stderr


# ---- statistics and vCPUs -----------------------------------------------------------------------


@pytest.fixture
def vm(programs, recording):
    return programs.demo("--recording", recording).path


SCHEMAS = "'vitals schemas' lists what there is."
NO_STATISTIC = "no statistic matches 'WORD'"
MISSPELT = "no statistic matches 'WORD'; did you mean 'WORD'?"
NO_VCPU = "no vCPU matches 'WORD'"
NO_OBJECT = "no object matches 'WORD'"
HAS_NO_VCPU = ("schemas", "describe", "top")  # no option --vcpu


@pytest.mark.parametrize("verb", CHOOSING)
@pytest.mark.parametrize("options, entry, named, hint", [
    (["--stat", "exist"], MISSPELT, "'exits'", ""),
    (["--stat", "halt_wiat_hist"], MISSPELT, "'halt_wait_hist'", ""),
    (["--stat", "xyzzy*"], NO_STATISTIC, "'xyzzy*'", SCHEMAS),
    (["--stat", "exits", "--target", "vm"], NO_STATISTIC, "'exits'", "may leave it out; 'vitals"),
    (["--target", "disk"], "no target matches 'WORD'", "'disk'", SCHEMAS),
    (["--target", "vcpus"], "no target matches 'WORD'; did you mean 'WORD'?", "'vcpu'", ""),
    (["--provider", "kvn"], "no provider matches 'WORD'; did you mean 'WORD'?", "'kvm'", ""),
    (["--vm", "demp"], "no VM matches 'WORD'; did you mean 'WORD'?", "'demo'", ""),
    (["--vm", "xyzzy"], "no VM matches 'WORD'", "'xyzzy'", "'vitals list' lists what there is."),
    (["--provider", "xyzzy"], "no provider matches 'WORD'", "'xyzzy'", SCHEMAS),
    (["--vcpu", VCPUS], NO_VCPU, f"'{VCPUS}'", f"--vcpu takes a number from 0 to {VCPUS - 1}, or"),
    (["--vcpu", "/no/vcpu"], NO_VCPU, "'/no/vcpu'", "or a QOM path"),
])  # fmt: skip
def test_what_is_not_there(vm, verb, options, entry, named, hint):
    if options[0] == "--vcpu" and verb in HAS_NO_VCPU:
        return
    if verb == "hist" and named == "'exits'" and entry is MISSPELT:
        entry, named, hint = NO_STATISTIC, "'exist'", SCHEMAS  # the other is no histogram
    result = vitals(verb, "--socket", vm, *options)
    assert_error(result, verb, 3, entry, named, hint)


@pytest.mark.parametrize("verb", [verb for verb in ASKING if verb != "top"])
@pytest.mark.parametrize("options", [[], ["--provider", "p"], ["--stat", "w*"]])
def test_a_provider_that_fails(programs, verb, options):
    """An empty table would say that there is nothing."""
    server = programs.server()
    hist = stat("wait", "log-hist", count=64)
    server.tell("register", "p/vm", hist)
    server.tell("row", "p/vm", "vm", *(64 * [1]))
    assert vitals(verb, "--socket", server.path, *options).returncode == 0
    server.tell("fail", "p/vm", "vm", 5)
    result = vitals(verb, "--socket", server.path, *options)
    assert_error(result, verb, 1, "PATH: no value of what was asked for", server.path, "the VMM")


def test_one_of_two_providers_fails(programs, vm):
    """What the other VM has is shown."""
    server = programs.server()
    server.tell("register", "p/vm", stat("count"))
    server.tell("row", "p/vm", "vm", 1)
    server.tell("fail", "p/vm", "vm", 5)
    result = vitals("stats", "--socket", server.path, "--socket", vm, "-n", 3, "-i", 0.05)
    assert result.returncode == 1 and "exits" in result.stdout
    (line, _) = result.stderr.splitlines()
    assert_message("stats", line, "PATH: no value of what was asked for")


@pytest.mark.parametrize("verb", CHOOSING)
def test_a_vm_without_statistics(programs, verb):
    path = qemu()(programs)
    result = vitals(verb, "--socket", path, "--stat", "exits")
    assert_error(result, verb, 3, "PATH: no statistics", path, "where the VM runs with KVM")
    both = ["--socket", path, "--socket", programs.server().path]
    result = vitals(verb, *both)
    assert_error(result, verb, 3, "no statistics in any of N VMs", " 2 ", "runs with KVM")


@pytest.mark.parametrize("verb", CHOOSING)
def test_a_target_without_statistics(server, verb):
    server.tell("register", "p/vcpu", stat("count"))
    options = ["--socket", server.path, "--target", "vm"]
    result = vitals(verb, *options)
    assert_error(result, verb, 3, "no statistics of target 'WORD'", "'vm'", SCHEMAS)
    result = vitals(verb, *options, "--provider", "p")
    entry = "no statistics of target 'WORD' and provider 'WORD'"
    assert_error(result, verb, 3, entry, "'p'", SCHEMAS)


def test_a_vm_without_vcpus(server):
    server.tell("register", "p/vm", stat("count"))
    result = vitals("stats", "--socket", server.path, "--vcpu", 0)
    assert_error(result, "stats", 3, NO_VCPU, "'0'", "There are no vCPUs.")


def test_what_is_no_histogram(vm):
    result = vitals("hist", "--socket", vm, "exits")
    assert_error(result, "hist", 3, "'WORD' is no histogram", "'exits'", "'vitals stats' shows it.")


# ---- snapshots ----------------------------------------------------------------------------------


def test_snapshots(programs, vm):
    before, after = programs.path("before"), programs.path("after")
    for path in before, after:
        assert vitals("snap", "--socket", vm, "-f", path).returncode == 0
    other = programs.write("other", b'{"schema_version": 2, "time": 1.5, "stats": []}')
    with open(after, encoding="utf-8") as file:
        snapshot = json.load(file)
    for each in snapshot["stats"]:
        each["vm"] = "another"
    stranger = programs.write("stranger", json.dumps(snapshot).encode())
    several = programs.write("several", 2 * (json.dumps(snapshot).encode() + b"\n"))
    csv = programs.write("csv", vitals("stats", "--socket", vm, "-o", "csv").stdout.encode())
    cut = programs.write("cut", json.dumps(snapshot).encode()[:-1])
    large = programs.path("large")
    with open(large, "wb") as file:
        file.truncate((256 << 20) + 1)
    silent = programs.path("silent")
    os.mkfifo(silent)
    _, typed_at = pty.openpty()
    terminal = os.ttyname(typed_at)
    for arguments, status, entry, hint in [
        (["/no/file", after], 1, "PATH: ERROR", ""),
        ([__file__, after], 1, "PATH: not a snapshot: REASON", "'vitals snap' writes them"),
        ([csv, after], 1, "PATH: not a snapshot: REASON", "CSV can't be read"),
        ([cut, after], 1, "PATH: not a snapshot: REASON", ""),
        ([several, after], 1, "PATH: has more than one output", "tail -n 1"),
        ([other, after], 1, "PATH: a snapshot of version N; this vitals reads version N", ""),
        ([large, after], 1, "PATH: larger than a snapshot can be, N bytes", ""),
        ([silent, after], 1, "PATH: a pipe to which nobody writes", ""),
        ([terminal, after], 1, "PATH: neither a file nor a pipe", ""),
        (["/dev/zero", after], 1, "PATH: neither a file nor a pipe", ""),
        ([vm, after], 1, "PATH: neither a file nor a pipe", ""),
        ([programs.directory, after], 1, "PATH: ERROR", ""),
        ([after, before], 1, "PATH is not older than PATH", "The older one comes first."),
        ([before, stranger], 3, "no statistic of PATH is in PATH", "must be of"),
        ([before, after, "--stat", "xyzzy"], 3, "no statistic matches 'WORD'", "vitals schemas"),
        ([before, after, "--stat", "exist"], 3,
         "no statistic matches 'WORD'; did you mean 'WORD'?", ""),
        ([before, after, "--vm", "demp"], 3, "no VM matches 'WORD'; did you mean 'WORD'?", ""),
        ([before, after, "--provider", "foo"], 3, "no provider matches 'WORD'", "vitals schemas"),
        ([before, after, "--vcpu", "99"], 3, NO_VCPU, "a number from 0 to"),
        ([before, after, "--vcpu", "0", "--target", "vm"], 2,
         "--vcpu and --target WORD exclude each other", ""),
        ([before, after, "--object", "d0"], 3, NO_OBJECT, "shows the objects of a target"),
        ([before, after, "--object", "d0", "--target", "vm"], 2,
         "--object and --target WORD exclude each other", ""),
        ([before, after, "--object", "d0", "--vcpu", "0"], 2,
         "--object and --vcpu exclude each other", ""),
        ([before], 2, "which two snapshots? 'vitals snap' writes them", ""),
    ]:
        named = arguments[0] if status == 1 else ""
        assert_error(vitals("diff", *arguments), "diff", status, entry, named, hint)


def test_a_snapshot_that_cant_be_written(programs, vm):
    path = programs.path("no/such/directory/vm.json")
    result = vitals("snap", "--socket", vm, "-f", path)
    assert_error(result, "snap", 1, "PATH: ERROR", f"{path}: No such", "this user may write to")


def test_a_textfile_that_cant_be_written(programs, vm):
    result = vitals("export", "--socket", vm, "--textfile", programs.path("none"))
    path = programs.path("none/vitals.prom")
    assert_error(result, "export", 1, "PATH: ERROR", f"{path}: No such", "this user may write to")


def test_series_that_are_left_out(vm):
    result = vitals("export", "--socket", vm, "--max-series", 1)
    line, hint = result.stderr.splitlines()
    assert_message("export", line, "N series are left out: there are too many")
    assert result.returncode == 1 and "--max-series" in hint
    assert 'vitals_series_dropped{reason="limit"}' in result.stdout


def test_series_that_cant_be_told_apart(server):
    server.tell("register", "p/vm", stat("a-b"), stat("a_b"))
    server.tell("row", "p/vm", "vm", 1, 2)
    result = vitals("export", "--socket", server.path)
    line, hint = result.stderr.splitlines()
    entry = "N series are left out: they can't be told apart, or have no scale"
    assert_message("export", line, entry)
    assert result.returncode == 1 and "vitals_series_dropped" in hint
    assert 'vitals_series_dropped{reason="name"} 1' in result.stdout


def test_snapshots_that_do_not_match(programs):
    server = programs.server()
    server.tell("register", "p/vm", stat("count"), stat("old"), stat("new"))
    before, after = programs.path("before"), programs.path("after")
    for path, only, value in (before, "old", 5), (after, "new", 1):
        server.tell("row", "p/vm", "vm", value, 0, 0)
        chosen = ["--stat", "count", "--stat", only]
        assert vitals("snap", "--socket", server.path, "-f", path, *chosen).returncode == 0
        time.sleep(0.01)
    result = vitals("diff", before, after)
    assert result.returncode == 0 and "reset" in result.stdout
    for line, entry, named in zip(result.stderr.splitlines(), [
        "N statistics are only in PATH", "N statistics are only in PATH",
        "N statistics began anew: they were reset, or the VM or vCPU started again",
    ], [before, after, ""], strict=True):  # fmt: skip
        assert_message("diff", line, entry)
        assert line.startswith("vitals diff: 1 ") and named in line


@pytest.mark.parametrize("name, entry", [
    ("boot_id", "the host started again between PATH and PATH"),
    ("host", "PATH is of another host than PATH"),
])  # fmt: skip
def test_snapshots_of_two_boots(programs, vm, name, entry):
    before = programs.path("before")
    assert vitals("snap", "--socket", vm, "-f", before).returncode == 0
    with open(before, encoding="utf-8") as file:
        snapshot = json.load(file)
    snapshot |= {"boot_id": "another", name: "another", "time": snapshot["time"] + 1}
    for each in snapshot["stats"]:
        each["reply_time"] += 1
    after = programs.write("after", json.dumps(snapshot).encode())
    result = vitals("diff", before, after)
    assert result.returncode == 0
    assert_message("diff", result.stderr.splitlines()[-1], entry)


# ---- usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "describe"])
def test_no_socket(verb):
    """Who may not read this host must name a VM; as root, tests/bpf has VMs to look at."""
    entry = "no VM is named, and those of this host can't be read: REASON"
    for env in (WITHOUT_VM, {**WITHOUT_VM, "VITALS_SOCKET": ""}):
        result = vitals(verb, env=env, preexec_fn=without_right_to_read_the_kernel)
        assert (result.returncode, result.stdout) == (1, "")
        line, hint, others = result.stderr.splitlines()
        assert_message(verb, line, entry)
        assert hint.startswith("  ") and "--socket PATH" in others


@pytest.mark.parametrize("verb", VERBS)
def test_no_right_to_read_the_host(verb):
    result = vitals(verb, "--host", preexec_fn=without_right_to_read_the_kernel)
    assert (result.returncode, result.stdout) == (1, "")
    assert_message(verb, result.stderr.splitlines()[0],
                   "the VMs of this host can't be read: REASON")


UNKNOWN = "unrecognized option 'WORD'"
ALL_VERBS = [*VERBS, "doctor", "export"]


@pytest.mark.parametrize("verb, options, entry, named, hint", [
    *((verb, ["--socket", ""], "--socket: the path is missing", "", "") for verb in ALL_VERBS),
    *((verb, ["--soket", "x"], UNKNOWN, "--soket", "Did you mean '--socket'?")
      for verb in ALL_VERBS),
    *((verb, ["--xyzzy"], UNKNOWN, "--xyzzy", "") for verb in ALL_VERBS),
    *((verb, ["--timeout"], "option 'WORD' requires an argument", "--timeout", "")
      for verb in ALL_VERBS),
    *((verb, ["--timeout", "x"], "OPTION: 'WORD' is no number of seconds from REASON",
       "--timeout: 'x'", "") for verb in ALL_VERBS),
    ("demo", ["web1"], "unexpected argument 'WORD'", "web1", ""),
    ("stats", ["--intervall=2"], UNKNOWN, "--intervall=2", "Did you mean '--interval'?"),
    ("stats", ["-socket", "x"], "invalid option -- 'WORD'", "'s'", "Did you mean '--socket'?"),
    ("stats", ["-x", "--socket", "x"], "invalid option -- 'WORD'", "'x'", ""),
    ("stats", ["--rates=5", "--socket", "x"], "option 'WORD' doesn't allow an argument", "--rates",
     ""),
    ("stats", ["--s", "x"], "option 'WORD' is ambiguous; possibilities: REASON", "'--stat'", ""),
    ("stats", ["-i"], "option requires an argument -- 'WORD'", "'i'", ""),
    ("stats", ["-i", "0"], "OPTION: 'WORD' is no number of seconds from REASON", "-i: '0'", ""),
    ("top", ["-i", "9999"], "OPTION: 'WORD' is no number of seconds from REASON", "3600", ""),
    ("stats", ["--wide", "--json"], "--wide and JSON exclude each other", "", ""),
    ("stats", ["-w", "--sort", "name"], "--wide and --sort or --top exclude each other", "", ""),
    ("stats", ["-w", "--top", "3"], "--wide and --sort or --top exclude each other", "", ""),
    ("stats", ["-w", "-z"], "--wide and --nonzero exclude each other", "", ""),
    ("stats", ["--top", "0"], "OPTION: 'WORD' is no number from 1 on", "--top: '0'", ""),
    ("diff", ["--sort", "size"], "OPTION: unknown KIND 'WORD'; there is: REASON", "'size'", ""),
    ("stats", ["-n", "0"], "OPTION: 'WORD' is no number from 1 on", "-n: '0'", ""),
    ("hist", ["--vcpu", "0", "--target", "disk"], "--vcpu and --target WORD exclude each other",
     "disk", ""),
    ("stats", ["-o", "xml"], "OPTION: unknown KIND 'WORD'; there is: REASON", "csv", ""),
    ("doctor", ["-o", "csv"], "OPTION: unknown KIND 'WORD'; there is: REASON", "json", ""),
    ("doctor", ["--root", "x" * 5000], "--root: longer than N bytes", "3840", ""),
    ("export", ["--textfile", ""], "--textfile: the path is missing", "", ""),
    ("export", ["--textfile", "x", "-o", "openmetrics"],
     "--textfile and -o openmetrics exclude each other", "", ""),
    ("export", ["--for", "3"], "--for needs --explain-cost", "", ""),
    ("export", ["--preset", "all"], "OPTION: unknown KIND 'WORD'; there is: REASON", "minimal", ""),
    ("hist", ["--vcpu", "0", "--target", "vm"], "--vcpu and --target WORD exclude each other", "",
     ""),
])  # fmt: skip
def test_wrong_usage(verb, options, entry, named, hint):
    assert_error(vitals(verb, *options), verb, 2, entry, named, hint)


@pytest.mark.parametrize("arguments, entry, named", [
    ([], "the verb is missing", ""),
    (["foo"], "unknown verb 'WORD'", "'foo'"),
    (["dmeo"], "unknown verb 'WORD'; did you mean 'WORD'?", "'demo'"),
    (["stat"], "unknown verb 'WORD'; did you mean 'WORD'?", "'stats'"),
    (["shemas", "--socket", "x"], "unknown verb 'WORD'; did you mean 'WORD'?", "'schemas'"),
    (["frobnicate"], "unknown verb 'WORD'", "'frobnicate'"),
    (["--xyzzy"], "unknown option 'WORD'", "'--xyzzy'"),
])  # fmt: skip
def test_verbs(arguments, entry, named):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    line, hint = result.stderr.splitlines()
    assert entry in manual.messages() and hint == "Try 'vitals --help'."
    assert re.fullmatch(manual.message_pattern(entry), line.removeprefix("vitals: "))
    assert named in line


def test_top_without_a_terminal(vm):
    result = run("top", "--socket", vm)
    entry = "standard input and output are no terminal"
    assert_error(result, "top", 1, entry, hint="-b prints plain text instead.")


@pytest.mark.parametrize("term, entry, hint", [
    ("dumb", "a terminal of TERM=WORD can't be moved around in", "-b prints"),
    ("nonsense", "no terminal of TERM=WORD is installed here", "TERM=xterm-256color"),
    ("", "no terminal of TERM=WORD is installed here", "TERM=xterm-256color"),
    ("\033[2J", "no terminal of TERM=WORD is installed here", "TERM=xterm-256color"),
])  # fmt: skip
def test_top_on_a_strange_terminal(vm, term, entry, hint):
    ours, theirs = pty.openpty()
    result = subprocess.run([VITALS, "top", "--socket", vm], stdin=theirs, stdout=theirs, text=True,
                            stderr=subprocess.PIPE, timeout=TIMEOUT, check=False,
                            env={**WITHOUT_VM, "TERM": term})  # fmt: skip
    os.close(ours)
    os.close(theirs)
    line, below = result.stderr.splitlines()
    assert_message("top", line, entry)
    assert result.returncode == 1 and hint in below and "\033" not in line


FOR_EVER = ["-i", "0.01"]  # and a large output, which does not wait for the end to be written


@pytest.mark.parametrize("arguments", [
    ["stats"], ["schemas"], ["stats", "-o", "json"], ["list"], ["describe"], ["doctor"], ["snap"],
    ["export"],
    ["stats", *FOR_EVER, "-o", "json"], ["stats", *FOR_EVER, "-o", "csv"], ["stats", *FOR_EVER],
    ["stats", *FOR_EVER, "--rates", "-o", "json"], ["hist", *FOR_EVER, "-o", "json"],
    ["hist", *FOR_EVER], ["top", "-b", "-i", "0.05"],
])  # fmt: skip
def test_output_that_cant_be_written(vm, arguments):
    check_full([*arguments, "--socket", vm])


@pytest.mark.parametrize("arguments", [
    ["--help"], ["help"], ["--version"], ["stats", "--help"], ["help", "top"], ["describe"],
    ["completion", "bash"], ["completion", "zsh"], ["demo", "--help"],
])  # fmt: skip
def test_words_that_cant_be_written(arguments):
    check_full(arguments)


def test_a_demo_that_cant_say_where_it_is(programs, recording):
    """Whoever waits for its line would wait for ever."""
    check_full(["demo", "--recording", recording, "--qmp", programs.path("vm.sock")])


def check_full(arguments):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([VITALS, *arguments], stdout=full, text=True, env=WITHOUT_VM,
                                stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)  # fmt: skip
    assert (result.returncode, result.stderr) == (
        1, "vitals: standard output: No space left on device\n")  # fmt: skip
    assert_message("", f"vitals : {result.stderr[8:-1]}", "standard output: ERROR")


@pytest.mark.parametrize("arguments", [["stats", "-i", "0.05"], ["top", "-b", "-i", "0.05"]])
def test_a_terminal_that_is_gone(vm, arguments):
    """As under nohup: its end does not end the program, and what is printed goes nowhere."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([VITALS, *arguments, "--socket", vm], stdout=theirs, text=True,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          env=WITHOUT_VM) as process:  # fmt: skip
        os.close(theirs)
        os.read(ours, 1)
        os.close(ours)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert errors == "vitals: standard output: Input/output error\n"


def test_top_on_a_terminal_that_is_gone(vm):
    """Its keys come from another one."""
    ours, theirs = pty.openpty()
    keys, stdin = pty.openpty()
    with subprocess.Popen([VITALS, "top", "--socket", vm], stdin=stdin, stdout=theirs,
                          stderr=subprocess.PIPE,
                          env={**WITHOUT_VM, "TERM": "xterm"}) as process:  # fmt: skip
        os.close(theirs)
        os.read(ours, 1)
        os.close(ours)
        process.communicate(timeout=TIMEOUT)
    os.close(keys)
    os.close(stdin)
    assert process.returncode == 1


# ---- the manual ---------------------------------------------------------------------------------

# These can't be had here: they need a full memory.
NOT_TRIED = [
    "out of memory",
    "PATH: out of memory",
    "the VMs can't be watched: ERROR",
    "PATH: has ended",
]


# Tried where there is KVM: in tests/bpf/test_host.py and test_host_changes.py.
# And in test_looking.py.
OF_A_DAEMON = ["PATH: the daemon does not answer: REASON"]
OF_THE_HOST = ["this host has no VMs", "PATH: the VM has ended", "this pid namespace has no VMs",
               "only the VMs of this pid namespace are seen"]  # fmt: skip


def test_the_manual_has_no_message_that_is_not_tried():
    """Each stands in this file as it stands in the manual."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    found = manual.messages()
    assert len(found) > 50 and len(set(found)) == len(found)
    assert [message for message in found if f'"{message}"' not in text] == []
    for message in NOT_TRIED:
        assert message in found


def test_each_message_stands_in_the_manual():
    found = list(messages.messages())
    assert len({text for _, text in found}) > 40
    missing = [message for message in found if not messages.stands_in_manual(message[1])]
    assert missing == []


def test_the_page_can_be_rendered(programs):
    for command in "scdoc", "man":
        if not shutil.which(command):
            pytest.fail(f"{command} is missing: it renders the page")
    page = subprocess.run(
        ["scdoc"], input=manual.page("vitals-messages.7").encode(), capture_output=True, check=True
    ).stdout
    path = programs.write("vitals-messages.7", page)
    shown = subprocess.run(["man", "--warnings=all", "-l", path], capture_output=True, check=True)
    assert shown.stderr == b""
    assert "vitals-messages - what the verbs" in " ".join(shown.stdout.decode().split())
