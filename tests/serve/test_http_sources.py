# SPDX-License-Identifier: MIT
"""Which VMs HTTP shows, by which way, where VMMs register, stop, die, or have garbage to say."""

import os
import signal
import sys
import threading
import urllib.parse

import pytest

from support import exposition
from support.programs import wait_until
from support.registrant import Registrant, Rows, Vm
from support.this_host import name_of, types_of_kvm
from support.web import Web
from test_host_socket import at_daemon
from test_registration import values_of_file
from test_users import STRANGER, as_user

GARBLED_VMM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support/garbled_vmm.py")
UUID = "4a1c1e6a-0000-4000-8000-00000000c0de"


@pytest.fixture
def vm(programs):
    """Makes a VM of this process."""
    return lambda *vcpus: programs.keep(Vm(vcpus or (0,)))


@pytest.fixture
def registrant(web, programs):
    return lambda: programs.keep(Registrant(register_path(web.daemon)).negotiate())


def register_path(daemon):
    return os.path.join(daemon.run_directory, "register.sock")


def of_one(found, name):
    """{name and other labels: value} of a VM."""
    return {(each, tuple(pair for pair in labels if pair != ("vm", name))): value
            for (each, labels), value in found.samples.items() if ("vm", name) in labels}  # fmt: skip


def sources(found):
    """{VM: (source, whether it is up)}"""
    return {labels["vm"]: (labels["source"], value) for labels, value in found.of("vitals_source_up")}


def check_values(found, name, machine):
    expected = {None: values_of_file(machine.stats)}
    expected |= {vcpu: values_of_file(fd) for vcpu, fd in machine.vcpus.items()}
    exposition.check_values_of_kvm(found, name, expected, types_of_kvm())


# ---- what is registered -------------------------------------------------------------------------


def test_a_registered_vm_is_in_a_scrape(web, registrant, vm, name):
    machine = vm(0, 5)
    registrant().register(machine, name, uuid=UUID, vmm="tiny")
    found = web.openmetrics("?preset=full")
    check_values(found, name, machine)
    assert sources(found)[name] == ("registered", "1") and sources(found)[""] == ("kernel", "1")
    (info,) = [labels for labels, _ in found.of("kvm_vm_info") if labels["vm"] == name]
    assert info == {"vm": name, "uuid": UUID, "pid": str(os.getpid()), "vmm": "tiny", "way": "registered"}
    assert {labels["collector"] for labels, _ in found.of("vitals_collector_duration_seconds")} == {"kernel", "registered"}


def test_a_registered_vm_is_in_json(web, registrant, vm, name):
    machine = vm(0, 5)
    registrant().register(machine, name, uuid=UUID, vmm="tiny")
    shown = web.vms()[name]
    assert (shown["way"], shown["uuid"], shown["vmm"], shown["vcpus"]) == ("registered", UUID, "tiny", 2)
    (target,) = [each for each in web.json("/api/v1/vms/" + name)["targets"] if each["name"] == "vcpu"]
    assert [each["path"] for each in target["objects"]] == ["/machine/cpu[0]", "/machine/cpu[5]"]


def test_it_is_one_vm_while_it_is_registered(web, registrant, vm, name):
    """In the next scrape, however it ends."""

    def ours(found):
        return [labels["way"] for labels, _ in found.of("kvm_vm_info") if labels["pid"] == str(os.getpid())]

    machine, client = vm(), registrant()
    assert ours(web.openmetrics()) == ["kernel"]
    client.register(machine, name)
    assert ours(web.openmetrics()) == ["registered"]
    client.close()
    web.daemon.wait_without(name)
    assert ours(web.openmetrics()) == ["kernel"]


def test_changes_of_a_registered_vm(web, registrant, vm, name):
    machine, client = vm(3), registrant()
    client.register(machine, name)
    assert web.vms()[name]["vcpus"] == 1
    machine.plug(1)
    client.add(machine, 1)
    client.do("remove-vcpus", paths=["/machine/cpu[3]"])
    client.do("set-running", running=False)
    shown = web.vms()[name]
    assert (shown["vcpus"], shown["state"]) == (1, "paused")
    found = web.openmetrics()
    assert {labels["vcpu"] for labels, _ in found.of("kvm_vcpu_exits_total") if labels["vm"] == name} == {"1"}


def test_statistics_that_a_vmm_takes_back(web, programs, registrant, vm, name):
    """And gives again, described in another way."""

    def targets():
        names = [each["name"] for each in web.json("/api/v1/vms/" + name)["targets"]]
        return sorted(each for each in names if each.startswith("own"))

    client = registrant()
    client.register(vm(), name)
    for n in (1, 2):
        stats = [{"name": f"reads{i}", "type": "cumulative"} for i in range(n)]
        for target in ("own-a", "own-b"):
            client.do("add-stats", [programs.keep(Rows(n)).fd], provider="disk", target=target, stats=stats)
        assert targets() == ["own-a", "own-b"]
        client.do("remove-stats", provider="disk", target="own-a")
        assert targets() == ["own-b"]
        client.do("remove-stats", provider="disk", target="own-b")
    assert targets() == []


OWN = [
    {"name": "reads", "type": "cumulative", "help": "What a \"guest\" has read \\ by itself."},
    {"name": "read_us", "type": "cumulative", "unit": "seconds", "exponent": -6},
    {"name": "depth", "type": "instant"},
    {"name": "latency_hist", "type": "log-hist", "unit": "seconds", "exponent": -9, "count": 3},
    {"name": "sizes", "type": "linear-hist", "unit": "bytes", "base": "pow2", "exponent": 10, "count": 2, "bucket-size": 4},
]


def test_own_statistics_of_a_vmm(web, programs, registrant, vm, name):
    """Of the VM, of vCPUs and of objects, with types, units, help and buckets."""
    client, rows = registrant(), programs.keep(Rows(8, n=2))
    client.register(vm(), name)
    rows.write(2**64 - 1, 1500000, 7, 1, 2, 3, 4, 5)
    rows.write(10, 0, 8, 0, 0, 0, 1, 0, row=1)
    client.do("add-stats", [rows.fd], provider="disk", target="vm", stats=OWN)
    for target, path in (("vcpu", "/machine/cpu[0]"), ("block", 'sd"a')):
        client.do("add-stats", [rows.fd], provider="disk", target=target, stats=OWN)
        client.do("add-objects", provider="disk", target=target, objects=[{"path": path, "row": 1}])
    found = web.openmetrics("?preset=full")
    exposition.read_prometheus(web.get("/metrics?preset=full")[1])
    assert found.value("disk_vm_reads_total", vm=name) == str(2**64 - 1)
    assert found.value("disk_vm_read_seconds_total", vm=name) == "1.5"
    assert found.value("disk_vm_depth", vm=name) == "7"
    assert found.value("disk_vcpu_reads_total", vm=name, vcpu="0") == "10"
    assert found.value("disk_block_depth", vm=name, object='sd"a') == "8"
    buckets = [(labels["le"], value) for labels, value in found.of("disk_vm_latency_duration_seconds_bucket")]
    assert buckets == [("1e-09", "1"), ("2e-09", "3"), ("+Inf", "6")]
    buckets = [(labels["le"], value) for labels, value in found.of("disk_vm_sizes_size_bytes_bucket")]
    assert buckets == [("4096.0", "4"), ("+Inf", "9")]
    assert found.heads["disk_vm_read_seconds", "UNIT"] == "seconds"
    assert "What a \\\"guest\\\" has read \\\\ by itself." in found.heads["disk_vm_reads", "HELP"]
    assert found.value("vitals_series_dropped", reason="name") == "0"


def test_a_name_that_two_vmms_describe_differently(web, programs, registrant, vm, name):
    """Who came first has it, and it is said whose is missing."""
    for i, of_kind in enumerate(("cumulative", "instant")):
        client, rows = registrant(), programs.keep(Rows(1))
        client.register(vm(), f"{name}-{i}")
        client.do("add-stats", [rows.fd], provider="disk", target="vm", stats=[{"name": "reads", "type": of_kind}])
    found = web.openmetrics("?preset=full")
    assert found.of("disk_vm_reads_total") == [({"vm": f"{name}-0"}, "0")] and not found.of("disk_vm_reads")
    assert found.value("vitals_series_dropped", reason="name") == "1"
    assert found.value("vitals_user_series_dropped", uid=str(os.getuid()), reason="name") == "1"


def test_without_the_kernel(start, programs, vm, name):
    """By a user who may do nothing: what is registered is all there is."""
    own = programs.path("own")
    os.mkdir(own)
    os.chown(own, STRANGER, STRANGER)
    daemon = start("--registered-only", "--metrics", "127.0.0.1:0", run_directory=os.path.join(own, "run"),
                   around=as_user(STRANGER))  # fmt: skip
    assert daemon.ready, daemon.log()
    web, machine = Web(daemon), vm(0, 2)
    assert sources(web.openmetrics()) == {}
    programs.keep(Registrant(register_path(daemon)).negotiate()).register(machine, name)
    found = web.openmetrics("?preset=full")
    check_values(found, name, machine)
    assert sources(found) == {name: ("registered", "1")} and set(web.vms()) == {name}


def test_an_export_of_the_daemon_agrees(web, registrant, vm, name):
    """Digit by digit; but time goes on for the thread that this is."""
    registrant().register(vm(0, 5), name, uuid=UUID, vmm="tiny")
    text = at_daemon(web.daemon, "export", "--preset", "full", "--vm", name).stdout
    exported, scraped = (of_one(found, name) for found in
                         (exposition.read_openmetrics(text), web.openmetrics("?preset=full")))  # fmt: skip

    def values(samples):
        return {key: value for key, value in samples.items() if key[0].startswith("kvm_")}

    assert len(values(exported)) > 100
    assert values(exported) == values(scraped)


# ---- sources in trouble -------------------------------------------------------------------------


def test_a_registered_vmm_whose_memory_is_garbage(web, programs, name):
    vmm = programs.start([sys.executable, GARBLED_VMM, register_path(web.daemon), name])
    assert vmm.read_line() == "ready", vmm.log()
    found = web.openmetrics("?preset=full")
    exposition.read_prometheus(web.get("/metrics?preset=full")[1])
    assert sources(found)[name] == ("registered", "1")
    assert found.value("kvm_vcpu_exits_total", vm=name, vcpu="5") == "0"
    of_process = [each for each in web.json()["vms"] if each.get("pid") == vmm.pid]
    assert sorted(each["way"] for each in of_process) == ["kernel", "registered"]
    for each in of_process:
        assert web.json("/api/v1/vms/" + urllib.parse.quote(each["name"], safe=""))["name"] == each["name"]
    vmm.kill()
    assert name not in sources(web.openmetrics())


def test_a_stopped_vmm_is_read_as_it_is(web, programs, vmm, registrant, vm, name):
    """It is asked nothing, so it keeps nobody waiting."""
    stopped = vmm("--guest", "once")
    own = programs.start([sys.executable, GARBLED_VMM, register_path(web.daemon), name])
    assert own.read_line() == "ready", own.log()
    of_kernel = name_of(stopped.pid)
    for process in stopped, own:
        process.send_signal(signal.SIGSTOP)
    found = web.openmetrics()
    assert sources(found)[of_kernel] == ("kernel", "1") and sources(found)[name] == ("registered", "1")
    wait_until(lambda: web.vms()[of_kernel]["state"] == "paused", "it rests")
    for process in stopped, own:
        process.send_signal(signal.SIGCONT)
    own.kill()


def test_vmms_are_killed_while_they_are_scraped(web, programs, vmm, name):
    """Each scrape is whole: a VM is in it with all that it has, or not at all."""
    scrapes, over = [], threading.Event()

    def scrape():
        while not over.is_set():
            scrapes.append(web.openmetrics("?preset=full"))

    scraper = threading.Thread(target=scrape)
    scraper.start()
    names = []
    for i in range(5):
        bare = vmm("--vcpus", "0,1", "--guest", "spinning")
        own = programs.start([sys.executable, GARBLED_VMM, register_path(web.daemon), f"{name}-{i}"])
        assert own.read_line() == "ready", own.log()
        names += [name_of(bare.pid), f"{name}-{i}"]
        seen = len(scrapes)
        wait_until(lambda seen=seen: len(scrapes) > seen, "a scrape that began later")
        for process in bare, own:
            process.kill()
    over.set()
    scraper.join()
    assert not set(names) & set(sources(web.openmetrics()))
    shown = [of_one(found, each) for found in scrapes for each in names]
    assert sum(map(bool, shown)) >= len(names)
    shapes = {shape(vm) for vm in shown if vm}
    assert len(shapes) <= 3, "more than two vCPUs, one, none: something is there in part"


def shape(samples):
    """How many values each vCPU has, which are all that there are of any."""
    vcpus = {}
    for name, labels in samples:
        if name.startswith("kvm_vcpu_"):
            vcpu = dict(labels)["vcpu"]
            vcpus[vcpu] = vcpus.get(vcpu, 0) + 1
    assert ("kvm_vm_info", "vitals_source_up") == tuple(sorted({name for name, _ in samples} & {"kvm_vm_info", "vitals_source_up"}))
    assert len(set(vcpus.values())) <= 1
    return len(vcpus), *set(vcpus.values())
