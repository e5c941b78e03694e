# SPDX-License-Identifier: MIT
"""The unit that systemd starts the daemon by."""

import re
import shutil
import subprocess

import pytest

from support.programs import ROOT

SYSTEMD = ROOT / "packaging/systemd"
UNIT = SYSTEMD / "vitals.service.in"
WITH_HTTP = SYSTEMD / "metrics.conf.in"


@pytest.mark.parametrize("files, most", [([UNIT], 15), ([UNIT, WITH_HTTP], 20)], ids=["alone", "with HTTP"])
def test_the_unit_confines_the_daemon(tmp_path, files, most):
    """By systemd's own measure: 0 is nothing that could be forbidden, 100 is all."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "vitals.service"
    text = "\n".join(file.read_text("utf-8") for file in files)
    unit.write_text(text.replace("@daemon@", "/usr/libexec/vitals/vitals-serve"), "utf-8")
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", unit]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-200:] + result.stderr
    assert "ignoring" not in result.stderr


def test_each_account_of_the_unit_is_made():
    """A host without udev has no group kvm, and the unit would not start there."""
    unit, sysusers = UNIT.read_text("utf-8"), (SYSTEMD / "vitals.sysusers").read_text("utf-8")
    accounts = set(re.findall(r"^(?:User|Group|SupplementaryGroups)=(\S+)", unit, re.MULTILINE))
    assert accounts <= set(re.findall(r"^[ug] (\S+)", sysusers, re.MULTILINE)) and "kvm" in accounts
