# SPDX-License-Identifier: MIT
"""Every statistic of this kernel's KVM has an explanation."""

import json

from support.programs import run


def test_all_statistics_are_explained(programs):
    demo = programs.demo("--guest", "none")
    result = run("describe", "--socket", demo.path, "-o", "json")
    stats = json.loads(result.stdout)["stats"]
    assert {stat["provider"] for stat in stats} == {"kvm", "demo"}
    assert {stat["name"] for stat in stats if stat["meaning"] is None} == set()
