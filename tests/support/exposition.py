# SPDX-License-Identifier: MIT
"""Expositions of metrics: read exactly, and put before those who read them for a living."""

import dataclasses
import re
import subprocess

from prometheus_client.openmetrics.parser import text_string_to_metric_families

SAMPLE = re.compile(r'([a-z_][a-zA-Z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass
class Exposition:
    """`samples` has the text of each value, by the name and the sorted labels."""

    text: str
    samples: dict
    heads: dict  # (name of a family, "TYPE", "UNIT" or "HELP") to a text

    def value(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]

    def of(self, name):
        """[(labels, text of the value)] of all samples of this name, in order."""
        return [(dict(labels), value) for (each, labels), value in self.samples.items() if each == name]

    def names(self):
        return {name for name, _ in self.samples}


def unescaped(text):
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), text)


def read(text):
    """Nothing but heads and samples is in it, and no sample twice."""
    samples, heads = {}, {}
    for line in text.removesuffix("# EOF\n").splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("TYPE", "UNIT", "HELP") and (name, what) not in heads, line
            heads[name, what] = rest
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        labels = tuple(sorted((name, unescaped(value)) for name, value in LABEL.findall(match[2] or "")))
        assert (match[1], labels) not in samples, line
        samples[match[1], labels] = match[3]
    return Exposition(text, samples, heads)


def read_openmetrics(text):
    """The same, and the strict parser takes it."""
    families = list(text_string_to_metric_families(text))
    found = read(text)
    assert sum(len(family.samples) for family in families) == len(found.samples)
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    return found


def read_prometheus(text):
    """The same, and promtool finds nothing to complain about."""
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                             capture_output=True, check=False)  # fmt: skip
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert "# UNIT" not in text and "# EOF" not in text
    return read(text)


READERS = {"openmetrics": read_openmetrics, "prometheus": read_prometheus}


def check_values_of_kvm(found, name, expected, types):
    """
    Digit by digit. @expected: those of the statistics files; @types: of each (target, statistic). What
    is counted in nanoseconds has the digits shifted.
    """
    n = 0
    for vcpu, stats in expected.items():
        labels = {"vm": name} | ({} if vcpu is None else {"vcpu": str(vcpu)})
        target = "vm" if vcpu is None else "vcpu"
        for stat, value in stats.items():
            if isinstance(value, list):
                of_stat = f"kvm_{target}_{stat.removesuffix('_hist')}_duration_seconds"
                assert found.value(f"{of_stat}_bucket", **labels, le="+Inf") == str(sum(value))
                assert found.value(f"{of_stat}_count", **labels) == str(sum(value))
            elif stat.endswith("_ns"):
                shown = found.value(f"kvm_{target}_{stat.removesuffix('_ns')}_seconds_total", **labels)
                whole, _, fraction = shown.partition(".")
                assert int(whole + fraction.ljust(9, "0")) == value
            else:
                end = "_total" if types[target, stat] == "cumulative" else ""
                assert found.value(f"kvm_{target}_{stat}{end}", **labels) == str(value)
            n += 1
    assert n > 100
