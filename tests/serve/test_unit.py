# SPDX-License-Identifier: MIT
"""The unit that systemd starts the daemon by."""

import shutil
import subprocess

import pytest

from support.programs import ROOT

UNIT = ROOT / "packaging/systemd/vitals.service.in"


def test_the_unit_confines_the_daemon(tmp_path):
    """By systemd's own measure: 0 is nothing that could be forbidden, 100 is all."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "vitals.service"
    unit.write_text(UNIT.read_text("utf-8").replace("@daemon@", "/usr/libexec/vitals/vitals-serve"), "utf-8")
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=15", unit]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-200:] + result.stderr
    assert "ignoring" not in result.stderr
