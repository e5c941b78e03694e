# SPDX-License-Identifier: MIT
"""What `describe` says of the statistics of this kernel's KVM.

Kernels differ, so which statistics there are is no expectation: what is explained, is checked
against the recorded kernel in tests/wire/test_describe.py."""

import json

from support.programs import run


def described(*arguments):
    """By provider, target and name."""
    result = run("describe", *arguments, "-o", "json")
    assert (result.returncode, result.stderr) == (0, "")
    return {
        (stat["provider"], stat["target"], stat["name"]): stat
        for stat in json.loads(result.stdout)["stats"]
    }


def test_statistics_have_the_explanation_that_is_known(programs):
    known = described()
    here = described("--socket", programs.demo("--guest", "none", "--sched").path)
    assert {provider for provider, _, _ in here} == {"kvm", "sched", "demo"}
    unknown = sorted(name for name in here if name not in known)
    print(f"{len(here)} statistics, of which {len(unknown)} are unknown: {unknown}")
    for name, stat in here.items():
        for member in ("meaning", "high", "next"):
            assert stat[member] == (known[name][member] if name in known else None), name
    assert ("kvm", "vcpu", "exits") in here and ("kvm", "vcpu", "exits") in known
    assert {name for name in here if name[0] in ("sched", "demo")} <= set(known)
