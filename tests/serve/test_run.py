# SPDX-License-Identifier: MIT
"""vitals run: VMMs that know nothing of vitals, and whose user may read nothing of the kernel."""

import glob
import json
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import time

import pytest

from support.kernel_reader import BareVmm
from support.programs import PRELOADED, TIMEOUT, VITALS, Program, listens, run, wait_until
from support.strangers import CLOSE, Stranger, greeting, reply_to
from support.this_host import WITHOUT_VM
from test_host_socket import told
from test_registration import values_of
from test_users import MEMBER, as_user

VCPUS_OF_A_MESSAGE = 253
RUN_MAGIC = 0x76727531  # src/run/message.h


@pytest.fixture
def daemon(start):
    """One that reads nothing from the kernel."""
    daemon = start("--registered-only", "--user", "root", "--group", "root")
    assert daemon.ready, daemon.log()
    return daemon


@pytest.fixture
def host(daemon, programs):
    return programs.client(os.path.join(daemon.run_directory, "host.sock"))


@pytest.fixture
def shown(vmm, around, daemon):
    """Starts a VMM of tests whose VM the daemon is to show."""
    return lambda name, *options, **words: vmm(
        *options, around=around("--name", name, run_directory=daemon.run_directory, **words)
    )


def sockets_in(directory):
    try:
        return {os.path.join(directory, file) for file in os.listdir(directory) if file.endswith(".sock")}
    except FileNotFoundError:
        return set()


def wait_for_sockets(directory, n):
    wait_until(lambda: len([path for path in sockets_in(directory) if listens(path)]) == n, f"{n} sockets")
    return sorted(sockets_in(directory))


def numbers(values):
    """All of them, in the order of their size."""
    return sorted(sum((each if isinstance(each, list) else [each] for each in values.values()), []))


def rows_of(vm, kind):
    return [sorted(values) for (of, _), (_, _, values) in sorted(vm.rows().items()) if of == kind]


# ---- with a daemon -------------------------------------------------------------------------------


def test_what_a_daemon_is_told(daemon, host, shown, name):
    vm = shown(name, "--vcpus", "0,3")
    daemon.wait_for(name)
    wait_until(lambda: told(host, name)["vcpus"] == 2, "its vCPUs are told of")
    vms = told(host, name)
    assert (vms["pid"], vms["uid"], vms["way"]) == (vm.pid, os.getuid(), "registered")
    assert vms["vmm"] == "bare-vmm"


def test_its_values_are_those_of_the_kernel(daemon, host, programs, shown, name):
    vm = shown(name, "--vcpus", "0,3")
    wait_until(lambda: (found := told(host, name)) and found["vcpus"] == 2, "its vCPUs are told of")
    assert numbers(values_of(daemon, programs, name, "vm")) == rows_of(vm, "vm")[0]
    for row, vcpu in zip(rows_of(vm, "vcpu"), (0, 3)):
        assert numbers(values_of(daemon, programs, name, "vcpu", f"/kvm/vcpu[{vcpu}]")) == row


@pytest.mark.parametrize("n", [VCPUS_OF_A_MESSAGE, VCPUS_OF_A_MESSAGE + 1])
def test_as_many_vcpus_as_a_message_takes(host, shown, name, n):
    shown(name, "--no-rows", "--vcpus", ",".join(map(str, range(n))))
    wait_until(lambda: (vm := told(host, name)) and vm["vcpus"] == n, "all are told of")


def test_it_ends_with_its_process(daemon, shown, name):
    vm = shown(name)
    daemon.wait_for(name)
    vm.kill()
    daemon.wait_without(name)


def test_two_of_a_process_come_and_go(daemon, host, shown, name):
    vm = shown(name, "--vms", "2")
    second = f"{name}@{vm.pid}"
    wait_until(lambda: told(host, name) and told(host, second), "both are told of")
    vm.tell("close", 0)
    wait_until(lambda: len([each for each in (name, second) if told(host, each)]) == 1, "one is gone")
    vm.tell("make")
    wait_until(lambda: told(host, name) and told(host, second), "another one takes the name")


def test_one_that_goes_at_once_is_not_shown(daemon, host, shown, name):
    """As VMMs make to see what the host can; the one that stays has the name."""
    vm = shown(name, "--vms", "1")
    vm.tell("close", 0)
    vm.tell("make")
    wait_until(lambda: told(host, name), "the second is shown")
    assert told(host, f"{name}@{vm.pid}") is None


def test_the_kernel_sees_it_too(start, programs, vmm, around, name):
    """It is one VM, as it has been registered."""
    daemon = start("--user", "root", "--group", "root")
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    vm = vmm(around=around("--name", name, run_directory=daemon.run_directory))
    wait_until(lambda: told(host, name), "it is told of")
    ours = [each for each in host.execute("query-vms") if each.get("pid") == vm.pid]
    assert [(each["name"], each["way"]) for each in ours] == [(name, "registered")]


def test_a_daemon_that_is_killed_and_started_again(daemon, start, shown, name):
    shown(name)
    daemon.wait_for(name)
    daemon.kill()
    again = start("--registered-only", "--user", "root", "--group", "root", run_directory=daemon.run_directory)
    again.wait_for(name)


def test_a_daemon_that_comes_later(start, programs, vmm, around, name):
    directory = programs.path("later")
    vmm(around=around("--name", name, run_directory=directory))
    wait_for_sockets(programs.path("vitals"), 1)
    start("--registered-only", "--user", "root", "--group", "root", run_directory=directory).wait_for(name)
    wait_for_sockets(programs.path("vitals"), 1)  # somebody may be reading from it


class FullDaemon(Stranger):
    """Takes VMs, and no vCPU."""

    def __init__(self, path, refusal):
        self.refusal, self.times = refusal, []
        super().__init__(path, greeting((7, 0, 0)))

    def answer(self, line):
        command = json.loads(line)["execute"]
        if command == "register-vm":
            self.times.append(time.monotonic())
        if command == "add-vcpus" and self.refusal is CLOSE:
            return CLOSE
        return reply_to(line, self.refusal if command == "add-vcpus" else {"return": {}})


@pytest.mark.parametrize("refusal", [CLOSE, {"error": {"class": "GenericError", "desc": "no room"}}])
def test_a_daemon_that_refuses_is_not_pestered(programs, vmm, around, name, refusal):
    """With a VM that comes and goes all the time; meanwhile it has a socket."""
    full, own = programs.path("full"), programs.path("own")
    os.mkdir(full)
    daemon = programs.keep(FullDaemon(os.path.join(full, "register.sock"), refusal))
    vmm("--vcpus", "0,3", around=around("--name", name, "--socket-dir", own, run_directory=full))
    (path,) = wait_for_sockets(own, 1)
    wait_until(lambda: len(programs.client(path).execute("query-cpus-fast")) == 2, "it has its vCPUs")
    time.sleep(1.5)
    seconds = time.monotonic() - daemon.times[0]
    assert 2 <= len(daemon.times) <= 3 + seconds / 5


class SilentDaemon(Stranger):
    """Counts who comes."""

    def __init__(self, path):
        self.n_asked = 0
        super().__init__(path)

    def process_request(self, request, client_address):
        self.n_asked += 1
        super().process_request(request, client_address)


def test_a_silent_daemon_keeps_nobody_waiting(programs, vmm, around, name):
    """Not once for each VM: who asks at their sockets waits meanwhile."""
    silent, own = programs.path("silent"), programs.path("own")
    os.mkdir(silent)
    daemon = programs.keep(SilentDaemon(os.path.join(silent, "register.sock")))
    begin = time.monotonic()
    vmm("--vms", 8, around=around("--name", name, "--socket-dir", own, run_directory=silent))
    wait_for_sockets(own, 8)
    assert 2 <= daemon.n_asked <= 3 + (time.monotonic() - begin) / 3


@pytest.mark.parametrize("n", [1, 2, 3])
def test_files_that_are_none_are_closed(daemon, programs, shown, name, n):
    """As many as come with a message, which is right but for them."""
    shown(name)
    daemon.wait_for(name)
    (path,) = glob.glob(os.path.join(programs.directory, "vitals-run.*", "shim"))
    pipes = [os.pipe() for _ in range(n)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as shim:
        shim.connect(path)
        socket.send_fds(shim, [struct.pack("2I2i2I", RUN_MAGIC, 0, 3, 4, 0, 0)], [write for _, write in pipes])
    for read, write in pipes:
        os.close(write)
        assert select.select([read], [], [], TIMEOUT)[0], "somebody still has it"
        os.close(read)


# ---- without one ---------------------------------------------------------------------------------


def test_sockets_of_their_own(programs, vmm, around, name):
    vm = vmm("--vms", "2", "--vcpus", "1", around=around("--name", name))
    paths = wait_for_sockets(programs.path("vitals"), 2)
    assert [os.path.basename(path) for path in paths] == [f"{name}-{vm.pid}-2.sock", f"{name}-{vm.pid}.sock"]
    assert f"no daemon takes VMs here: they get sockets in {programs.path('vitals')}" in vm.log()
    assert [os.stat(path).st_mode & 0o777 for path in paths] == [0o600] * 2
    client = programs.client(paths[1])
    assert client.execute("query-name") == {"name": name}
    [vcpu] = client.execute("query-cpus-fast")
    assert vcpu["qom-path"] == "/kvm/vcpu[1]"
    listed = run("stats", "--socket", paths[1], "-o", "json", env=WITHOUT_VM)
    assert (listed.returncode, listed.stderr) == (0, "")
    vm.stop()
    wait_for_sockets(programs.path("vitals"), 0)
    wait_until(lambda: not directories_of_runs(programs), "all is removed")


def test_a_directory_for_them(programs, vmm, around):
    vmm(around=around("--socket-dir", programs.path("mine")))
    wait_for_sockets(programs.path("mine"), 1)


def test_a_user_without_a_directory(programs, vmm, around):
    """It is told where the socket is."""
    vm = vmm(around=around("--name", "a", XDG_RUNTIME_DIR=""))
    directory = re.search(r"sockets in (/tmp/vitals-run\.\w+)$", vm.log(), re.MULTILINE)[1]
    wait_for_sockets(directory, 1)
    assert os.stat(directory).st_mode & 0o777 == 0o700
    vm.stop()
    wait_until(lambda: not os.path.exists(directory), "it is removed")


# ---- what VMMs do --------------------------------------------------------------------------------


def own_files(pid):
    return sorted(re.sub(r"\d{3,}", "N", os.readlink(f"/proc/{pid}/fd/{fd}")) for fd in os.listdir(f"/proc/{pid}/fd"))


def test_nothing_is_left_in_the_vmm(daemon, vmm, shown, name):
    """No file, no thread, no child: nothing that it could close, or count."""
    alone, vm = vmm("--vcpus", "0,1"), shown(name, "--vcpus", "0,1")
    daemon.wait_for(name)
    assert own_files(vm.pid) == own_files(alone.pid)
    for each in (alone, vm):
        assert len(os.listdir(f"/proc/{each.pid}/task")) == 1
        with open(f"/proc/{each.pid}/task/{each.pid}/children", encoding="ascii") as children:
            assert children.read() == ""


def test_a_fork_that_holds_its_files_is_not_the_vm(daemon, shown, name):
    vm = shown(name)
    daemon.wait_for(name)
    vm.tell("hold")
    vm.tell("forget")
    daemon.wait_without(name)


def test_one_that_becomes_another_program(daemon, shown, name):
    vm = shown(name)
    daemon.wait_for(name)
    vm.tell("exec", shutil.which("yes"))
    daemon.wait_without(name)
    vm.kill()


# As a shell or a manager may start a VMM: all other files are closed, and their numbers are others'.
CLOSING = """
import os, subprocess, sys
os.closerange(3, 1000)
for _ in range(20):
    os.open("/dev/null", os.O_RDWR)
subprocess.run(sys.argv[1:], close_fds=True)
"""


def test_a_program_before_it_that_closes_all_files(daemon, around, programs, name):
    vm = BareVmm(programs.directory, around=[*around("--name", name, run_directory=daemon.run_directory),
                                             sys.executable, "-c", CLOSING])  # fmt: skip
    programs.keep(vm)
    daemon.wait_for(name)


# Its own calls fail and succeed as they do without the shim.
CALLS = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(fd, request, argument=0):
    result = libc.ioctl(fd, ctypes.c_ulong(request), ctypes.c_void_p(argument))
    return result, errno.errorcode.get(ctypes.get_errno()) if result < 0 else ctypes.get_errno()
ctypes.set_errno(errno.EDOM)
kvm = os.open("/dev/kvm", os.O_RDWR)
vm = call(kvm, 0xAE01)
print(vm[0] >= 0, vm[1] == errno.EDOM)
vcpu = call(vm[0], 0xAE41, 7)
print(vcpu[0] >= 0, vcpu[1] == errno.EDOM)
print(call(vm[0], 0xAE41, 7)[1], call(-1, 0xAE01)[1], call(kvm, 0xAE41)[1], call(1, 0xAE01)[1])
print(os.listdir("/proc/self/task") == [str(os.getpid())], len(os.listdir("/proc/self/fd")))
"""


def test_its_own_calls_are_as_they_were(around, programs):
    alone = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=True).stdout
    words = [*around(), sys.executable, "-c"]
    beside = subprocess.run([*words, CALLS], capture_output=True, text=True, check=True)
    # Nobody is there to be told any more.
    gone = CALLS.replace("libc =", f"os.unlink(os.environ['VITALS_RUN_SOCKET'])\nlibc =")
    without = subprocess.run([*words, gone], capture_output=True, text=True, check=True)
    assert "True True\nTrue True\nEEXIST EBADF" in alone
    assert alone == beside.stdout == without.stdout


def test_no_file_of_the_vmms_runs_out(daemon, host, around, name):
    """A VMM that can open no further file has its VM, and nothing else changes."""
    script = """
import fcntl, os, resource
kvm = os.open("/dev/kvm", os.O_RDWR)
taken = os.dup(0)
resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 1, taken + 1))
os.close(taken)
print(fcntl.ioctl(kvm, 0xAE01, 0) == taken)
"""
    words = around("--name", name, run_directory=daemon.run_directory)
    result = subprocess.run([*words, sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("True\n", "")
    assert told(host, name) is None


# ---- QEMU ----------------------------------------------------------------------------------------


@pytest.fixture
def machine(programs, around, daemon):
    """Starts a real QEMU under it."""
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("qemu-system-x86_64 is not installed")

    def start(name, *options, before=()):
        command = [*before, *around(run_directory=daemon.run_directory), "qemu-system-x86_64", "-enable-kvm",
                   "-nodefaults", "-display", "none", "-S", "-m", "16", "-monitor", "none",
                   "-name", f"guest={name},debug-threads=on", *options]  # fmt: skip
        return programs.keep(Machine(command, programs.directory))

    return start


class Machine(Program):
    def stop(self):
        if not self.ended:
            self.kill()


SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def test_qemu_in_its_sandbox(host, machine, name):
    uuid = "4a1c1e6a-0000-4000-8000-00000000c0de"
    vm = machine(name, "-smp", "3", "-uuid", uuid, "-sandbox", SANDBOX)
    wait_until(lambda: (vm := told(host, name)) and vm["vcpus"] == 3, "QEMU makes its VM")
    shown = told(host, name)
    assert (shown["pid"], shown["vmm"], shown["uuid"]) == (vm.pid, "qemu", uuid)
    with open(f"/proc/{vm.pid}/status", encoding="ascii") as status:
        assert "\nSeccomp:\t2\n" in status.read()


def test_a_vcpu_that_is_plugged_in_inside_the_sandbox(host, machine, programs, name):
    path = programs.path("qmp")
    vm = machine(name, "-smp", "1,maxcpus=2", "-sandbox", SANDBOX, "-qmp", f"unix:{path},server=on,wait=off")
    wait_until(lambda: told(host, name), "QEMU makes its VM")
    monitor = programs.client(path)
    [slot] = [each for each in monitor.execute("query-hotpluggable-cpus") if "qom-path" not in each]
    monitor.execute_with("device_add", {"driver": slot["type"], "id": "more", **slot["props"]})
    wait_until(lambda: told(host, name)["vcpus"] == 2, "the second is told of")
    assert vm.process.poll() is None


def test_qemu_in_the_background(host, around, daemon, programs, name):
    """Whoever waits for its output waits for nobody else, and the VM is shown when the first process has ended."""
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("qemu-system-x86_64 is not installed")
    pidfile = programs.path("pid")
    words = around("--name", name, run_directory=daemon.run_directory)
    command = ["qemu-system-x86_64", "-enable-kvm", "-nodefaults", "-display", "none", "-S", "-m", "16",
               "-monitor", "none", "-daemonize", "-pidfile", pidfile]  # fmt: skip
    subprocess.run([*words, *command], capture_output=True, check=True, timeout=TIMEOUT)
    with open(pidfile, encoding="ascii") as file:
        pid = int(file.read())
    try:
        wait_until(lambda: told(host, name), "its VM is shown")
        assert told(host, name)["pid"] == pid
    finally:
        os.kill(pid, 9)
    daemon.wait_without(name)


# The command ends, and what it has left in the background makes a VM when it is told to, and another one.
IN_THE_BACKGROUND = """
import fcntl, os, sys
if os.fork():
    os._exit(0)
with open(sys.argv[1], "r") as told:
    kvm = os.open("/dev/kvm", os.O_RDWR)
    for _ in told:
        vm = fcntl.ioctl(kvm, 0xAE01, 0)
        vcpu = fcntl.ioctl(vm, 0xAE41, 0)
        told.readline()
        os.close(vcpu)
        os.close(vm)
"""


def directories_of_runs(programs):
    return [each for each in os.listdir(programs.directory) if each.startswith("vitals-run.")]


def test_a_vmm_that_is_left_in_the_background(daemon, around, programs, name):
    path = programs.path("told")
    os.mkfifo(path)
    words = around("--name", name, run_directory=daemon.run_directory)
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*words, sys.executable, "-c", IN_THE_BACKGROUND, path], check=True, timeout=TIMEOUT, **quiet)
    with open(path, "w", encoding="ascii", buffering=1) as vmm:
        for _ in range(2):
            vmm.write("make\n")
            daemon.wait_for(name)
            vmm.write("close\n")
            daemon.wait_without(name)
    wait_until(lambda: not directories_of_runs(programs), "nobody is left, and all is removed")


# ---- people --------------------------------------------------------------------------------------


def test_a_user_who_is_nobody(start, vmm, around, programs, name):
    """Registers with the daemon of the host, without any right but to use /dev/kvm."""
    daemon = start("--registered-only", "--user", "nobody", "--group", "nogroup")
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    person = as_user(MEMBER, None, "dac_override")
    vm = vmm(around=[*person, *around("--name", name, run_directory=daemon.run_directory, XDG_RUNTIME_DIR="")])
    wait_until(lambda: told(host, name), "it is told of")
    assert (told(host, name)["pid"], told(host, name)["uid"]) == (vm.pid, MEMBER)


# ---- programs that can't be preloaded ------------------------------------------------------------


def compiled(programs, *options):
    source, program = programs.write("quiet.c", b"int main(void) { return 7; }\n"), programs.path("quiet")
    subprocess.run(["cc", source, "-o", program, *options], check=True)
    return program


def ran(*words):
    """The exit status, and the first line on standard error."""
    result = run("run", "--run-dir", "/nowhere", *words, env=WITHOUT_VM | PRELOADED)
    return result.returncode, result.stderr.partition("\n")[0]


def test_one_that_is_linked_statically(programs):
    program = compiled(programs, "-static")
    assert ran(program) == (7, f"vitals run: {program} is linked statically, so its VMs are not seen")


def test_one_of_another_libc(programs):
    program = compiled(programs)
    with open(program, "r+b") as file:
        data = file.read().replace(b"/lib64/ld-linux-x86-64.so.2\0", b"/lib/ld-musl-x86_64.so.1\0\0\0\0")
        file.seek(0)
        file.write(data)
    assert ran(program)[1] == f"vitals run: {program} uses another libc, so its VMs are not seen"


def test_one_that_is_another_users(programs):
    program = compiled(programs)
    os.chown(program, MEMBER, MEMBER)
    os.chmod(program, 0o4755)
    os.chmod(programs.directory, 0o711)
    assert ran(program) == (7, f"vitals run: {program} gains rights when it is started, so its VMs are not seen")


def test_a_script_of_such_a_program(programs):
    program = compiled(programs, "-static")
    script = programs.write("script", f"#! {program} -x\n".encode())
    os.chmod(script, 0o755)
    assert ran(script) == (7, f"vitals run: {script} is linked statically, so its VMs are not seen")


def test_a_kernel_that_files_can_crash():
    """It says that it is Linux 2.6."""
    command = ["setarch", "--uname-2.6", VITALS, "run", "--run-dir", "/nowhere", "printenv", "LD_PRELOAD"]
    result = subprocess.run(command, env=WITHOUT_VM | PRELOADED, capture_output=True, text=True, check=False)
    assert re.fullmatch(
        r"vitals run: Linux 2\.6\..* can crash where a statistics file outlives its VM, so its VMs are not seen\n",
        result.stderr,
    )
    assert result.returncode == 1 and not result.stdout


# ---- the command line ----------------------------------------------------------------------------


def test_the_status_is_the_commands():
    assert ran("sh", "-c", "exit 5")[0] == 5
    assert ran("--name", "web1", "--", "sh", "-c", "exit 6")[0] == 6


def test_what_is_behind_the_command_is_its_own():
    result = run("run", "--run-dir", "/nowhere", "echo", "--name", "-x", "--", env=WITHOUT_VM | PRELOADED)
    assert result.stdout == "--name -x --\n"


def test_commands_that_can_not_be_started(programs):
    name = "no-such-program"
    assert ran(name) == (127, f"vitals run: {name}: No such file or directory")
    assert ran("./" + name) == (127, f"vitals run: ./{name}: No such file or directory")
    too_long = "/" * 4096 + "bin/true"  # and not "/", which its begin is
    assert ran(too_long) == (127, f"vitals run: {too_long}: File name too long")
    path = programs.write("no-program", b"\x7fELF")
    assert ran(path)[0] == 126


def test_wrong_usage():
    for words, error in (
        ([], "the command is missing"),
        (["--name", "", "true"], "--name: '' is not 1 to 127 bytes of text without '/'"),
        (["--name", "a/b", "true"], "--name: 'a/b' is not 1 to 127 bytes of text without '/'"),
        (["--name", "x" * 128, "true"], f"--name: '{'x' * 128}' is not 1 to 127 bytes of text without '/'"),
    ):
        assert ran(*words) == (2, f"vitals run: {error}")
    assert ran("--name", "x" * 127, "true")[0] == 0


def test_what_is_preloaded_already_stays(around):
    words = ["env", "LD_PRELOAD=libm.so.6", *around(), "printenv", "LD_PRELOAD"]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"/.*/vitals-run\.so:libm\.so\.6\n", result.stdout)
