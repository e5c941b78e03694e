# SPDX-License-Identifier: MIT
"""What the daemon serves by HTTP: /metrics, JSON and the page."""

import concurrent.futures
import json
import os
import signal
import urllib.parse

import pytest

from support import exposition
from support.programs import wait_until
from support.scraper import WINDOW, Scraper
from support.stats_fds import values_of_files
from support.this_host import name_of, types_of_kvm

# ---- expositions --------------------------------------------------------------------------------


def test_a_scrape_has_each_value_of_the_statistics_files(web, programs, vmm):
    vm = vmm("--vcpus", "0,5", "--guest", "once")
    name, expected = name_of(vm.pid), values_of_files(programs, vm.pid, (0, 5))
    found = web.openmetrics("?preset=full")
    exposition.check_values_of_kvm(found, name, expected, types_of_kvm())
    assert found.value("vitals_source_up", vm=name, source="kernel") == "1"
    assert found.value("sched_vcpu_steal_seconds_total", vm=name, vcpu="0")


def test_the_older_format_is_what_promtool_takes(web, vmm):
    vmm("--guest", "once")
    headers, text = web.get("/metrics?preset=full")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    exposition.read_prometheus(text)


def test_presets(web, vmm):
    vmm("--guest", "once")
    sizes = [len(web.openmetrics(query).samples) for query in
             ("?preset=minimal", "", "?preset=full&thin=1", "?preset=full")]  # fmt: skip
    assert sizes == sorted(sizes) and len(set(sizes)) == 4
    assert web.openmetrics("?preset=default").names() == web.openmetrics().names()


def test_presets_of_one_pass(web, vmm):
    """Those who come while a pass is made share the next one, in any order."""
    vmm("--guest", "once")
    presets = ["full", "minimal", "default", "minimal", "full", "default"] * 2
    alone = {preset: web.openmetrics("?preset=" + preset).names() for preset in set(presets)}
    with concurrent.futures.ThreadPoolExecutor(len(presets)) as pool:
        for preset, found in zip(presets, pool.map(web.openmetrics, ["?preset=" + preset for preset in presets])):
            assert found.names() == alone[preset]


def test_a_vm_that_is_gone_is_gone_in_the_next_scrape(web, vmm):
    stays, goes = vmm("--guest", "once"), vmm("--guest", "once")
    name, gone = name_of(stays.pid), name_of(goes.pid)
    assert {name, gone} <= {labels["vm"] for labels, _ in web.openmetrics().of("kvm_vm_info")}
    goes.kill()
    found = web.openmetrics()
    assert name in {labels["vm"] for labels, _ in found.of("kvm_vm_info")}
    assert gone not in {dict(labels).get("vm") for _, labels in found.samples}


# ---- JSON ---------------------------------------------------------------------------------------


def test_the_list_of_vms(web, vmm):
    vm = vmm("--vcpus", "0,5", "--guest", "once")
    name = name_of(vm.pid)
    answer = web.json()
    found = web.vms()[name]
    assert answer["version"] == 1 and answer["clock"] > 0
    assert (found["pid"], found["uid"], found["vcpus"], found["vmm"]) == (vm.pid, os.getuid(), 2, "bare-vmm")
    assert [figure["name"] for figure in answer["figures"]][:2] == ["CPU", "STEAL"]
    assert len(found["figures"]) == len(answer["figures"])
    exits = [figure["name"] for figure in answer["figures"]].index("EXITS")
    assert found["figures"][exits] > 0


def test_one_vm(web, programs, vmm):
    vm = vmm("--vcpus", "0,5", "--guest", "once")
    name, expected = name_of(vm.pid), values_of_files(programs, vm.pid, (0, 5))
    answer = web.json("/api/v1/vms/" + urllib.parse.quote(name, safe=""))
    assert answer["name"] == name
    for target in answer["targets"]:
        at = [schema["provider"] for schema in target["schemas"]].index("kvm")
        names = [stat["name"] for stat in target["schemas"][at]["stats"]]
        for each in target["objects"]:
            assert dict(zip(names, each["values"][at])) == expected[each.get("number")]
    assert {target["name"] for target in answer["targets"]} == {"vm", "vcpu"}


def test_a_vm_that_is_not_there(web):
    with pytest.raises(AssertionError, match="404 There is no such VM"):
        web.json("/api/v1/vms/nobody")


def test_it_is_healthy(web):
    assert web.get("/-/healthy")[1] == "vitals serve is healthy.\n"


# ---- the daemon ---------------------------------------------------------------------------------


def test_no_thread_has_a_capability(web):
    for task in os.listdir(f"/proc/{web.daemon.pid}/task"):
        with open(f"/proc/{web.daemon.pid}/task/{task}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0


def test_it_is_off_unless_asked_for(daemon):
    inodes = {os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{daemon.pid}/fd")}
    for file in "tcp", "tcp6":
        with open(f"/proc/net/{file}", encoding="ascii") as table:
            assert not any(f"socket:[{line.split()[9]}]" in inodes for line in table.readlines()[1:])


def test_usage(start):
    for options in (["--web-config", "x"], ["--metrics-public"]):
        daemon = start(*options)
        assert not daemon.ready and daemon.wait() == 2
        assert f"{options[0]} needs --metrics" in daemon.log()


def test_what_can_not_be_had_ends_it(start):
    daemon = start("--user", "root", "--group", "root", "--metrics", "0.0.0.0:0")
    assert not daemon.ready and daemon.wait() == 1
    assert "needs TLS and a login" in daemon.log()


# ---- scrapers -----------------------------------------------------------------------------------


def halt_waits(web, name):
    """The counts of halt_wait_hist, of all vCPUs."""
    target = next(target for target in web.json(f"/api/v1/vms/{name}")["targets"] if target["name"] == "vcpu")
    part = [schema["provider"] for schema in target["schemas"]].index("kvm")
    at = [stat["name"] for stat in target["schemas"][part]["stats"]].index("halt_wait_hist")
    return [sum(counts) for counts in zip(*(each["values"][part][at] for each in target["objects"]))]


def median_bucket(buckets):
    """Where half of all that was counted is reached: (from, to) in seconds."""
    i = next(i for i in range(len(buckets)) if 2 * sum(buckets[: i + 1]) >= sum(buckets))
    return (2 ** (i - 1) * 1e-9 if i else 0, 2**i * 1e-9)


def wait_until_there(scraper, expression, name):
    """The number of a VM. A scrape that took too long, as where CPUs are short, left a gap."""
    found = {}

    def is_there():
        found.update(scraper.query(expression))
        return name in found

    wait_until(is_there, expression, 120)
    return found[name]


def check_quantile(web, scraper, vm, name):
    """Of a VM that stands still, so that the scraper has what the kernel has."""
    buckets = f"kvm_vcpu_halt_wait_duration_seconds_bucket{{vm={json.dumps(name)}}}"
    vm.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: scraper.query(f"sum by (vm) ({buckets[:-1]},le='+Inf'}})").get(name) ==
                   sum(halt_waits(web, name)) > 0, "what has stopped is scraped", 120)  # fmt: skip
        low, high = median_bucket(halt_waits(web, name))
        quantile = f"histogram_quantile(0.5, sum by (vm, le) ({buckets}))"
        found = wait_until_there(scraper, quantile, name)
        assert low < found <= high * (1 + 1e-12)  # of doubles
    finally:
        vm.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("kind", ["prometheus", "victoria-metrics"])
def test_a_scraper_answers_questions_about_vms(web, programs, vmm, kind):
    """Rates, steal, a quantile that lies in the kernel's bucket; and a VM that is killed is gone."""
    demo, other = programs.demo(), vmm("--guest", "once")
    name, goes = name_of(demo.pid), name_of(other.pid)
    scraper = programs.keep(Scraper(programs, kind, [web.port]))
    of_vm = f"{{vm={json.dumps(name)}}}"
    wait_until(lambda: scraper.query("up").get(None) == 1, "the daemon is scraped", 120)
    wait_until(lambda: scraper.query(f"sum by (vm) (rate(kvm_vcpu_exits_total{of_vm}{WINDOW}))").get(name, 0) > 0,
               "exits have a rate", 120)  # fmt: skip
    wait_until_there(scraper, f"sum by (vm) (rate(sched_vcpu_steal_seconds_total{of_vm}{WINDOW}))", name)
    check_quantile(web, scraper, demo, name)
    assert wait_until_there(scraper, "kvm_vm_info", goes) == 1
    other.kill()
    wait_until(lambda: {name, goes} & scraper.query("kvm_vm_info").keys() == {name}, "the VM that was killed is gone", 120)
