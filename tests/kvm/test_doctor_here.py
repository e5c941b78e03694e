# SPDX-License-Identifier: MIT
"""`vitals doctor` where there is KVM."""

import json

from support.programs import run


def test_kvm_is_well():
    result = run("doctor", "-o", "json")
    checks = {check["check"]: check for check in json.loads(result.stdout)["checks"]}
    for name in ("kvm device", "kvm statistics", "a try"):
        assert checks[name]["status"] == "ok", checks[name]
    count = int(checks["a try"]["found"].split()[-2])
    assert count > 0


def test_kvm_below_a_root(programs, tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "kvm").symlink_to("/dev/kvm")
    demo = programs.demo("--vcpus", 2)
    result = run("doctor", "--root", tmp_path, "--socket", demo.path)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{demo.path}: vitals, dialect grouped, VM 'demo', " in " ".join(result.stdout.split())
