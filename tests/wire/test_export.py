# SPDX-License-Identifier: MIT
"""`vitals export`: what QMP says, as those who read metrics want it."""

import json
import os
import re
import signal
import stat as modes

import pytest

from support import exposition, recordings
from support.programs import run, stat, wait_until
from support.recordings import VCPUS
from support.strangers import Listener

WAIT = "kvm_vcpu_halt_wait_duration_seconds"


@pytest.fixture
def demo(programs, recording):
    return programs.demo("--recording", recording, "--name", "web1")


def export(*words, status=0, text_format="openmetrics"):
    """What is printed, read by all who read it."""
    result = run("export", "-o", text_format, *words)
    assert result.returncode == status, result.stderr
    assert bool(result.stderr) == bool(status)
    return exposition.READERS[text_format](result.stdout)


def shown(where):
    """What `vitals stats` shows of the same VM."""
    return json.loads(run("stats", "--socket", where.path, "-o", "json").stdout)["stats"]


def number_of(text):
    """Of nanoseconds."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(9, "0"))


# ---- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text_format", exposition.READERS)
def test_each_value_of_a_vm_is_there(demo, text_format):
    found = export("--socket", demo.path, "--preset", "full", text_format=text_format)
    stats = [row for row in shown(demo) if row["provider"] == "kvm"]
    assert {row["name"] for row in stats} == {"pages_4k", "remote_tlb_flush", "exits", "guest_mode",
                                              "halt_wait_ns", "halt_wait_hist"}  # fmt: skip
    for row in stats:
        labels = {"vm": "web1"} | ({} if row["vcpu"] is None else {"vcpu": str(row["vcpu"])})
        if row["name"] == "halt_wait_ns":
            value = found.value("kvm_vcpu_halt_wait_seconds_total", **labels)
            assert number_of(value) == row["value"]
        elif row["name"] != "halt_wait_hist":
            end = "_total" if row["type"] == "cumulative" else ""
            assert found.value(f"kvm_{row['target']}_{row['name']}{end}", **labels) == str(row["value"])


def bound_of(i):
    """2^i ns as Python writes it, with its exponent as Go does."""
    return re.sub(r"\.0$", ".0", repr(2**i / 1e9))


@pytest.mark.parametrize("options, kept", [([], range(31)), (["--thin"], range(10, 31, 2))])
def test_buckets_are_those_of_the_kernel(demo, options, kept):
    found = export("--socket", demo.path, "--preset", "full", *options)
    rows = {row["vcpu"]: row for row in shown(demo) if row["name"] == "halt_wait_hist"}
    sums = {row["vcpu"]: row["value"] for row in shown(demo) if row["name"] == "halt_wait_ns"}
    assert len(rows) == VCPUS
    for vcpu, row in rows.items():
        counts = [(labels["le"], value) for labels, value in found.of(f"{WAIT}_bucket")
                  if labels["vcpu"] == str(vcpu)]  # fmt: skip
        values = row["values"]
        assert counts == [(bound_of(i), str(sum(values[: i + 1]))) for i in kept] + [
            ("+Inf", str(sum(values)))
        ]
        assert found.value(f"{WAIT}_count", vm="web1", vcpu=str(vcpu)) == str(sum(values))
        assert number_of(found.value(f"{WAIT}_sum", vm="web1", vcpu=str(vcpu))) == sums[vcpu]
    assert found.heads[WAIT, "UNIT"] == "seconds"


def test_types_and_units(server):
    """What a VMM has of its own, with values near to 2^64."""
    server.tell("register", "own/vm", stat("bytes_sent", "cumulative", "bytes"),
                stat("queue", "peak"), stat("spun", "cumulative", "cycles", 10, 3),
                stat("cache", "instant", "bytes", 2, 10), stat("busy_ns", "cumulative", "seconds", 10, -9),
                stat("sizes", "linear-hist", "bytes", 10, 0, 3, 100))  # fmt: skip
    most = 2**64 - 1
    server.tell("row", "own/vm", "vm", most, most - 1, most, most, most, most, 1, 1)
    vm = os.path.basename(server.path).removesuffix(".sock")
    for text_format in exposition.READERS:
        found = export("--socket", server.path, "--preset", "full", text_format=text_format)
        assert found.value("own_vm_bytes_sent_bytes_total", vm=vm) == "18446744073709551615"
        assert found.value("own_vm_queue", vm=vm) == "18446744073709551614"
        assert found.value("own_vm_spun_cycles_total", vm=vm) == "18446744073709551615000"
        assert found.value("own_vm_cache_bytes", vm=vm) == str(most * 1024)
        assert found.value("own_vm_busy_seconds_total", vm=vm) == "18446744073.709551615"
        bucket = "own_vm_sizes_size_bytes_bucket"
        assert [(labels["le"], value) for labels, value in found.of(bucket)] == [
            ("100.0", str(most)), ("200.0", str(most)), ("+Inf", str(most))]  # fmt: skip


NAME = 'a"b\\c d\u00e9 {x="y"} 1 #'


def test_names_of_strangers(programs, recording):
    vm = programs.demo("--recording", recording, "--name", NAME)
    for text_format in exposition.READERS:
        found = export("--socket", vm.path, text_format=text_format)
        assert {dict(labels)["vm"] for name, labels in found.samples if "vm" in dict(labels)} == {NAME}


def test_who_the_vm_is(demo):
    (labels, value), = export("--socket", demo.path).of("kvm_vm_info")
    assert value == "1"
    assert labels == {"vm": "web1", "uuid": "", "vmm": "", "way": "socket", "pid": str(demo.process.pid)}


def test_vms_of_one_name(programs, recording):
    vms = [programs.demo("--recording", recording, "--name", "twin") for _ in range(2)]
    found = export("--socket", vms[0].path, "--socket", vms[1].path)
    assert {labels["vm"] for labels, _ in found.of("kvm_vcpu_exits_total")} == {
        f"twin@{vm.process.pid}" for vm in vms
    }


# ---- what is chosen -----------------------------------------------------------------------------


def statistics_of(found):
    return {name for name in found.names() if not name.startswith(("vitals_", "kvm_vm_info"))}


SCALARS = {"kvm_vm_pages_4k", "kvm_vm_remote_tlb_flush_total", "kvm_vcpu_exits_total",
           "kvm_vcpu_guest_mode", "kvm_vcpu_halt_wait_seconds_total"}  # fmt: skip
HISTOGRAM = {f"{WAIT}_{end}" for end in ("bucket", "count", "sum")}
MINIMAL = {"kvm_vcpu_exits_total", "kvm_vcpu_halt_wait_seconds_total"}


@pytest.mark.parametrize("options, expected", [
    ([], SCALARS), (["--preset", "default"], SCALARS), (["--preset", "full"], SCALARS | HISTOGRAM),
    (["--preset", "minimal"], MINIMAL), (["--target", "vm"], {each for each in SCALARS if "_vm_" in each}),
    (["--stat", "halt_wait_hist"], HISTOGRAM),
    (["--stat", "halt_*"], HISTOGRAM | {"kvm_vcpu_halt_wait_seconds_total"}),
    (["--stat", "halt_*", "--preset", "default"], {"kvm_vcpu_halt_wait_seconds_total"}),
    (["--provider", "kvm", "--stat", "exits"], {"kvm_vcpu_exits_total"}),
])  # fmt: skip
def test_what_is_chosen(demo, options, expected):
    assert statistics_of(export("--socket", demo.path, "--provider", "kvm", *options)) == expected


def test_what_matches_nothing_leaves_the_rest(demo):
    """A file that nobody renews would have VMs for ever that are gone."""
    found = export("--socket", demo.path, "--stat", "nonsense,exits", status=3)
    assert statistics_of(found) == {"kvm_vcpu_exits_total"}
    found = export("--socket", demo.path, "--vm", "web1", "--vm", "gone", status=3)
    assert SCALARS <= statistics_of(found)
    found = export("--socket", demo.path, "--vm", "gone", status=3)
    assert statistics_of(found) == set()


def test_the_costs_are_those_of_real_expositions(demo):
    table = run("export", "--socket", demo.path, "--explain-cost", "--for", 10).stdout
    assert f"VMs: 1, vCPUs: {VCPUS}." in table and " 10 VMS\n" in table
    rows = re.findall(r"^(minimal|default|full --thin|full) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$",
                      table, re.MULTILINE)  # fmt: skip
    assert len(rows) == 4
    for preset, of_vcpu, of_vm, here, size, of_ten in rows:
        found = export("--socket", demo.path, "--preset", *preset.split())
        assert len(found.samples) == int(here)
        of_vcpus = [labels for _, labels in found.samples if "vcpu" in dict(labels)]
        of_vms = [labels for _, labels in found.samples if "vm" in dict(labels)]
        assert len(of_vcpus) == int(of_vcpu) * VCPUS
        assert len(of_vms) - len(of_vcpus) == int(of_vm)
        assert int(of_ten) == 10 * len(of_vms) + int(here) - len(of_vms)
        assert abs(len(found.text) - int(size)) < 50  # times differ


def test_the_limit(demo):
    whole = export("--socket", demo.path, "--preset", "full")
    n = len(whole.samples)
    limited = ["--socket", demo.path, "--preset", "full", "--max-series"]
    found = export(*limited, n)
    assert found.names() == whole.names()
    assert found.value("vitals_series_dropped", reason="limit") == "0"
    found = export(*limited, n - 1, status=1)
    lost = whole.names() - found.names()
    assert lost and all(re.search("_(bucket|count|sum)$", name) for name in lost)
    dropped = found.value("vitals_series_dropped", reason="limit")
    of_users = found.of("vitals_user_series_dropped")
    assert dropped == str(n - len(found.samples) + len(of_users))
    assert of_users == [({"uid": str(os.getuid()), "reason": "limit"}, dropped)]


# ---- sources that fail --------------------------------------------------------------------------


def sources(found):
    return {(labels["vm"], labels["source"]): int(value) for labels, value in found.of("vitals_source_up")}


def test_sources_that_fail(programs, demo, recording):
    """The rest is whole."""
    silent = programs.keep(Listener(programs.path("silent.sock")))
    broken = programs.server()
    broken.tell("register", "p/vm", stat("x"))
    broken.tell("row", "p/vm", "vm", 1)
    broken.tell("break", "p/vm", 5)
    stopped = programs.demo("--recording", recording, "--name", "stopped")
    stopped.process.send_signal(signal.SIGSTOP)
    gone = programs.path("gone.sock")
    paths = [demo.path, silent.path, broken.path, gone, stopped.path]
    words = [word for path in paths for word in ("--socket", path)]
    try:
        found = export(*words, "--timeout", "0.5", status=1)
    finally:
        stopped.process.send_signal(signal.SIGCONT)
    name = os.path.basename(broken.path).removesuffix(".sock")
    name_of_stopped = os.path.basename(stopped.path).removesuffix(".sock")
    assert sources(found) == {("web1", demo.path): 1, ("silent", silent.path): 0, ("gone", gone): 0,
                              (name, broken.path): 0, (name_of_stopped, stopped.path): 0}  # fmt: skip
    assert statistics_of(found) >= SCALARS
    assert [labels["vm"] for labels, _ in found.of("kvm_vm_info")] == ["web1"]
    times = found.of("vitals_source_last_success_timestamp_seconds")
    assert [labels["vm"] for labels, _ in times] == ["web1"]


def test_no_source_at_all(programs):
    found = export("--socket", programs.path("gone.sock"), status=1)
    assert sources(found) == {("gone", programs.path("gone.sock")): 0}
    assert found.value("vitals_series_dropped", reason="limit") == "0"


# ---- the file -----------------------------------------------------------------------------------


def test_the_file_is_replaced_as_a_whole(programs, demo):
    os.mkdir(programs.path("texts"))
    path = programs.path("texts/vitals.prom")
    assert run("export", "--socket", demo.path, "--textfile", programs.path("texts")).returncode == 0
    with open(path, encoding="utf-8") as before:
        first = exposition.read_prometheus(before.read())
        assert statistics_of(first) >= SCALARS
        mask = os.umask(0)
        os.umask(mask)
        assert modes.S_IMODE(os.stat(path).st_mode) == 0o666 & ~mask
        before.seek(0)
        result = run("export", "--socket", programs.path("none"), "--textfile", programs.path("texts"))
        assert (result.returncode, result.stdout) == (1, "")
        assert before.read() == first.text  # who reads the old one has all of it
    with open(path, encoding="utf-8") as after:
        found = exposition.read_prometheus(after.read())
    assert sources(found) == {("none", programs.path("none")): 0}
    assert os.listdir(programs.path("texts")) == ["vitals.prom"]


def test_whoever_owns_the_directory_does_not_choose_what_is_overwritten(programs, demo):
    os.mkdir(programs.path("texts"))
    other = programs.write("other", b"precious")
    os.symlink(other, programs.path("texts/vitals.prom"))
    assert run("export", "--socket", demo.path, "--textfile", programs.path("texts")).returncode == 0
    assert not os.path.islink(programs.path("texts/vitals.prom"))
    with open(other, encoding="utf-8") as file:
        assert file.read() == "precious"


def test_a_vm_that_is_gone_is_gone(programs, recording):
    os.mkdir(programs.path("vms"))
    vms = [programs.demo("--recording", recording, "--name", name, path=programs.path(f"vms/{name}.sock"))
           for name in ("one", "two")]  # fmt: skip
    names = {labels["vm"] for labels, _ in export("--socket", programs.path("vms")).of("kvm_vm_info")}
    assert names == {"one", "two"}
    vms[0].ask_to_end()
    wait_until(lambda: not os.path.exists(vms[0].path), "its socket is gone")
    found = export("--socket", programs.path("vms"))
    assert {dict(labels).get("vm", "two") for _, labels in found.samples} == {"two"}


def test_frames_are_counters(programs):
    """What has come since then."""
    directory = recordings.write(programs.path("frames"), 2)
    vm = programs.demo("--recording", directory)
    wait_until(lambda: number_of_exits(vm) >= 10_000, "the second frame")


def number_of_exits(vm):
    return int(export("--socket", vm.path).of("kvm_vcpu_exits_total")[0][1])
