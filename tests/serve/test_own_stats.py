# SPDX-License-Identifier: MIT
"""A VMM's own statistics, whose numbers lie in a memory file that the daemon reads."""

import ctypes
import fcntl
import json
import mmap
import os
import signal
import struct
import sys
import tempfile

import pytest

from support.programs import TIMEOUT, wait_until
from support.registrant import Registrant, Rows, Vm

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
READS = [{"name": "disk_reads", "type": "cumulative"}]
PAIR = [*READS, {"name": "disk_depth", "type": "instant"}]


@pytest.fixture
def client(daemon, programs, name):
    """A VM that has been registered."""
    path = os.path.join(daemon.run_directory, "register.sock")
    client = programs.keep(Registrant(path).negotiate())
    client.register(programs.keep(Vm()), name)
    daemon.wait_for(name)
    return client


@pytest.fixture
def ask(daemon, client, programs, name):
    """The own statistics of a target, by object."""
    socket = programs.client(daemon.socket(name))

    def query(target, **words):
        arguments = {"target": target, "filters": [{"provider": "disk"}]} | words
        reply = socket.execute_with("query-stats", arguments)
        if target == "vm":
            groups = {None: reply["vm"]}
        else:
            groups = {each["path"]: each["providers"] for each in reply.get(target, ())}
        return {path: {stat["name"]: stat["value"] for group in found for stat in group["stats"]}
                for path, found in groups.items()}  # fmt: skip

    query.socket = socket
    return query


@pytest.fixture
def rows(programs):
    return lambda *words, **options: programs.keep(Rows(*words, **options))


def add(client, rows, target, stats=PAIR, **words):
    reply = client.add_stats(rows, "disk", target, stats, **words)
    assert "return" in reply, reply


def add_objects(client, target="block", **paths):
    objects = [{"path": path, "row": row} for path, row in paths.items()]
    client.do("add-objects", provider="disk", target=target, objects=objects)


# ---- what is shown -------------------------------------------------------------------------------


def test_values_are_those_of_the_moment(client, ask, rows):
    numbers = rows(2)
    numbers.write(5, 2**64 - 1)
    add(client, numbers, "vm")
    assert ask("vm") == {None: {"disk_reads": 5, "disk_depth": 2**64 - 1}}
    for reads in range(6, 10):
        numbers.write(reads, 0)
        assert ask("vm") == {None: {"disk_reads": reads, "disk_depth": 0}}


def test_objects_come_and_go(client, ask, rows):
    numbers = rows(2, n=4, offset=4096)
    for row in range(4):
        numbers.write(row, 10 * row, row=row)
    add(client, numbers, "block")
    assert ask("block") == {}
    add_objects(client, sda=3, sdb=0)
    assert ask("block") == {"sda": {"disk_reads": 3, "disk_depth": 30}, "sdb": {"disk_reads": 0, "disk_depth": 0}}
    add_objects(client, sdc=1)
    client.do("remove-objects", provider="disk", target="block", paths=["sdb", "sda"])
    assert ask("block") == {"sdc": {"disk_reads": 1, "disk_depth": 10}}
    client.do("remove-stats", provider="disk", target="block")
    assert "error" in ask.socket.ask(json.dumps({"execute": "query-stats", "arguments": {"target": "block"}}))


def test_they_stand_beside_the_kernels(client, ask, rows):
    numbers = rows(1)
    numbers.write(7)
    add(client, numbers, "vcpu", READS)
    add_objects(client, "vcpu", **{"/machine/cpu[0]": 0})
    reply = ask.socket.execute("query-stats", target="vcpu")
    providers = {each["provider"]: each["stats"] for each in reply["vcpus"][0]["providers"]}
    assert providers["disk"] == [{"name": "disk_reads", "value": 7}]
    assert len(providers["kvm"]) > 10


def test_how_they_are_described(client, ask, rows):
    stats = [{"name": "latency", "type": "log-hist", "unit": "seconds", "exponent": -9, "count": 3, "help": "Of reads."},
             {"name": "sizes", "type": "linear-hist", "unit": "bytes", "base": "pow2", "exponent": 10, "count": 2,
              "bucket-size": 4}]  # fmt: skip
    numbers = rows(5)
    numbers.write(1, 2, 3, 4, 5)
    add(client, numbers, "vm", stats)
    shown = ask.socket.execute("query-stats-schemas", provider="disk", help=True)
    shown = next(each for each in shown["vm"] if each["provider"] == "disk")["stats"]
    assert shown[0] | stats[0] == shown[0] | {"count": 3} and shown[0]["help"] == "Of reads."
    assert (shown[1]["unit"], shown[1]["base"], shown[1]["exponent"], shown[1]["bucket-size"]) == ("bytes", "pow2", 10, 4)
    assert [stat["values"] if isinstance(stat, dict) else stat for stat in ask("vm")[None].values()] == [[1, 2, 3], [4, 5]]


def test_nothing_is_told_where_nothing_was(client, ask, rows):
    """A hole has zeros, and reading it takes no memory; nor is there an end beyond which to read."""
    numbers = rows(2, size=1 << 40)
    last = (1 << 40) // numbers.row_size - 1
    add(client, numbers, "block")
    add_objects(client, first=0, last=last)
    zeros = {"disk_reads": 0, "disk_depth": 0}
    assert ask("block") == {"first": zeros, "last": zeros}
    assert numbers.blocks() == 0
    numbers.write(1, 2, row=last)
    assert ask("block") == {"first": zeros, "last": {"disk_reads": 1, "disk_depth": 2}}
    os.posix_fallocate(numbers.fd, 0, 4096)
    punch(numbers.fd, last * numbers.row_size)
    assert ask("block") == {"first": zeros, "last": zeros}


def punch(fd, at):
    """FALLOC_FL_PUNCH_HOLE, with FALLOC_FL_KEEP_SIZE."""
    libc = ctypes.CDLL(None, use_errno=True)
    page = at // 4096 * 4096
    assert libc.fallocate(fd, 3, ctypes.c_long(page), ctypes.c_long(8192)) == 0


@pytest.fixture
def huge_page():
    """One page of 2 MiB more than the host has reserved, while the test runs."""
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "r+", encoding="ascii") as reserved:
            before = int(reserved.read())
            reserved.write(str(before + 1))
            reserved.flush()
            yield
            reserved.write(str(before))
    except OSError as error:
        pytest.skip(f"no huge page can be reserved: {error}")


HUGE = 2 << 20


def huge(rows):
    try:
        return rows(2, size=HUGE, flags=os.MFD_HUGETLB | os.MFD_HUGE_2MB)
    except OSError as error:
        return pytest.skip(f"no file of huge pages: {error}")


def test_a_hole_in_huge_pages(client, ask, rows):
    add(client, huge(rows), "vm")
    assert ask("vm") == {None: {"disk_reads": 0, "disk_depth": 0}}


def test_huge_pages(client, ask, rows, huge_page):
    numbers = huge(rows)
    add(client, numbers, "vm")
    with mmap.mmap(numbers.fd, HUGE) as memory:
        memory[8:24] = struct.pack("2Q", 3, 4)
        assert ask("vm") == {None: {"disk_reads": 3, "disk_depth": 4}}


def test_a_file_that_can_only_be_read(client, ask, rows):
    numbers = rows(1)
    numbers.write(9)
    fd = os.open(f"/proc/self/fd/{numbers.fd}", os.O_RDONLY)
    client.do("add-stats", [fd], provider="disk", target="vm", stats=READS)
    os.close(fd)
    assert ask("vm") == {None: {"disk_reads": 9}}


VMM = """
import sys
sys.path.insert(0, sys.argv[1])
from support.registrant import Registrant, Rows, Vm
client = Registrant(sys.argv[2]).negotiate()
client.register(Vm(), sys.argv[3])
rows = Rows(1)
rows.write(11)
assert "return" in client.add_stats(rows, "disk", "vm", [{"name": "disk_reads", "type": "cumulative"}])
print("registered", flush=True)
sys.stdin.read()
"""


def test_nobody_waits_for_a_vmm(daemon, programs, name):
    """Stopped, its numbers are those that it has; killed, it is gone, and its file is closed."""
    path = os.path.join(daemon.run_directory, "register.sock")
    before = daemon.n_files()
    vmm = programs.start([sys.executable, "-c", VMM, TESTS, path, name])
    assert vmm.read_line() == "registered", vmm.log()
    daemon.wait_for(name)
    vmm.send_signal(signal.SIGSTOP)
    client = programs.client(daemon.socket(name))
    reply = client.execute_with("query-stats", {"target": "vm", "filters": [{"provider": "disk"}]})
    assert reply["vm"][0]["stats"] == [{"name": "disk_reads", "value": 11}]
    client.close()
    vmm.kill()
    daemon.wait_without(name)
    wait_until(lambda: daemon.n_files() <= before, "its files are closed", TIMEOUT)


# ---- what is refused -----------------------------------------------------------------------------


def refusal(client, rows, target="vm", stats=PAIR, provider="disk", **words):
    return client.add_stats(rows, provider, target, stats, **words)["error"]["desc"]


def test_files_that_are_none(client, rows):
    right = "no memory file that can be read and is sealed against shrinking"
    pipe = os.pipe()
    numbers = rows(2)
    fds = [*pipe, os.open("/dev/null", os.O_RDONLY), os.open(f"/proc/self/fd/{numbers.fd}", os.O_WRONLY),
           rows(2, seals=0).fd, rows(2, seals=fcntl.F_SEAL_GROW).fd]  # fmt: skip
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        file.truncate(4096)
        for fd in (*fds, file.fileno()):
            error = client.error("add-stats", [fd], provider="disk", target="vm", stats=PAIR)
            assert error == f"File 1 of this message is {right}"
    for fd in fds[:4]:
        os.close(fd)
    error = client.error("add-stats", provider="disk", target="vm", stats=PAIR)
    assert error == "1 memory files must come with this message, 0 have, or were taken"


def test_rows_that_have_no_room(client, rows):
    short = rows(2, size=39)
    assert "the file has 39 bytes, and no room for a row of 40 from byte 0 on" in refusal(client, short)
    assert "no room for a row of 40 from byte 8 on" in refusal(client, rows(2), offset=8)
    assert "no room" in refusal(client, rows(2), offset=2**63 - 8)
    assert "no room" in refusal(client, rows(2), **{"row-size": 2**63 - 8})
    assert "multiples of 8" in refusal(client, rows(2, size=4096), offset=4)
    assert "multiples of 8" in refusal(client, rows(2, size=4096), **{"row-size": 44})
    assert "row-size is 32, must be at least 40" in refusal(client, rows(2), **{"row-size": 32})
    assert "'offset' is -8, must be 0 to" in refusal(client, rows(2), offset=-8)
    add(client, rows(2), "vm")


@pytest.mark.parametrize(
    "stats, error",
    [
        ([], "Parameter 'stats' has 0 elements, must have 1 to 1024"),
        ([{"name": "a", "type": "peak"}] * 2, "'a'"),
        ([{"name": "A", "type": "peak"}], "'A'"),
        ([{"name": "a", "type": "other"}], "'other'"),
        ([{"name": "a", "type": "peak", "count": 0}], "Parameter 'count' is 0, must be 1 to 65535"),
        ([{"name": "a", "type": "peak", "count": 2}], "count"),
        ([{"name": "a", "type": "linear-hist", "count": 2}], "bucket"),
        ([{"name": "a", "type": "peak", "exponent": 32768}], "Parameter 'exponent' is 32768"),
        ([{"name": "a", "type": "peak", "bucket-size": -1}], "Parameter 'bucket-size' is -1"),
        ([{"name": "a", "type": "peak", "help": "x" * 256}], "Parameter 'help' expects up to 255 bytes of text"),
        ([{"name": "a", "type": "peak", "help": "a\0b"}], "Parameter 'help' expects"),
        ([{"name": "a", "type": "peak", "help": "\x1b[2J"}], "Parameter 'help' expects"),
    ],
)
def test_statistics_that_are_none(client, rows, stats, error):
    assert error in refusal(client, rows(8), stats=stats)


def test_the_number_of_statistics(client, rows):
    many = [{"name": f"a{i}", "type": "peak"} for i in range(1025)]
    assert "has 1025 elements, must have 1 to 1024" in refusal(client, rows(1025), stats=many)
    add(client, rows(1024), "vm", many[:1024])


def test_names_that_are_taken(client, rows):
    for provider in ("kvm", "sched", "vitals", "kvm_vcpu", "sched-vm"):
        error = refusal(client, rows(2), provider=provider)
        assert error.startswith(f"Parameter 'provider' is '{provider}': kvm, sched and vitals")
    assert "return" in client.add_stats(rows(2), "kvmtool", "vm", PAIR)
    assert "Disk" in refusal(client, rows(2), provider="Disk")
    assert "vcpus" in refusal(client, rows(2), target="vcpus")
    add(client, rows(2), "vm")
    assert refusal(client, rows(2)) == "The VM has statistics 'disk' of target 'vm' already"


def test_objects_that_are_none(client, ask, rows):
    add(client, rows(2), "vm")
    add(client, rows(2, n=1024), "block")

    def error(target, *objects, command="add-objects"):
        return client.error(command, provider="disk", target=target, objects=[dict(zip(("path", "row"), each)) for each in objects])

    assert error("vm", ("a", 0)).endswith("target 'vm' has no objects")
    assert error("net", ("a", 0)) == "The VM has no statistics 'disk' of target 'net'"
    assert error("block", ("", 0)).endswith("an object's path has 0 bytes, must have 1 to 1023")
    assert "has 1024 bytes, must have 1 to 1023" in error("block", ("x" * 1024, 0))
    assert error("block", ("a", 1024)).endswith("row 1024 is beyond the end of the file, which has 1024")
    assert "'row' is -1" in error("block", ("a", -1))
    assert error("block", ("a", 0), ("b", 1), ("a", 2)).endswith("'a' has a row already")
    assert ask("block") == {}
    add_objects(client, **{f"o{i}": i for i in range(1024)})
    assert len(ask("block")) == 1024
    assert error("block", ("a", 0)).endswith("have at most 1024 objects")
    gone = client.error("remove-objects", provider="disk", target="block", paths=["o1", "o1"])
    assert gone.endswith("'o1' has no row")
    assert len(ask("block")) == 1024


def test_the_number_of_targets(client, rows):
    for i in range(16):
        add(client, rows(1), f"t{i}", READS)
    assert "at most 16" in refusal(client, rows(1), "t16", READS)
    client.do("remove-stats", provider="disk", target="t3")
    add(client, rows(1), "t16", READS)


def test_without_a_vm(daemon, programs, rows):
    client = programs.keep(Registrant(os.path.join(daemon.run_directory, "register.sock")).negotiate())
    assert refusal(client, rows(2)) == "There is no VM: register-vm comes first"
