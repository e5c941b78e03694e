# SPDX-License-Identifier: MIT
"""`vitals top -b` of all VMs of this host."""

import pathlib
import re

from support.batch import Report
from support.programs import VITALS, Program, assert_no_reports, wait_until


class Batch(Program):
    """`vitals top -b` of all VMs, which goes on; standard error is its log."""

    def __init__(self, programs, *words):
        self.output = pathlib.Path(programs.path("top"))
        run = ["sh", "-c", f'exec "$@" >{self.output}', "sh", VITALS, "top", "-b", "--host", *words]
        self.output.touch()
        super().__init__(["env", "COLUMNS=200", *run], programs.directory)

    def stop(self):
        """It runs for ever."""
        if not self.ended:
            self.kill()
            assert_no_reports(self.log())

    def last(self, name):
        """The line of a VM in the last whole report, or {}."""
        *_, whole, _ = ["", "", *re.split(r"(?m)^\n(?=vitals top: )", self.output.read_text("utf-8"))]
        return Report(whole).vms.get(name, {}) if whole else {}


def test_who_starts_and_who_has_ended(programs, vmm):
    """The one is shown with since when. Another one may take the name."""
    vmm()
    vm = vmm()
    name = f"bare-vmm-{vm.pid}"
    top = programs.keep(Batch(programs, "-i", "0.05"))
    wait_until(lambda: "VCPUS" in top.last(name), "it is shown")
    new = vmm("--vcpus", "0,1,2")
    wait_until(lambda: top.last(f"bare-vmm-{new.pid}").get("VCPUS") == "3", "the new one is shown")
    vm.tell("close", 0)
    wait_until(lambda: "VCPUS" not in top.last(name), "it has ended")
    text = top.output.read_text("utf-8")
    assert re.search(rf"(?m)^{name} +the VM has ended, since \d\d:\d\d:\d\d$", text)
    assert re.search(r", \d+ VMs, [1-9]\d* gone", text)
    vm.tell("make")
    wait_until(lambda: "VCPUS" in top.last(name), "another one has the name")
    assert f"vitals top: {name}: the VM has ended\n" in top.log()
    assert f"vitals top: {name}: is back\n" in top.log()
