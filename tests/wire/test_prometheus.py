# SPDX-License-Identifier: MIT
"""A Prometheus that scrapes `vitals export`: types, rates, quantiles, and VMs that are gone."""

import http.server
import json
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from support import recordings
from support.programs import run, wait_until
from support.recordings import VCPUS
from support.scraper import free_port

FRAMES = 600  # one each second: more than a test takes
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
SETTLE = 60  # seconds that Prometheus may take on a busy machine
WAIT = "kvm_vcpu_halt_wait_duration_seconds"

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: vitals
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


class Endpoint:
    """Makes an exposition at each scrape."""

    def __init__(self, path, content_type):
        words = ["--socket", path, "--preset", "full", "-o",
                 "openmetrics" if content_type == OPENMETRICS else "prometheus"]  # fmt: skip

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                self.wfile.write(run("export", *words).stdout.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Prometheus:
    def __init__(self, programs, endpoint):
        port = free_port()
        config = programs.write("prometheus.yml", CONFIG.format(port=endpoint.port).encode())
        self.base = f"http://127.0.0.1:{port}/api/v1/"
        programs.start(["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
                        f"--storage.tsdb.path={programs.path('tsdb')}", "--log.level=warn"])  # fmt: skip
        wait_until(lambda: self.value("up") == 1, "Prometheus has scraped", SETTLE)

    def get(self, what, **arguments):
        url = self.base + what + "?" + urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(url, timeout=SETTLE) as reply:
            return json.load(reply)["data"]

    def query(self, expression, **at):
        try:
            return self.get("query", query=expression, **at)["result"]
        except (urllib.error.URLError, ConnectionError):
            return []  # it starts yet

    def value(self, expression, **at):
        """Of one series; None: there is none yet."""
        result = self.query(expression, **at)
        assert len(result) <= 1
        return float(result[0]["value"][1]) if result else None


@pytest.mark.parametrize("content_type", [OPENMETRICS, TEXT], ids=["openmetrics", "0.0.4"])
def test_prometheus(programs, content_type):
    recording = recordings.write(programs.path("recording"), FRAMES)
    vm = programs.demo("--recording", recording, "--name", "web1")
    prometheus = Prometheus(programs, programs.keep(Endpoint(vm.path, content_type)))
    check_types(prometheus, content_type)
    check_rates(prometheus)
    check_quantile(prometheus)
    vm.ask_to_end()
    wait_until(lambda: not prometheus.query("kvm_vcpu_exits_total"), "the VM is gone", SETTLE)
    assert prometheus.value("vitals_source_up") == 0
    assert prometheus.value("up") == 1


def check_types(prometheus, content_type):
    metadata = prometheus.get("metadata")
    end = "" if content_type == OPENMETRICS else "_total"
    # The key of a counter is that of its family, or of its samples, from release to release.
    counter = metadata.get("kvm_vcpu_exits" + end) or metadata["kvm_vcpu_exits_total"]
    assert [each["type"] for each in counter] == ["counter"]
    (histogram,) = metadata[WAIT]
    assert histogram["type"] == "histogram" and "halt_wait_hist" in histogram["help"]
    assert histogram["unit"] == ("seconds" if content_type == OPENMETRICS else "")


def check_rates(prometheus):
    """Of a counter that has 10 000 more in each frame."""
    exits = 'kvm_vcpu_exits_total{vm="web1",vcpu="1"}'
    wait_until(lambda: (prometheus.value(f"changes({exits}[5m])") or 0) >= 5, "some frames", SETTLE)
    (series,) = prometheus.query(f"{exits}[5m]")
    (_, first), *_, (end, last) = [(time, int(value)) for time, value in series["values"]]
    assert first % 10_000 == last % 10_000 == 1
    # Beyond the first and the last sample Prometheus goes on, by about as much as between two.
    increase = prometheus.value(f"increase({exits}[5m] @ {end})")
    assert last - first <= increase <= 1.5 * (last - first)
    assert prometheus.value(f"rate({exits}[5m] @ {end})") == pytest.approx(increase / 300)


def check_quantile(prometheus):
    """It lies in the bucket in which that value is, of the counts of the same moment."""
    (now,) = prometheus.query("vector(time())")
    at = {"time": now["value"][0]}
    le = prometheus.query(f'{WAIT}_bucket{{vcpu="2"}}', **at)
    counts = sorted((float(each["metric"]["le"]), float(each["value"][1])) for each in le)
    assert len(counts) == 32
    for quantile in 0.25, 0.5, 0.9:
        i = next(i for i, (_, count) in enumerate(counts) if count >= quantile * counts[-1][1])
        assert i < len(counts) - 1, "beyond all bounds there is no quantile"
        found = prometheus.value(f'histogram_quantile({quantile}, {WAIT}_bucket{{vcpu="2"}})', **at)
        assert (counts[i - 1][0] if i else 0) < found <= counts[i][0]
    assert len(prometheus.query(f"{WAIT}_count", **at)) == VCPUS
