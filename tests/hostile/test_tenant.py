# SPDX-License-Identifier: MIT
"""A user with very many VMs, or whose VMs come and go without end: what others' VMs notice, and the daemon."""

import collections
import concurrent.futures
import json
import os
import signal
import subprocess
import time

import pytest
from honest import Honest

from support.daemon import Daemon
from support.kernel_reader import BARE_VMM, BareVmm
from support.programs import EMULATED, SANITIZED, cpu_time, memory_bound, wait_until
from support.registrant import Registrant, Vm
from support.stats_fds import values_of_files

pytestmark = pytest.mark.usefixtures("readable_host")

TENANT, OTHER, THIRD = 4324, 4325, 4326  # people
FILES = 256  # of a daemon, half of which VMs can have, two each
SERVED = FILES // 2 // 2  # VMs, at most
MANY = 1000 if EMULATED or SANITIZED else 10000
AT_A_TIME = 500  # of one process
STARTS, SECONDS, THERE = 100, 3, 20  # a second, for so long, of which so many are there at a time
LIST = b'{"execute": "query-vms"}\n'


@pytest.fixture
def start(programs):
    def start(*around):
        options = ["--user", "root", "--group", "root", "--owners", "1000-60000"]
        daemon = programs.keep(Daemon(programs.directory, *options, around=around))
        assert daemon.ready, daemon.log()
        return daemon

    return start


@pytest.fixture
def vms_of(programs):
    """Starts a process of a user with VMs that have no vCPUs."""
    options = ["--no-rows", "--vcpus", "", "--vms"]
    return lambda uid, n: programs.keep(BareVmm(programs.directory, "--uid", uid, *options, n))


class Host:
    """What host.sock tells."""

    def __init__(self, programs, daemon):
        self.client = programs.keep(Honest(os.path.join(daemon.run_directory, "host.sock"), timeout=120))

    def vms(self):
        return json.loads(self.client.ask(LIST))["return"]

    def of(self, vmm):
        return [vm for vm in self.vms() if vm["pid"] == vmm.pid]

    def served(self, vmm):
        """Those that have sockets, by name."""
        return {vm["name"]: vm["sockets"] for vm in self.of(vmm) if len(vm["sockets"]) == 2}

    def n_served(self):
        """Of all users; others may have VMs here, too."""
        return sum(len(vm["sockets"]) == 2 for vm in self.vms())

    def wait_for(self, vmm, n):
        wait_until(lambda: len(self.of(vmm)) == n, f"{n} VMs are listed")

    def wait_for_sockets(self, vmm, n):
        wait_until(lambda: len(self.served(vmm)) == n, f"{n} have sockets")


@pytest.fixture
def limited(programs, start):
    """(a daemon that has few files, what it tells)"""
    daemon = start("prlimit", f"--nofile={FILES}:{FILES}")
    return daemon, Host(programs, daemon)


# ---- more VMs than there are files for -----------------------------------------------------------


def test_one_users_vms_leave_others_their_share(programs, limited, vms_of):
    """Who has fewer has sockets for all, whenever they come, and the newest of who has most lack theirs."""
    _, host = limited
    before = vms_of(OTHER, 1)
    host.wait_for_sockets(before, 1)
    (path,) = host.served(before).values()
    client = Honest(path["grouped"])
    many = vms_of(TENANT, FILES)
    host.wait_for(many, FILES)
    assert 0 < len(host.served(many)) < SERVED
    behind = vms_of(THIRD, 3)
    host.wait_for_sockets(behind, 3)
    assert b"return" in client.ask()  # the same connection
    for _ in range(FILES // 8):  # and others come
        assert b"return" in programs.keep(Honest(path["grouped"])).ask()
    served = host.served(many)
    assert set(served) == {vm["name"] for vm in host.of(many)[: len(served)]}
    later = vms_of(OTHER, 2)
    host.wait_for_sockets(later, 2)
    client.stop()


def test_two_users_with_too_many_have_the_same_share(limited, vms_of):
    _, host = limited
    one = vms_of(TENANT, FILES)
    host.wait_for(one, FILES)
    n = host.n_served()
    other = vms_of(OTHER, FILES)
    wait_until(lambda: abs(len(host.served(one)) - len(host.served(other))) <= 1, "both have as many")
    assert host.served(one) and abs(host.n_served() - n) <= 1


def test_what_the_others_leave_is_ones_own_again(limited, vms_of):
    _, host = limited
    many = vms_of(TENANT, FILES)
    host.wait_for(many, FILES)
    n = host.n_served()
    other = vms_of(OTHER, 4)
    host.wait_for_sockets(other, 4)
    other.stop()
    wait_until(lambda: not host.of(other) and host.n_served() >= n - 1, "no file is left unused")
    many.kill()
    last = vms_of(TENANT, 4)
    host.wait_for_sockets(last, 4)


def test_the_log_says_it_seldom(limited, vms_of):
    daemon, host = limited
    many = vms_of(TENANT, FILES)
    host.wait_for(many, FILES)
    other = vms_of(OTHER, FILES)
    host.wait_for(other, FILES)
    wait_until(lambda: host.served(other), "it has its share")
    lines = [line for line in daemon.log().splitlines() if "sockets" in line]
    assert "Too many open files" in lines[0] and len(lines) <= 10
    assert daemon.log().count("further lines like this one") == 1


# ---- what another user's VM notices --------------------------------------------------------------


class Neighbour:
    """A VM of another user that has run once, and who looks at it."""

    def __init__(self, programs, host):
        self.programs, self.host = programs, host
        self.vmm = programs.keep(BareVmm(programs.directory, "--uid", OTHER, "--guest", "once"))
        host.wait_for_sockets(self.vmm, 1)
        (self.sockets,) = host.served(self.vmm).values()
        self.client = programs.keep(Honest(self.sockets["grouped"]))
        self.values = values_of_files(programs, self.vmm.pid, (0,))[0]
        assert any(self.values.values())

    def measure(self, seconds):
        """Its round trips, after which its figures are right."""
        self.client.trips.clear()
        self.client.measure(seconds, pause=0.005, at_least=100)
        flat = self.programs.client(self.sockets["flat"])
        (vcpu,) = flat.execute("query-stats", target="vcpu")
        values = {stat["name"]: stat["value"] for stat in vcpu["stats"]}
        assert values == self.values
        flat.close()
        return self.client

    def stay(self):
        """It has the sockets that it had."""
        assert list(self.host.served(self.vmm).values()) == [self.sockets]


def measure_new(programs, daemon, host, vms_of):
    """(ms until another VM has its sockets, ms until one has registered)"""
    begin = time.monotonic()
    host.wait_for_sockets(vms_of(THIRD, 1), 1)
    started = time.monotonic() - begin
    registrant = programs.keep(Registrant(os.path.join(daemon.run_directory, "register.sock")))
    vm = programs.keep(Vm())
    begin = time.monotonic()
    registrant.negotiate().register(vm, "registered")
    registered = time.monotonic() - begin
    assert [vm["way"] for vm in host.vms() if vm["name"] == "registered"] == ["registered"]
    registrant.close()
    return f"a VM that starts has its sockets {started * 1e3:.0f} ms later, one is registered in {registered * 1e3:.0f} ms"


class Taken:
    """What the daemon takes from now on."""

    def __init__(self, daemon):
        self.daemon, self.begin, self.cpu = daemon, time.monotonic(), cpu_time(daemon.pid)

    def share(self):
        """Of one CPU."""
        return (cpu_time(self.daemon.pid) - self.cpu) / (time.monotonic() - self.begin)


def test_ten_thousand_vms_of_one_user(programs, start, vms_of):
    """They are more than there are files for."""
    daemon = start("prlimit", f"--nofile={MANY // 2}:{MANY // 2}")
    host = Host(programs, daemon)
    neighbour = Neighbour(programs, host)
    print(f"before: {neighbour.measure(1)}")
    files, memory = len(os.listdir(f"/proc/{daemon.pid}/fd")), daemon.memory()
    with concurrent.futures.ThreadPoolExecutor(4) as starters:
        many = list(starters.map(lambda n: vms_of(TENANT, n), MANY // AT_A_TIME * [AT_A_TIME]))
    last = time.monotonic()
    wait_until(lambda: len(host.vms()) > MANY, "all are listed", timeout=120)
    print(f"{MANY} VMs are listed {time.monotonic() - last:.2f} s after the last was made")
    taken = Taken(daemon)
    time.sleep(2)
    share = taken.share()
    print(f"beside them: {neighbour.measure(2)}")
    print(measure_new(programs, daemon, host, vms_of))
    neighbour.stay()
    print(f"the daemon has {daemon.memory('VmHWM') / 1024:.0f} MiB, and takes {100 * share:.0f} % of a CPU")
    assert share < 0.5  # a quarter, but for a pass at either end
    assert daemon.memory("VmHWM") <= memory_bound(memory + 8 * MANY)
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) <= MANY * 3 // 8 + 64
    assert len(daemon.log().splitlines()) <= 20
    for vmm in many:
        vmm.send_signal(signal.SIGKILL)
    for vmm in many:
        vmm.wait()
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) <= files + 8, "all are gone", timeout=120)
    neighbour.measure(0)
    neighbour.stay()


class Churn:
    """VMMs of a user that start and end, so many a second as far as there are CPUs for it."""

    def __init__(self):
        self.command = [BARE_VMM, "--uid", str(TENANT), "--no-rows", "--vcpus", ""]
        self.vmms, self.n = collections.deque(), 0

    def start(self):
        self.vmms.append(subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
        self.n += 1

    def end(self, n_left):
        while len(self.vmms) > n_left:
            vmm = self.vmms.popleft()
            vmm.stdin.close()
            vmm.wait()

    def go_on(self, ask):
        """Asks between any two. Returns how many a second there were."""
        begin = time.monotonic()
        while self.n < STARTS * SECONDS:
            self.start()
            self.end(THERE)
            ask()
            time.sleep(max(0, begin + self.n / STARTS - time.monotonic()))
        return self.n / (time.monotonic() - begin)


def test_a_hundred_starts_a_second(programs, start, vms_of):
    daemon = start()
    host = Host(programs, daemon)
    neighbour = Neighbour(programs, host)
    print(f"before: {neighbour.measure(1)}")
    files, memory = len(os.listdir(f"/proc/{daemon.pid}/fd")), daemon.memory()
    churn, taken = Churn(), Taken(daemon)
    neighbour.client.trips.clear()
    rate = churn.go_on(lambda: neighbour.client.measure(0, at_least=len(neighbour.client.trips) + 1))
    share = taken.share()
    print(f"beside {rate:.0f} starts a second: {neighbour.client}")
    print(measure_new(programs, daemon, host, vms_of))
    churn.end(0)
    neighbour.measure(0)
    neighbour.stay()
    print(f"the daemon has {daemon.memory('VmHWM') / 1024:.0f} MiB, and took {100 * share:.0f} % of a CPU")
    assert share < 0.5
    assert daemon.memory("VmHWM") <= memory_bound(memory + 16 * 1024)
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) <= files + 8, "all are gone")
    assert len(daemon.log().splitlines()) <= 20
