# SPDX-License-Identifier: MIT
"""The alerts for Prometheus, on VMs that are made to misbehave: a real Prometheus reads them all.

The rules are those of packaging/, but for time: a copy waits no minutes, and looks at seconds; and a storm is of
1000 exits a second, since how many there can be is up to the machine. What fires here is what any KVM counts.
VmHaltPollWaste and VmHugePagesSplit are seen to fire by promtool alone, in packaging/prometheus/vitals.rules.test.yml:
one takes a KVM that polls, the other one that splits huge pages.
"""

import contextlib
import functools
import http.server
import os
import re
import signal
import threading

import pytest

from support.programs import ROOT, VITALS, run, wait_until
from support.scraper import SECONDS, WINDOW, Scraper
from support.this_host import name_of

RULES = ROOT / "packaging" / "prometheus" / "vitals.rules.yml"
SOON = [(r"\[5m\]", WINDOW), (r"for: \d+m", "for: 1s"), (r"> 600\b", "> 5")]
FEWER = [(r"> 100000\b", "> 1000")]
BY_PROMTOOL_ALONE = {"VmHaltPollWaste", "VmHugePagesSplit"}


def rules_that_hurry(programs):
    text = RULES.read_text("utf-8")
    for of_packaging, of_test in SOON + FEWER:
        text, n = re.subn(of_packaging, of_test, text)
        assert n
    return programs.write("soon.yml", text.encode())


class Files:
    """What `vitals export` wrote, as node_exporter would show it: as old as it is."""

    def __init__(self, directory):
        handler = functools.partial(Quiet, directory=directory)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".prom": "text/plain; version=0.0.4"}

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture
def exports(programs):
    """Exports once, of a VMM that is stopped, with too few series."""
    directory = programs.path("exports")
    os.mkdir(directory)
    stopped, well = programs.demo("--name", "stopped"), programs.demo("--name", "well")
    stopped.send_signal(signal.SIGSTOP)
    export = run("export", "--socket", stopped.path, "--socket", well.path, "--timeout", "1", "--max-series", "50",
                 "--textfile", directory)  # fmt: skip
    stopped.send_signal(signal.SIGCONT)
    assert os.path.exists(os.path.join(directory, "vitals.prom")), export.stderr
    files = programs.keep(Files(directory))
    files.stopped = stopped.path
    return files


def firing(scraper):
    """{(alert, the VM or the source that does not answer)}"""
    alerts = [each["metric"] for each in scraper.ask('ALERTS{alertstate="firing"}')]
    return {(alert["alertname"], alert.get("source") or alert.get("vm", "")) for alert in alerts}


def test_alerts_fire_on_vms_that_misbehave(web, programs, vmm, exports):
    starved = programs.start(["taskset", "-c", "0", VITALS, "demo", "--vcpus", "4", "--guest", "spin",
                              "--name", "starved", "--qmp", programs.path("starved.sock")])  # fmt: skip
    storm = vmm("--guest", "exiting")
    scraper = programs.keep(Scraper(programs, "prometheus", [web.port, f"{exports.port}/vitals.prom"], rules_that_hurry(programs)))
    expected = {("VmSteal", "starved"), ("VmExitStorm", name_of(storm.pid)), ("VitalsSourceDown", exports.stopped),
                ("VitalsNotRenewed", ""), ("VitalsSeriesDropped", "")}  # fmt: skip
    with contextlib.suppress(AssertionError):
        wait_until(lambda: expected <= firing(scraper), "they fire", 80 + 20 * SECONDS)
    assert expected <= firing(scraper)
    assert ("VmExitStorm", "starved") not in firing(scraper)
    starved.kill()


def test_each_alert_is_one_of_these():
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text("utf-8")))
    with open(__file__, encoding="utf-8") as file:
        of_tests = set(re.findall(r'\("(V\w+)", ', file.read()))
    assert alerts == of_tests | BY_PROMTOOL_ALONE
