# SPDX-License-Identifier: MIT
"""register.sock: VMs whose VMMs tell of them, with their statistics files."""

import json
import os
import signal
import struct
import subprocess
import sys

import pytest

from support.kernel_reader import process_status
from support.programs import TIMEOUT, wait_until
from support.registrant import Registrant, Vm
from test_host_socket import told
from test_users import MEMBER, OWNER, STRANGER, as_user, can_use

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ANYBODY = 253  # SCM_MAX_FD


@pytest.fixture
def vm(programs):
    """Makes a VM of this process."""
    return lambda *vcpus: programs.keep(Vm(vcpus or (0,)))


@pytest.fixture
def registrant(daemon, programs):
    """Connects to register.sock."""
    path = os.path.join(daemon.run_directory, "register.sock")
    return lambda: programs.keep(Registrant(path).negotiate())


@pytest.fixture
def host(daemon, programs):
    return programs.client(os.path.join(daemon.run_directory, "host.sock"))


def values_of_file(fd):
    """By the documentation of KVM_GET_STATS_FD."""
    data = os.pread(fd, 1 << 20, 0)
    _, name_size, n, _, descriptors, values = struct.unpack_from("6I", data)
    found = {}
    for i in range(n):
        at = descriptors + i * (16 + name_size)
        _, _, size, offset = struct.unpack_from("IhHI", data, at)
        name = data[at + 16 : at + 16 + name_size].split(b"\0")[0].decode()
        numbers = struct.unpack_from(f"{size}Q", data, values + offset)
        found[name] = numbers[0] if size == 1 else list(numbers)
    return found


def values_of(daemon, programs, name, target, vcpu=None):
    client = programs.client(daemon.socket(name))
    arguments = {"target": target} | ({"vcpus": [vcpu]} if vcpu else {})
    groups = client.execute_with("query-stats", arguments)
    stats = next(group for group in flatten(groups) if group["provider"] == "kvm")["stats"]
    return {each["name"]: each["value"]["values"] if isinstance(each["value"], dict) else each["value"] for each in stats}


def flatten(reply):
    """The groups of the dialect grouped, wherever they stand."""
    if isinstance(reply, dict) and "provider" in reply and "stats" in reply:
        yield reply
    elif isinstance(reply, (dict, list)):
        for inner in reply.values() if isinstance(reply, dict) else reply:
            yield from flatten(inner)


# ---- what is shown -------------------------------------------------------------------------------


def test_a_vm_is_shown_as_it_has_said(daemon, host, registrant, vm, name):
    machine, uuid = vm(0, 5), "4a1c1e6a-0000-4000-8000-00000000c0de"
    assert registrant().register(machine, name, uuid=uuid, vmm="tiny") == {"name": name}
    shown = told(host, name)
    assert shown.pop("since") > 0
    assert shown == {
        "name": name,
        "uuid": uuid,
        "pid": os.getpid(),
        "uid": os.getuid(),
        "vmm": "tiny",
        "vcpus": 2,
        "state": "never-ran",
        "way": "registered",
        "sockets": {"grouped": daemon.socket(name), "flat": daemon.socket(name, "qemu.sock")},
    }


def test_its_values_are_those_of_its_files(daemon, programs, registrant, vm, name):
    machine = vm(0, 5)
    registrant().register(machine, name)
    assert values_of(daemon, programs, name, "vm") == values_of_file(machine.stats)
    shown = values_of(daemon, programs, name, "vcpu", "/machine/cpu[5]")
    assert shown == values_of_file(machine.vcpus[5])


def of_this_process(host):
    return [each["name"] for each in host.execute("query-vms") if each.get("pid") == os.getpid()]


def test_one_that_the_kernel_shows_is_one(host, registrant, vm, name):
    machine = vm()
    wait_until(lambda: len(of_this_process(host)) == 1, "the kernel shows it")
    client = registrant()
    client.register(machine, name)
    assert of_this_process(host) == [name]
    client.close()
    wait_until(lambda: of_this_process(host) not in ([], [name]), "it is the kernel's again")


def test_two_of_a_process(host, registrant, vm, name):
    for machine in (vm(), vm()):
        registrant().register(machine, name)
    assert of_this_process(host) == [name, f"{name}@{os.getpid()}"]


def test_the_connection_is_the_registration(daemon, registrant, vm, name):
    machine, client = vm(), registrant()
    client.register(machine, name)
    daemon.wait_for(name)
    before = daemon.n_files()
    client.close()
    daemon.wait_without(name)
    wait_until(lambda: daemon.n_files() < before, "its files are closed")


def test_pause(host, registrant, vm, name):
    client = registrant()
    client.register(vm(), name)
    client.do("set-running", running=False)
    assert told(host, name)["state"] == "paused"
    client.do("set-running", running=True)
    assert told(host, name)["state"] == "never-ran"


def test_threads_are_told_later(start, programs, vm, name):
    daemon = start("--registered-only", "--user", "root", "--group", "root")
    assert daemon.ready, daemon.log()
    client = programs.keep(Registrant(os.path.join(daemon.run_directory, "register.sock")).negotiate())
    client.register(vm(), name)
    daemon.wait_for(name)
    ask = programs.client(daemon.socket(name, "qemu.sock"))
    client.do("set-threads", vcpus=[{"path": "/machine/cpu[0]", "thread": os.getpid()}])
    assert ask.execute("query-cpus-fast")[0]["thread-id"] == os.getpid()
    client.do("set-threads", vcpus=[{"path": "/machine/cpu[0]"}])
    assert ask.execute("query-cpus-fast")[0]["thread-id"] != os.getpid()
    error = client.error("set-threads", vcpus=[{"path": "gone"}])
    assert error == "The thread of vCPU 'gone' can't be set: there is no vCPU of this path"


def test_vcpus_come_and_go(host, registrant, vm, name):
    machine, client = vm(3), registrant()
    client.register(machine, name)
    machine.plug(1)
    client.add(machine, 1)
    assert told(host, name)["vcpus"] == 2
    client.do("remove-vcpus", paths=["/machine/cpu[3]"])
    assert told(host, name)["vcpus"] == 1
    assert client.error("remove-vcpus", paths=["/machine/cpu[3]"]).endswith("there is no vCPU of this path")


def test_more_vcpus_than_a_message_takes(host, registrant, vm, name):
    machine, client = vm(*range(300)), registrant()
    client.do("register-vm", [machine.stats], name=name)
    client.add(machine, *range(ANYBODY))
    client.add(machine, *range(ANYBODY, 300))
    assert told(host, name)["vcpus"] == 300


def test_messages_that_were_sent_without_waiting(host, registrant, vm, name):
    """Each takes the files that are its own."""
    machine, client = vm(0, 1), registrant()
    client.send_files(json.dumps({"execute": "register-vm", "arguments": {"name": name}}), [machine.stats])
    client.send_files(json.dumps({"execute": "query-version"}), [])
    for vcpu in (0, 1):
        arguments = {"vcpus": [{"path": f"/machine/cpu[{vcpu}]"}]}
        client.send_files(json.dumps({"execute": "add-vcpus", "arguments": arguments}), [machine.vcpus[vcpu]])
    assert all("return" in client.read_message() for _ in range(4))
    assert told(host, name)["vcpus"] == 2


def test_without_the_kernel(start, programs, vm, name):
    """By a user who may do nothing."""
    own = programs.path("own")
    os.mkdir(own)
    os.chown(own, STRANGER, STRANGER)
    daemon = start("--registered-only", run_directory=os.path.join(own, "run"), around=as_user(STRANGER))
    assert daemon.ready, daemon.log()
    machine, path = vm(0, 2), os.path.join(daemon.run_directory, "register.sock")
    client = programs.keep(Registrant(path).negotiate())
    client.register(machine, name)
    daemon.wait_for(name)
    assert daemon.names() == {name}
    shown = values_of(daemon, programs, name, "vcpu", "/machine/cpu[2]")
    assert shown == values_of_file(machine.vcpus[2])
    assert told(programs.client(os.path.join(daemon.run_directory, "host.sock")), name)["state"] == "running"


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["", "../../etc", "a/b", ".", "..", "x" * 128, "a\x1b[2J", "a\0b", "\u202e"])
def test_names_that_are_none(host, registrant, vm, wrong):
    client = registrant()
    error = client.error("register-vm", [vm().stats], name=wrong)
    assert error == "Parameter 'name' expects 1 to 127 bytes of text without '/'"
    client.register(vm(), "x" * 127)
    assert told(host, "x" * 127)


def test_words_that_are_none(registrant, vm, name):
    client, machine = registrant(), vm()
    assert client.error("register-vm", [machine.stats], name=name, uuid="abc") == "Parameter 'uuid' expects a UUID"
    assert "Parameter 'vmm' expects 1 to 31 bytes" in client.error("register-vm", [machine.stats], name=name, vmm="x" * 32)
    assert client.error("set-running", running=True) == "There is no VM: register-vm comes first"
    assert client.error("remove-vcpus", paths=["a"]) == "There is no VM: register-vm comes first"
    assert "register-vm comes first" in client.error("add-vcpus", [machine.vcpus[0]], vcpus=[{"path": "a"}])
    client.register(machine, name)
    assert client.error("register-vm", [vm().stats], name=name) == "A connection is one VM, which has been registered"


def test_paths_that_are_none(registrant, vm, name):
    machine, client = vm(0, 1), registrant()
    client.register(machine, name)
    machine.plug(2)
    for path in ("", "x" * 1024):
        assert "must have 1 to 1023" in client.error("add-vcpus", [machine.vcpus[2]], vcpus=[{"path": path}])
    taken = {"path": "/machine/cpu[0]"}
    assert "of this path already" in client.error("add-vcpus", [machine.vcpus[2]], vcpus=[taken])
    assert "vCPU 1 has been registered already" in client.error("add-vcpus", [machine.vcpus[1]], vcpus=[{"path": "b"}])
    client.do("add-vcpus", [machine.vcpus[2]], vcpus=[{"path": "x" * 1023}])


def test_all_vcpus_of_a_message_or_none(host, registrant, vm, name):
    machine, client = vm(0), registrant()
    client.register(machine, name)
    machine.plug(1)
    pair = [{"path": "new"}, {"path": "/machine/cpu[0]"}]
    assert "of this path already" in client.error("add-vcpus", [machine.vcpus[1], machine.vcpus[1]], vcpus=pair)
    assert told(host, name)["vcpus"] == 1
    client.do("add-vcpus", [machine.vcpus[1]], vcpus=[{"path": "new"}])


def test_no_vcpus_and_too_many(registrant, vm, name):
    client = registrant()
    client.register(vm(), name)
    for n in (0, 254):
        error = client.error("add-vcpus", vcpus=[{"path": "a"}] * n)
        assert error == f"Parameter 'vcpus' has {n} elements, must have 1 to 253"


def test_files_of_another_kind(registrant, vm, name):
    machine, (end, other), client = vm(), os.pipe(), registrant()
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        for fd in (end, null, machine.vcpus[0], machine.fds[1]):
            assert client.error("register-vm", [fd], name=name) == "File 1 of this message is no statistics file of a VM"
        assert "1 statistics files must come with this message, 0 have" in client.error("register-vm", name=name)
        client.do("register-vm", [machine.stats], name=name)
        pair = [{"path": "a"}, {"path": "b"}]
        error = client.error("add-vcpus", [machine.vcpus[0], null], vcpus=pair)
        assert error == "File 2 of this message is no statistics file of a vCPU"
    finally:
        for fd in (end, other, null):
            os.close(fd)


def test_a_vcpu_of_another_vm(registrant, vm, name):
    client = registrant()
    client.register(vm(), name)
    error = client.error("add-vcpus", [vm(7).vcpus[7]], vcpus=[{"path": "a"}])
    assert error == "vCPU 'a' can't be registered: it is a vCPU of another VM"


def test_a_vm_is_registered_once(registrant, vm, name):
    machine = vm()
    registrant().register(machine, name)
    error = registrant().error("register-vm", [machine.stats], name=name)
    assert error == "The VM can't be registered: this VM has been registered already"


SEND_SILENT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from support.registrant import Registrant
fd = os.open(sys.argv[3], os.O_RDWR)
for _ in range(40):
    client = Registrant(sys.argv[2]).negotiate()
    error = client.error("register-vm", [fd], name="silent")
    assert error == "File 1 of this message is no statistics file of a VM"
    error = client.error("add-stats", [fd], provider="a", target="vm", stats=[{"name": "a", "type": "peak"}])
    assert error.startswith("File 1 of this message is no memory file")
    client.send_files(" ", [fd] * 5)
print("done", flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_file_that_never_answers(daemon, host, programs, registrant, silent_file, vm, name):
    """Neither when it is looked at nor when it is closed."""
    path = os.path.join(daemon.run_directory, "register.sock")
    attacker = programs.start([sys.executable, "-c", SEND_SILENT, TESTS, path, silent_file])
    assert attacker.read_line() == "done"
    registrant().register(vm(), name)
    assert told(host, name)
    attacker.ended = True  # it is about to be, when its file is closed


AS_ANOTHER = """
import sys
sys.path.insert(0, sys.argv[1])
from support.registrant import Registrant, Vm
client = Registrant(sys.argv[2]).negotiate()
if sys.argv[4:]:
    print(client.tell("register-vm", [int(sys.argv[4])], name=sys.argv[3]), flush=True)
else:
    client.register(Vm(), sys.argv[3])
    print("registered", flush=True)
    sys.stdin.read()
"""


def another(daemon, name, *words, uid, capability="dac_override", **options):
    path = os.path.join(daemon.run_directory, "register.sock")
    command = [*as_user(uid, None, capability), sys.executable, "-c", AS_ANOTHER, TESTS, path, name, *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def test_a_vm_of_another_user_is_theirs(daemon, host, vm, name):
    """Who was given the file of a VM can't rename it."""
    machine = vm()
    wait_until(lambda: of_this_process(host), "the kernel shows it")
    with another(daemon, name, str(machine.stats), uid=STRANGER, pass_fds=[machine.stats]) as process:
        assert "this VM is another user's" in process.communicate(timeout=TIMEOUT)[0]
    assert not told(host, name)


def test_its_user_may_use_its_sockets(start, programs, name):
    daemon = start("--user", "nobody", "--group", "nogroup")
    with another(daemon, name, uid=OWNER) as process:
        assert process.stdout.readline() == "registered\n"
        daemon.wait_for(name)
        path = daemon.socket(name)
        assert can_use(path, OWNER) and not can_use(path, MEMBER)
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0
    daemon.wait_without(name)


def test_a_process_that_is_gone_has_no_vm(daemon, name):
    """Another one may still hold its connection."""
    script = AS_ANOTHER + "\nimport os\nif os.fork() == 0:\n    sys.stdin.close(); import time; time.sleep(1000)\n"
    path = os.path.join(daemon.run_directory, "register.sock")
    with subprocess.Popen([sys.executable, "-c", script.replace("    sys.stdin.read()\n", ""), TESTS, path, name],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as process:  # fmt: skip
        assert process.stdout.readline() == "registered\n"
        assert process.wait(TIMEOUT) == 0
        daemon.wait_without(name)
        os.killpg(process.pid, 9)
        process.stdout.close()


# ---- another process tells of it -----------------------------------------------------------------


@pytest.fixture
def process(programs):
    """Another process, which stands for a VMM."""
    return lambda *around: programs.start([*around, "sleep", "1000"])


def test_one_process_tells_of_anothers_vm(daemon, host, registrant, vm, process, name):
    vmm = process()
    registrant().register(vm(), name, pid=vmm.pid)
    assert (told(host, name)["pid"], told(host, name)["uid"]) == (vmm.pid, os.getuid())
    vmm.kill()
    daemon.wait_without(name)


def test_a_process_that_is_none_of_the_users(registrant, vm, process, name):
    client, machine, strangers = registrant(), vm(), process(*as_user(STRANGER))
    wait_until(lambda: process_status(strangers.pid)["Uid"].split()[3] == str(STRANGER), "it is a stranger's")
    ended = process()
    ended.kill()
    for pid in (strangers.pid, ended.pid, 0, -1, 2**31, 2**63 - 1):
        error = client.error("register-vm", [machine.stats], name=name, pid=pid)
        assert error == "Parameter 'pid' expects a process of the same user"
    strangers.kill()
    client.register(machine, name)


# ---- limits --------------------------------------------------------------------------------------


def test_ten_thousand_messages(daemon, host, registrant, vm, name):
    """Whatever they are: the others are answered, and no file is left."""
    client, machine = registrant(), vm()
    wait_until(lambda: of_this_process(host), "the kernel shows it")
    before = daemon.n_files()
    for _ in range(100):
        for _ in range(100):
            client.send_files('{"execute": "register-vm", "arguments": {"name": "../../etc"}}', [machine.stats])
        assert host.execute("query-vms") is not None
        for _ in range(100):
            assert "error" in client.read_message()
    wait_until(lambda: daemon.n_files() <= before, "no file is left")
    client.register(machine, name)


def test_files_that_belong_to_no_message(daemon, registrant, vm):
    """506 may wait; one more, and the connection is closed."""
    before = daemon.n_files()
    for surplus in (0, 1):
        client = registrant()
        null = os.open("/dev/null", os.O_RDONLY)
        client.send_files(" ", [null] * ANYBODY)
        client.send_files(" ", [null] * ANYBODY)
        if surplus:
            client.send_files(" ", [null])
            assert client.read_line() == b""
        else:
            assert "no statistics file" in client.error("register-vm", name="a")
        client.close()
        os.close(null)
    wait_until(lambda: daemon.n_files() <= before, "they are closed")
    registrant()


def test_registrants_leave_places_to_others(start, programs, vm, name):
    """However many come: they have a server of their own."""
    daemon = start("--user", "root", "--group", "root", around=["prlimit", "--nofile=1024:1024"])
    path = os.path.join(daemon.run_directory, "register.sock")
    greetings = [programs.keep(Registrant(path)).read_message() for _ in range(128)]
    assert all("QMP" in greeting for greeting in greetings)
    error = programs.keep(Registrant(path)).read_message()["error"]
    assert error["desc"] == "Too many clients, at most 128"
    host = programs.client(os.path.join(daemon.run_directory, "host.sock"))
    assert host.execute("query-vms") is not None


DEAD_AT_ACCEPT = """
import os, socket, sys
listener = sys.argv[1]
os.kill(int(sys.argv[2]), 19)
client = socket.socket(socket.AF_UNIX)
client.connect(listener)
os.set_inheritable(client.fileno(), True)
if os.fork():
    os._exit(0)
print(flush=True)
sys.stdin.read(1)
print("QMP" in client.recv(100).decode(), flush=True)
"""


def test_one_that_has_ended_before_it_is_accepted(daemon):
    """Nothing would tell that its VM is gone, as another process has its connection."""
    path = os.path.join(daemon.run_directory, "register.sock")
    with subprocess.Popen([sys.executable, "-c", DEAD_AT_ACCEPT, path, str(daemon.pid)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:  # fmt: skip
        assert process.stdout.readline() == "\n"
        assert process.wait(TIMEOUT) == 0
        os.kill(daemon.pid, signal.SIGCONT)
        process.stdin.write("x")
        process.stdin.flush()
        assert process.stdout.readline() == "False\n"


def test_a_user_has_a_share_of_the_files(start, programs, vm):
    daemon = start("--user", "root", "--group", "root", around=["prlimit", "--nofile=1024:1024"])
    path = os.path.join(daemon.run_directory, "register.sock")
    null = os.open("/dev/null", os.O_RDONLY)
    first, second = (programs.keep(Registrant(path).negotiate()) for _ in range(2))
    first.send_files(" ", [null] * ANYBODY)
    assert "error" in first.tell("query-nothing")
    second.send_files(" ", [null] * 4)
    os.close(null)
    assert second.read_line() == b""  # 256 are a quarter
    first.assert_alive()
