# SPDX-License-Identifier: MIT
"""`vitals top -b` of all VMs of this host."""

import csv
import io
import os
import pathlib
import re
import subprocess
import time

import pytest

from support.batch import Report, reports, top
from support.programs import TIMEOUT, VITALS, Program, assert_no_reports, wait_until
from support.terminal import start
from support.this_host import WITHOUT_VM, answer, of_process, vitals


class Batch(Program):
    """`vitals top -b` of all VMs, which goes on; standard error is its log."""

    def __init__(self, programs, *words):
        self.output = pathlib.Path(programs.path("top"))
        run = ["sh", "-c", f'exec "$@" >{self.output}', "sh", VITALS, "top", "-b", "--host", *words]
        self.output.touch()
        self.read_to = 0  # where the last whole report begins
        super().__init__(["env", "COLUMNS=200", *run], programs.directory)

    def stop(self):
        """It runs for ever."""
        if not self.ended:
            self.kill()
            assert_no_reports(self.log())

    def last(self, name):
        """The line of a VM in the last whole report, or {}."""
        with self.output.open("rb") as file:
            file.seek(self.read_to)
            *parts, _ = re.split(rb"(?m)^\n(?=vitals top: )", file.read())
        if not parts:
            return {}
        self.read_to += sum(len(part) + 1 for part in parts[:-1])
        return Report(parts[-1].decode()).vms.get(name, {})


def test_who_starts_and_who_has_ended(programs, vmm):
    """The one is shown with since when. Another one may take the name."""
    vmm()
    vm = vmm()
    name = f"bare-vmm-{vm.pid}"
    shown = programs.keep(Batch(programs, "-i", "0.05"))
    wait_until(lambda: "VCPUS" in shown.last(name), "it is shown")
    new = vmm("--vcpus", "0,1,2")
    wait_until(lambda: shown.last(f"bare-vmm-{new.pid}").get("VCPUS") == "3", "the new one is shown")
    vm.tell("close", 0)
    wait_until(lambda: "VCPUS" not in shown.last(name), "it has ended")
    text = shown.output.read_text("utf-8")
    assert re.search(rf"(?m)^{name} +the VM has ended, since \d\d:\d\d:\d\d$", text)
    assert re.search(r", \d+ VMs, \d+ vCPUs \(\d+\.\d per CPU\), [1-9]\d* gone", text)
    vm.tell("make")
    wait_until(lambda: "VCPUS" in shown.last(name), "another one has the name")
    assert f"vitals top: {name}: the VM has ended\n" in shown.log()
    assert f"vitals top: {name}: is back\n" in shown.log()


def test_who_has_ended_is_not_told_again_at_the_end(programs, vmm):
    """VMs of a host come and go: their lines on the screen were enough."""
    other, vm = vmm(), vmm()
    chosen = [f"--vm={name(each)}" for each in (other, vm)]
    terminal = start(programs, "--host", *chosen, "-i", 0.1, width=100)
    terminal.wait_for(name(vm))
    vm.tell("close", 0)
    terminal.wait_for(name(other), "the VM has ended")
    terminal.press("q")
    assert terminal.exit_status() == 0
    assert terminal.read(".errors") == ""


def name(vm):
    return f"bare-vmm-{vm.pid}"


# ---- what VMs do --------------------------------------------------------------------------------


def test_states(vmm):
    """A guest that spins without exits runs; one that was left an interval ago is paused."""
    vms = {guest: vmm("--vcpus", "0,1", "--guest", guest) for guest in ("none", "once", "spinning", "halted")}
    report = top("--host", "-i", "1.5", "-n", "2", *(f"--vm={name(vm)}" for vm in vms.values()))
    states = {guest: report.vms[name(vm)]["STATE"] for guest, vm in vms.items()}
    assert states == {"none": "never ran", "once": "paused", "spinning": "running", "halted": "running"}
    for guest in ("none", "once"):
        vcpus = report.objects[name(vms[guest])]
        assert [vcpus[f"vcpu {i}"]["STATE"] for i in (0, 1)] == 2 * [states[guest]]
        assert report.vms[name(vms[guest])]["IDLE"] == "-"


@pytest.mark.parametrize("guest, state", [("spinning", "running"), ("halted", "halted")])
def test_the_state_of_each_vcpu(vmm, guest, state):
    """Beside one that nobody has started."""
    vm = vmm("--vcpus", "0,5", "--guest", guest, "--started", 1)
    report = top("--host", "-i", "1.5", "-n", "1", "--vm", name(vm))
    vcpus = report.objects[name(vm)]
    assert (vcpus["vcpu 0"]["STATE"], vcpus["vcpu 5"]["STATE"]) == (state, "never ran")
    assert (vcpus["vcpu 0"]["IDLE"], vcpus["vcpu 5"]["IDLE"]) == ("100%" if guest == "halted" else "0%", "-")


def test_an_idle_vm(vmm):
    vm = vmm("--vcpus", "0,1", "--guest", "halted")
    report = top("--host", "-i", "0.5", "-n", "2", "--vm", name(vm))
    for row in (report.vms[name(vm)], *(report.objects[name(vm)][f"vcpu {i}"] for i in (0, 1))):
        assert (row["CPU"], row["STEAL"], row["IDLE"], row["EXITS/s"]) == ("0%", "0%", "100%", "0")


# ---- steal --------------------------------------------------------------------------------------


class Schedstat:
    """What /proc says of a thread, again and again."""

    def __init__(self, pid, thread):
        self.path = f"/proc/{pid}/task/{thread}/schedstat"
        self.moments = []

    def read(self):
        run, delay, _ = map(int, pathlib.Path(self.path).read_text("ascii").split())
        self.moments.append((time.monotonic(), run / 1e9, delay / 1e9))

    def shares(self, number, seconds):
        """Of each span of so many seconds."""
        ends = iter(self.moments)
        end = next(ends)
        for begin in self.moments:
            while end[0] - begin[0] < seconds:
                end = next(ends, None)
                if not end:
                    return
            yield (end[number] - begin[number]) / (end[0] - begin[0])


def follow(process, files):
    """Reads the files until the process has ended, and returns what it printed."""
    while process.poll() is None:
        for file in files:
            file.read()
        time.sleep(0.02)
    return process.communicate(timeout=TIMEOUT)[0]


def per_cent(text):
    return float(text.rstrip("%")) / 100


def test_steal_is_what_proc_says(vmm, reader):
    """Two vCPUs that spin on one CPU, over the same interval, as far as one can know which it was."""
    interval, tolerance = 2, 0.02
    vm = vmm("--vcpus", "0,1", "--guest", "spinning")
    threads = {r["vcpu_id"]: r["thread"] for r in reader.kvm(vm.pid) if r["kind"] == "vcpu"}
    for thread in threads.values():
        os.sched_setaffinity(thread, {min(os.sched_getaffinity(0))})
    files = {number: Schedstat(vm.pid, thread) for number, thread in threads.items()}
    words = [VITALS, "top", "-b", "--host", "--vm", name(vm), "-i", str(interval), "-n", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True,
                          env=WITHOUT_VM | {"COLUMNS": "200"}) as process:  # fmt: skip
        (report,) = reports(follow(process, files.values()))
    steal = 0
    for number, file in files.items():
        row = report.objects[name(vm)][f"vcpu {number}"]
        steal += per_cent(row["STEAL"])
        for title, field in (("CPU", 1), ("STEAL", 2)):
            shares = list(file.shares(field, interval))
            assert min(shares) - tolerance <= per_cent(row[title]) <= max(shares) + tolerance
    # Of two that want the CPU at each moment one waits; what waits still is counted when it runs.
    assert steal > 0.8


# ---- the list -----------------------------------------------------------------------------------


def number(text):
    """As a column has it: "12%", "1.5k", "3.2 MiB", or "-"."""
    found = re.fullmatch(r"([\d.]+)([kMGT]?)(?:%| *(B|KiB|MiB|GiB))?", text)
    if not found:
        return -1
    factors = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    return float(found[1]) * factors[found[2]] * factors[found[3] or ""]


@pytest.fixture
def three_vms(vmm):
    """Words that choose VMs of 1, 2 and 3 vCPUs that do different things."""
    guests = {"once": "0", "spinning": "0,1", "halted": "0,1,2"}
    return [f"--vm={name(vmm('--vcpus', vcpus, '--guest', guest))}" for guest, vcpus in guests.items()]


COLUMNS = ["vcpus", "cpu", "steal", "throttled", "poll", "idle", "exits", "io+mmio", "irqs", "halts",
           "faults", "emulated", "signals", "memory"]  # fmt: skip


def test_sorting_by_each_column(three_vms):
    """The largest first; all columns of numbers that there are have a word."""
    shown = top("--host", "-i", "0.2", "-n", "1", *three_vms, width=250)
    titles = {title.removesuffix("/s") for row in shown.vms.values() for title in row}
    assert {title.lower() for title in titles} <= {*COLUMNS, "vm", "state", "busiest"}
    for column in COLUMNS:
        report = top("--host", "-i", "0.2", "-n", "1", *three_vms, "--sort", column, width=250)
        rows = [row for vm, row in report.vms.items() if not vm.startswith("all ")]
        title = next(title for title in [column.upper(), f"{column.upper()}/s"] if title in rows[0])
        values = [number(row[title]) for row in rows]
        assert len(values) == 3 and values == sorted(values, reverse=True), column


def test_sorting_by_what_is_no_number(three_vms):
    report = top("--host", "-i", "0.2", "-n", "1", *three_vms, "--sort", "name")
    names = [vm for vm in report.vms if not vm.startswith("all ")]
    assert names == sorted(names)
    for column in ("state", "busiest"):
        top("--host", "-i", "0.2", "-n", "1", *three_vms, "--sort", column)


def test_the_line_for_the_host(three_vms):
    report = top("--host", "-i", "0.5", "-n", "1", *three_vms)
    per_cpu = 6 / os.sysconf("SC_NPROCESSORS_ONLN")
    assert re.fullmatch(rf"vitals top: \S+, 3 VMs, 6 vCPUs \({per_cpu:.1f} per CPU\)", report.head)
    line, *rows = report.vms.values()
    assert (line["VM"], line["VCPUS"]) == ("all 3 VMs", "6")
    exits = [number(row["EXITS/s"]) for row in rows]
    assert abs(number(line["EXITS/s"]) - sum(exits)) <= 0.01 * sum(exits) + 1
    for title in ("CPU", "STEAL"):  # the mean of all vCPUs
        sums = [number(row["VCPUS"]) * number(row[title]) for row in rows]
        assert abs(number(line[title]) - sum(sums) / 6) <= 1


def test_the_thread_and_the_cpu_of_each_vcpu(vmm, reader):
    """Where there is room."""
    vm = vmm("--vcpus", "0,1", "--guest", "spinning")
    threads = {f"vcpu {r['vcpu_id']}": r["thread"] for r in reader.kvm(vm.pid) if r["kind"] == "vcpu"}
    shown = top("--host", "-i", "0.2", "-n", "1", "--vm", name(vm)).objects[name(vm)]
    for number_of in ("vcpu 0", "vcpu 1"):
        assert int(shown[number_of]["LAST CPU"]) in range(os.cpu_count())
        assert int(shown[number_of]["THREAD"]) == threads[number_of]
    narrow = top("--host", "-i", "0.2", "-n", "1", "--vm", name(vm), width=80).objects[name(vm)]
    assert not {"LAST CPU", "THREAD"} & set(narrow["vcpu 0"]) and "EXITS/s" in narrow["vcpu 0"]


# ---- the same for programs ----------------------------------------------------------------------


def test_json_and_csv_have_what_the_table_shows(vmm):
    """Of a VM in which nothing moves."""
    vm = vmm("--vcpus", "0,5", "--guest", "once")
    words = ["--host", "--vm", name(vm), "--provider", "kvm"]
    stats = answer("stats", *words)["stats"]
    rows = list(csv.DictReader(io.StringIO(vitals("stats", *words, "-o", "csv").stdout)))
    single = [s for s in stats if "value" in s]
    assert [(s["name"], str(s["value"])) for s in single] == [
        (row["name"], row["value"]) for row in rows if not row["bucket"]
    ]
    (listed,) = of_process(vm.pid)
    (row,) = (row for row in csv.DictReader(io.StringIO(vitals("list", "-o", "csv").stdout))
              if row["pid"] == str(vm.pid))  # fmt: skip
    for field in ("vm", "state", "vcpus", "stats", "vmm", "pid", "uid", "way"):
        assert row[field] == str(listed[field])
    assert (listed["way"], listed["vmm"], listed["uid"]) == ("kernel", "bare-vmm", 0)


# ---- very many ----------------------------------------------------------------------------------


def cpu_time_of_turns(*words):
    """Seconds, of the turns behind the first one."""

    def run(count):
        command = [VITALS, "top", "-b", "--host", "-i", "0.2", "-n", str(count), *words]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    return run(6) - run(1)


def test_four_times_as_many_vms_take_four_times_as_long(vmm):
    """And not sixteen times as long, as where each VM has to do with each other one."""
    few, many = (vmm("--vms", n, "--vcpus", "0,1", "--no-rows", around=["prlimit", "--nofile=16384"])
                 for n in (250, 1000))  # fmt: skip
    taken = [cpu_time_of_turns("--vm", f"{name(vm)}*") for vm in (few, many)]
    assert taken[1] <= 10 * taken[0], taken
