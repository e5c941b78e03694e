# SPDX-License-Identifier: MIT
"""The rules for Prometheus: they can be read, fire when they should, and name metrics that there are."""

import json
import re
import shutil
import subprocess

import pytest

from support import exposition
from support.programs import DATA, ROOT, run, stat

RULES = ROOT / "packaging" / "prometheus" / "vitals.rules.yml"
TESTS = RULES.with_name("vitals.rules.test.yml")
DASHBOARD = ROOT / "packaging" / "grafana" / "vitals.json"
ALERTS = re.findall(r"^ +- alert: (\w+)$", RULES.read_text("utf-8"), re.MULTILINE)


def promtool(*words, cwd=RULES.parent):
    return subprocess.run(["promtool", *words], cwd=cwd, capture_output=True, text=True, check=False)


def expressions():
    """Of each rule: its lines below `expr:`, up to the next key."""
    text = RULES.read_text("utf-8")
    return re.findall(r"^ +expr: (.*?)(?=^ +(?:- |[a-z]+:)|\Z)", text, re.MULTILINE | re.DOTALL)


def panels():
    return json.loads(DASHBOARD.read_text("utf-8"))["panels"]


def test_promtool_reads_the_expressions_of_the_dashboard(tmp_path):
    """As rules, with values in the place of Grafana's variables. Grafana itself is in no test."""
    texts = [target["expr"] for panel in panels() for target in panel["targets"]]
    plain = [text.replace("$__rate_interval", "5m").replace("$vm", ".*").replace("$instance", ".*") for text in texts]
    assert len(plain) == 8 and not any("$" in text for text in plain)
    rules = [{"record": f"panel:{i}", "expr": text} for i, text in enumerate(plain)]
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    checked = promtool("check", "rules", path.name, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_rules():
    checked = promtool("check", "rules", RULES.name)
    assert checked.returncode == 0, checked.stderr
    tested = promtool("test", "rules", TESTS.name)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_seen_to_fire(tmp_path, alert):
    """And not to: the tests fail for one that never fires, and for one that always does."""
    shutil.copy(TESTS, tmp_path)
    for never in "vector(0) > 1", "vector(1)":
        rules, n = re.subn(rf"(- alert: {alert}\n +expr: ).*?(?=^ +(?:for|labels): )", rf"\g<1>{never}\n",
                           RULES.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)  # fmt: skip
        assert n == 1
        (tmp_path / RULES.name).write_text(rules, "utf-8")
        assert promtool("check", "rules", RULES.name, cwd=tmp_path).returncode == 0
        assert promtool("test", "rules", TESTS.name, cwd=tmp_path).returncode == 1


def test_rules_name_metrics_that_there_are(programs, server):
    """Of KVM as it was recorded, and of `sched`."""
    demo = programs.demo("--recording", DATA / "recording")
    schema = (ROOT / "src/sched/schema.c").read_text("utf-8")
    times = re.findall(r'TIME\(SCHED_\w+, "(\w+)"', schema[: schema.index("vm_stats[]")])
    server.tell("register", "sched/vcpu", *(stat(name, "cumulative", "seconds", 10, -9) for name in times))
    server.tell("row", "sched/vcpu", "cpu/0", *[1] * len(times))
    result = run("export", "--socket", demo.path, "--socket", server.path, "--preset", "full")
    there = exposition.read_openmetrics(result.stdout).names()
    variables = [variable.get("query") for variable in json.loads(DASHBOARD.read_text("utf-8"))["templating"]["list"]]
    of_dashboard = [target["expr"] for panel in panels() for target in panel["targets"]] + [json.dumps(variables)]
    named = {name for text in expressions() + of_dashboard
             for name in re.findall(r"(?<![:\w])(?:kvm|sched|vitals)_\w+", text)}  # fmt: skip
    assert len(expressions()) == len(ALERTS) + 6 and len(named) > 8
    assert named - there == set()
