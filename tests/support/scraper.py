# SPDX-License-Identifier: MIT
"""Prometheus and VictoriaMetrics, which scrape what a test serves."""

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import urllib.parse

import pytest

from support.programs import EMULATED

SECONDS = 10 if EMULATED else 1  # from a scrape to the next one, and that one may take
WINDOW = f"[{10 * SECONDS}s]"  # of a rate


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Scraper:
    """Scrapes all SECONDS. Targets are ports, or ports with a path; rules are Prometheus's."""

    def __init__(self, programs, kind, targets, rules=None):
        if not shutil.which(kind):
            pytest.skip(f"{kind} is not installed")
        self.port = free_port()
        where = f"127.0.0.1:{self.port}"
        config = programs.write("scrape.yml", json.dumps(self.config(targets, rules)).encode())
        data = programs.path("data")
        command = {
            "prometheus": ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
                           f"--web.listen-address={where}", "--log.level=warn"],
            "victoria-metrics": ["victoria-metrics", f"-promscrape.config={config}", f"-storageDataPath={data}",
                                 f"-httpListenAddr={where}", "-memory.allowedBytes=100MB", "-loggerLevel=WARN",
                                 "-search.latencyOffset=0s"],
        }[kind]  # fmt: skip
        self.log = open(programs.path("scraper.log"), "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)  # pylint: disable=consider-using-with

    @staticmethod
    def config(targets, rules):
        jobs = []
        for i, target in enumerate(map(str, targets)):
            port, _, path = target.partition("/")
            jobs.append({"job_name": f"vitals-{i}", "params": {"preset": ["full"]}, "metrics_path": "/" + (path or "metrics"),
                         "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]})  # fmt: skip
        times = {"scrape_interval": f"{SECONDS}s", "scrape_timeout": f"{SECONDS}s"} | ({"evaluation_interval": "1s"} if rules else {})
        return {"global": times, "scrape_configs": jobs} | ({"rule_files": [rules]} if rules else {})

    def ask(self, expression):
        """What it answers now; nothing before it does."""
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
                connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
                answer = json.loads(connection.getresponse().read())
        except (OSError, ValueError):
            return []
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def query(self, expression):
        """{vm: number} of each series that there is now."""
        return {each["metric"].get("vm"): float(each["value"][1]) for each in self.ask(expression)}

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
