# SPDX-License-Identifier: MIT
"""`vitals snap` keeps values, and `vitals diff` says what happened between two of them."""

import concurrent.futures
import copy
import csv
import io
import json
import os
import random
import re
import signal
import stat as inode
import subprocess
import threading
import time

import pytest

from support.programs import SANITIZED, TIMEOUT, VITALS, run, stat
from support.strangers import SILENCE, FakeQemu, reply_to

MAX = 2**64 - 1


class SilentQemu(FakeQemu):
    """Says what statistics it has, and then nothing of their values."""

    def __init__(self, asked, *arguments, **replies):
        self.asked = asked
        super().__init__(*arguments, **replies)

    def answer(self, line):
        if json.loads(line)["execute"] != "query-stats":
            return super().answer(line)
        self.asked.set()
        return SILENCE


@pytest.fixture
def vm(programs):
    """A VM of two vCPUs with each kind of statistic, and a function that changes its values."""
    server = programs.server(name="web1")
    server.tell("register", "p/vcpu", stat("count"), stat("now", "instant"),
                stat("most", "peak", "bytes"), stat("wait", "log-hist", "seconds", exponent=-9,
                                                    count=3), stat("big"))  # fmt: skip
    server.change = lambda *values: [
        server.tell("row", "p/vcpu", f"cpu/{i}", *values) for i in range(2)
    ]
    server.change(10, 5, 100, 1, 2, 3, MAX - 5)
    return server


def snap(programs, vm, name):
    path = programs.path(name)
    result = run("snap", "--socket", vm.path, "-f", path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    return path


@pytest.fixture
def pair(programs, vm):
    before = snap(programs, vm, "before.json")
    vm.change(110, 7, 4096, 1, 4, 3, MAX)
    return before, snap(programs, vm, "after.json")


def diff(*arguments, **options):
    result = run("diff", *arguments, **options)
    assert result.returncode == 0, result.stderr
    return result


def diff_json(*arguments):
    return json.loads(diff(*arguments, "-o", "json").stdout)["stats"]


# ---- snap ---------------------------------------------------------------------------------------


def test_a_snapshot_is_what_stats_prints(programs, vm):
    kept = json.loads(open(snap(programs, vm, "snap.json"), encoding="utf-8").read())
    shown = json.loads(run("stats", "--socket", vm.path, "-o", "json").stdout)
    printed = json.loads(run("snap", "--socket", vm.path).stdout)
    assert kept["schema_version"] == 1
    times = [{stat_.pop("reply_time") for stat_ in each["stats"]} for each in (kept, shown, printed)]
    assert max(times[0]) < min(times[1]) < min(times[2])
    assert kept["stats"] == shown["stats"] == printed["stats"]


def test_diff_says_the_time_it_covers(pair):
    before, after = (json.loads(read_all(path))["time"] for path in pair)
    reply = json.loads(diff(*pair, "-o", "json").stdout)
    assert (reply["since"], reply["time"]) == (before, after)
    line = diff(*pair).stdout.splitlines()[0]
    from_, to, seconds = re.fullmatch(r"from (\S+ \S+) to (\S+ \S+), (\S+) s", line).groups()
    assert from_ < to and float(seconds) == pytest.approx(after - before, abs=0.001)
    assert diff(*pair, "--no-legend").stdout.splitlines()[0].startswith("web1")


def test_diff_adds_up_and_sorts(pair):
    reply = json.loads(diff(*pair, "-o", "json", "--total", "--top", 1).stdout)["stats"]
    assert [(stat["name"], stat.get("delta"), stat["objects"]) for stat in reply] == [
        ("count", 200, 2), ("most", None, 2)]  # fmt: skip


def test_a_file_is_replaced_when_all_is_written(programs, vm):
    path = snap(programs, vm, "snap.json")
    inode = os.stat(path).st_ino
    vm.change(*[0] * 7)
    snap(programs, vm, "snap.json")
    assert os.stat(path).st_ino != inode
    missing = programs.path("missing.sock")
    before = os.stat(path).st_ino
    result = run("snap", "--socket", vm.path, "--socket", missing, "-f", path)
    assert result.returncode == 1 and os.stat(path).st_ino == before
    assert sorted(name for name in os.listdir(programs.directory) if "json" in name) == [
        "snap.json"
    ]


def test_a_file_that_cant_be_written(vm):
    result = run("snap", "--socket", vm.path, "-f", "/no/such/directory/x")
    assert result.returncode == 1 and "No such file or directory" in result.stderr


def read_all(path):
    with open(path, "rb") as file:
        return file.read()


def test_a_pipe_is_written_into(programs, vm):
    path = programs.path("pipe")
    os.mkfifo(path)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        text = pool.submit(read_all, path)
        snap(programs, vm, "pipe")
        assert inode.S_ISFIFO(os.stat(path).st_mode)
        assert len(json.loads(text.result(TIMEOUT))["stats"]) == 2 * 5


def link(programs, target):
    """Whatever happens to the link, it does not happen to a file of this machine."""
    os.symlink(target, programs.path("link.json"))
    return programs.path("link.json")


def test_a_device_is_written_into(programs, vm):
    path = link(programs, "/dev/null")
    snap(programs, vm, "link.json")
    assert os.readlink(path) == "/dev/null" and os.path.getsize(path) == 0


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_one(programs, vm, is_there):
    os.mkdir(programs.path("dir"))
    if is_there:
        programs.write("dir/real.json", b"old")
    path = link(programs, "dir/real.json")
    snap(programs, vm, "link.json")
    assert os.readlink(path) == "dir/real.json"
    assert len(json.loads(read_all(programs.path("dir/real.json")))["stats"]) == 2 * 5
    assert os.listdir(programs.path("dir")) == ["real.json"]


def test_a_link_into_no_directory(programs, vm):
    path = link(programs, "none/real.json")
    result = run("snap", "--socket", vm.path, "-f", path)
    assert result.returncode == 1 and "No such file or directory" in result.stderr
    assert os.path.islink(path)


def test_a_file_keeps_its_mode(programs, vm):
    path = programs.write("snap.json", b"old")
    for mode in 0o640, 0o604:
        os.chmod(path, mode)
        snap(programs, vm, "snap.json")
        assert os.stat(path).st_mode & 0o7777 == mode
    mask = os.umask(0o027)
    try:
        assert os.stat(snap(programs, vm, "new.json")).st_mode & 0o7777 == 0o640
    finally:
        os.umask(mask)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(programs, number):
    stats = [{"provider": "kvm", "target": "vm", "stats": [{"name": "a", "type": "peak"}]}]
    asked = threading.Event()
    qemu = programs.keep(SilentQemu(asked, programs.path("qemu.sock"),
                                    query_stats_schemas={"return": stats}))  # fmt: skip
    os.mkdir(programs.path("dir"))
    process = subprocess.Popen(
        [VITALS, "snap", "--socket", qemu.path, "-f", programs.path("dir/snap.json")],
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # nohup has them ignore SIGHUP
    )
    assert asked.wait(TIMEOUT)
    process.send_signal(number)
    assert process.wait(TIMEOUT) == -number
    assert os.listdir(programs.path("dir")) == []


def test_a_full_disk_is_said_once(programs, vm):
    path = link(programs, "/dev/full")
    result = run("snap", "--socket", vm.path, "-f", path)
    assert result.returncode == 1 and f"{path}: No space left on device" in result.stderr
    assert len(result.stderr.splitlines()) == 2


# ---- diff ---------------------------------------------------------------------------------------


def test_what_came(pair):
    stats = {stat_["name"]: stat_ for stat_ in diff_json(*pair, "--vcpu", "cpu/0")}
    assert set(stats) == {"count", "now", "most", "wait", "big"}
    assert (stats["count"]["before"], stats["count"]["value"], stats["count"]["delta"]) == (
        10, 110, 100)  # fmt: skip
    assert stats["wait"]["deltas"] == [0, 2, 0] and stats["wait"]["befores"] == [1, 2, 3]
    assert (stats["now"]["before"], stats["now"]["value"]) == (5, 7) and "delta" not in stats["now"]
    assert (stats["big"]["value"], stats["big"]["delta"]) == (MAX, 5)
    assert stats["count"]["rate"] == pytest.approx(100 / stats["count"]["seconds"], rel=1e-3)


def test_table(pair):
    _, *lines = diff(*pair).stdout.splitlines()
    assert lines[0].split() == ["VM", "OBJECT", "PROVIDER", "STAT", "CHANGE", "DISTRIBUTION"]
    changes = {tuple(line.split()[:4]): " ".join(line.split()[4:]) for line in lines[1:]}
    assert changes[("web1", "cpu/0", "p", "count")] == "100"
    assert changes[("web1", "cpu/1", "p", "now")] == "5 -> 7"
    assert changes[("web1", "cpu/1", "p", "most")] == "100 B -> 4 KiB"
    assert changes[("web1", "cpu/1", "p", "wait")].startswith("2 p50 <2ns p90 ")
    assert "/s" in diff(*pair, "--rates", "--stat", "count").stdout


def test_csv(pair):
    lines = list(csv.DictReader(io.StringIO(diff(*pair, "-o", "csv", "--stat", "count").stdout)))
    assert [(line["path"], line["value"], line["delta"], line["reset"]) for line in lines] == [
        ("cpu/0", "110", "100", "0"), ("cpu/1", "110", "100", "0")]  # fmt: skip


def test_what_has_not_changed_is_left_out(programs, vm):
    first = snap(programs, vm, "first.json")
    second = snap(programs, vm, "second.json")
    assert diff_json(first, second) == []
    assert len(diff_json(first, second, "--all")) == 2 * 5


def test_a_reset_is_no_negative_number(programs, pair, vm):
    vm.change(3, 1, 100, 0, 9, 9, 4)
    after = snap(programs, vm, "reset.json")
    stats = {stat_["name"]: stat_ for stat_ in diff_json(pair[1], after, "--vcpu", "cpu/0")}
    for name in "count", "wait", "big":
        assert stats[name]["reset"] is True and "rate" not in stats[name]
    assert (stats["now"]["before"], stats["now"]["value"]) == (7, 1)
    result = diff(pair[1], after, "--no-legend")
    assert result.stdout.count(" reset") == 6 and "-" not in result.stdout.replace("->", "")
    assert "6 statistics began anew: they were reset, or the VM or vCPU started again" in result.stderr


def test_one_count_of_a_vm_that_went_down(programs, vm):
    """All of that VM began anew then: what is larger than before is no difference."""
    before = snap(programs, vm, "first.json")
    vm.change(9, 5, 100, 100, 200, 300, MAX - 5)
    after = snap(programs, vm, "second.json")
    stats = diff_json(before, after, "--vcpu", "cpu/0")
    resets = {each["name"]: each["reset"] for each in stats if "reset" in each}
    assert resets == {"count": True, "wait": True, "big": True}
    assert "reset, 9\n" in diff(before, after, "--stat", "count").stdout


def edited(programs, path, change):
    """The same snapshot, otherwise."""
    with open(path, encoding="utf-8") as file:
        snapshot = json.load(file)
    change(snapshot)
    return programs.write("edited.json", json.dumps(snapshot).encode())


def set_clock(seconds):
    def change(snapshot):
        for each, names in (snapshot, ("time", "boot_time")), *(
            (each, ("reply_time",)) for each in snapshot["stats"]
        ):
            for name in names:
                each[name] += seconds

    return change


def forget_lives(snapshot):
    """As files were before."""
    for name in "host", "boot_id", "boot_time", "vms":
        del snapshot[name]


@pytest.mark.parametrize("seconds", [-3600, -0.5, 3600])
def test_a_clock_that_was_set(programs, pair, seconds):
    (plain, *_), (counted, *_) = (
        diff_json(pair[0], after)
        for after in (pair[1], edited(programs, pair[1], set_clock(seconds)))
    )
    assert counted["seconds"] == pytest.approx(plain["seconds"], abs=1e-4)
    assert counted["delta"] == plain["delta"]


def test_files_of_before(programs, pair):
    old = edited(programs, pair[1], forget_lives)
    stats = diff_json(pair[0], old)
    assert stats and [each for each in stats if each.get("reset")] == []
    assert [each.get("delta") for each in stats] == [
        each.get("delta") for each in diff_json(*pair)
    ]


@pytest.mark.parametrize("name, value, entry", [
    ("boot_id", "another", "the host started again between "),
    ("host", "another", "is of another host than "),
])  # fmt: skip
def test_another_boot(programs, pair, name, value, entry):
    """What is larger than before has counted since the boot."""
    change = {"boot_id": "another", name: value}
    after = edited(programs, pair[1], lambda snapshot: snapshot.update(change))
    assert all(each["reset"] for each in diff_json(pair[0], after) if each["type"] != "instant"
               and each["type"] != "peak")  # fmt: skip
    result = diff(pair[0], after)
    assert entry in result.stderr and "reset, 110" in result.stdout


def test_one_is_standard_input(pair):
    with open(pair[0], "rb") as before:
        result = subprocess.run([VITALS, "diff", "-", pair[1], "-o", "json"], stdin=before,
                                capture_output=True, timeout=TIMEOUT, check=True)  # fmt: skip
    assert json.loads(result.stdout)["stats"] == diff_json(*pair)


def test_each_may_be_a_pipe(pair):
    command = f"'{VITALS}' diff <(cat '{pair[0]}') <(sleep 0.2; cat '{pair[1]}') -o json"
    result = subprocess.run(["bash", "-c", command], capture_output=True, timeout=TIMEOUT,
                            check=True)  # fmt: skip
    assert json.loads(result.stdout)["stats"] == diff_json(*pair)


def test_a_pipe_with_a_name(programs, pair):
    path = programs.path("named")
    os.mkfifo(path)
    writer = subprocess.Popen(["sh", "-c", f"cat '{pair[0]}' > '{path}'"])
    assert diff_json(path, pair[1]) == diff_json(*pair)
    assert writer.wait(TIMEOUT) == 0


def test_a_vcpu_that_is_only_in_one(programs, pair):
    after = json.loads(open(pair[1], encoding="utf-8").read())
    after["stats"] = [stat_ for stat_ in after["stats"] if stat_["path"] == "cpu/0"]
    fewer = programs.write("fewer.json", json.dumps(after).encode())
    result = diff(pair[0], fewer)
    assert f"5 statistics are only in {pair[0]}" in result.stderr
    assert "cpu/1" not in result.stdout


def test_vms_of_one_name(programs):
    servers = [programs.server(name="demo") for _ in range(3)]
    for number, server in enumerate(servers):
        server.tell("register", "p/vm", stat("count"))
        server.tell("row", "p/vm", "vm", 1000**number)
    snapshots = []
    for some in servers[:2], servers[1:]:
        snapshots.append(programs.path(f"{len(snapshots)}.json"))
        sockets = [word for server in some for word in ("--socket", server.path)]
        assert run("snap", *sockets, "-f", snapshots[-1]).returncode == 0
    result = diff(*snapshots, "--all", "-o", "json")
    assert [stat_["delta"] for stat_ in json.loads(result.stdout)["stats"]] == [0]
    for path in snapshots:
        assert f"1 statistics are only in {path}\n" in result.stderr


class SlowQemu(FakeQemu):
    """A counter of milliseconds; the first reply is late."""

    def __init__(self, *arguments, **replies):
        self.delay = 1.5
        self.answered = []  # when
        super().__init__(*arguments, **replies)

    def answer(self, line):
        if json.loads(line)["execute"] != "query-stats":
            return super().answer(line)
        time.sleep(self.delay)
        self.delay = 0
        self.answered.append(time.time())
        stats = [{"name": "a", "value": int(self.answered[-1] * 1000)}]
        return reply_to(line, {"return": [{"provider": "kvm", "stats": stats}]})


def test_a_slow_reply_makes_no_wrong_rate(programs):
    stats = [{"provider": "kvm", "target": "vm", "stats": [{"name": "a", "type": "cumulative"}]}]
    qemu = programs.keep(SlowQemu(programs.path("qemu.sock"),
                                  query_stats_schemas={"return": stats}))  # fmt: skip
    paths, times = [], []
    for name in "before.json", "after.json":
        paths.append(snap(programs, qemu, name))
        times.append(json.loads(read_all(paths[-1]))["stats"][0]["reply_time"])
        assert qemu.answered[-1] - 0.01 <= times[-1] <= time.time() + 0.01
    (shown,) = diff_json(*paths)
    assert shown["reply_time"] == times[1]
    assert shown["seconds"] == pytest.approx(times[1] - times[0], abs=1e-4)
    assert shown["rate"] == pytest.approx(shown["delta"] / shown["seconds"], rel=1e-3)


def test_snapshots_that_overlap(programs, pair):
    """The second was asked for later, but answered first."""
    before = json.loads(read_all(pair[0]))
    for stat_ in before["stats"]:
        stat_["reply_time"] += 3600
    result = run("diff", programs.write("late.json", json.dumps(before).encode()), pair[1])
    assert result.returncode == 1 and "is not older than" in result.stderr


def test_the_options_choose_as_those_of_stats(programs, vm, pair):
    for options in ["--stat", "?o*"], ["--target", "vcpu"], ["--provider", "p", "--stat", "big"]:
        shown = json.loads(run("stats", "--socket", vm.path, "-o", "json", *options).stdout)
        assert shown["stats"]
        assert [(each["path"], each["name"]) for each in diff_json(*pair, "--all", *options)] == [
            (each["path"], each["name"]) for each in shown["stats"]
        ]
    for options in ["--target", "vm"], ["--target", "vm", "--provider", "p"], ["--vcpu", "cpu"]:
        asked = run("stats", "--socket", vm.path, *options)
        compared = run("diff", *pair, *options)
        assert compared.returncode == asked.returncode == 3
        assert compared.stderr == asked.stderr.replace("vitals stats", "vitals diff")


def test_a_vcpu_has_a_number_and_a_path(programs, pair):
    numbered = []
    for path in pair:
        snapshot = json.loads(read_all(path))
        for stat_ in snapshot["stats"]:
            stat_["vcpu"] = int(stat_["path"].removeprefix("cpu/"))
        numbered.append(programs.write(f"n{len(numbered)}", json.dumps(snapshot).encode()))
    for vcpu in "1", "01", "cpu/1":
        assert {stat_["vcpu"] for stat_ in diff_json(*numbered, "--vcpu", vcpu)} == {1}
    assert len(diff_json(*numbered, "--vcpu", "1", "--vcpu", "cpu/0")) == 2 * 5
    result = run("diff", *numbered, "--vcpu", "2")
    assert result.returncode == 3 and "--vcpu takes a number from 0 to 1" in result.stderr


def test_snapshots_of_nothing(programs):
    paths = [programs.write(f"{time_}.json", json.dumps({"schema_version": 1, "time": time_,
                            "stats": []}).encode()) for time_ in (1.5, 2.5)]  # fmt: skip
    result = run("diff", *paths)
    assert result.returncode == 3 and "no statistic of" in result.stderr


# ---- errors -------------------------------------------------------------------------------------


def test_of_different_vms(programs, pair):
    after = json.loads(open(pair[1], encoding="utf-8").read())
    for stat_ in after["stats"]:
        stat_["vm"] = "web2"
    other = programs.write("other.json", json.dumps(after).encode())
    result = run("diff", pair[0], other)
    assert (result.returncode, result.stdout) == (3, "")
    assert "They must be of the same VM" in result.stderr


def test_the_wrong_way_round(pair):
    result = run("diff", pair[1], pair[0])
    assert result.returncode == 1 and "The older one comes first." in result.stderr


@pytest.mark.parametrize("arguments", [[], ["one"], ["one", "two", "three"]])
def test_wrong_usage(arguments):
    result = run("diff", *arguments)
    assert (result.returncode, result.stdout) == (2, "") and "which two" in result.stderr


@pytest.mark.parametrize("text, error", [
    ("", "not a snapshot: empty"),
    ("{", "not a snapshot: "),
    ("[]", "not a snapshot: no JSON object"),
    (json.dumps({str(n): 0 for n in range(257)}), "an object of more than 256 members"),
    ('{"schema_version": 1, "time": 1.5, "stats": {}}', "'vitals snap' writes them"),
    ('{"schema_version": 1, "time": 1.5, "stats": []} x', "not a snapshot: "),
    ('{"schema_version": 2, "time": 1.5, "stats": []}', "of version 2; this vitals reads version"),
    ('{"schema_version": 1, "time": 1.5, "stats": [{}]}', "statistic 1 lacks a member"),
])  # fmt: skip
def test_what_is_no_snapshot(programs, pair, text, error):
    path = programs.write("broken.json", text.encode())
    result = run("diff", path, pair[1])
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"vitals diff: {path}: ") and error in result.stderr


def test_missing_file(pair):
    result = run("diff", "/no/such/file", pair[1])
    assert result.returncode == 1
    assert result.stderr == "vitals diff: /no/such/file: No such file or directory\n"


def wrong_members(snapshot):
    """The snapshot with one member of its first statistic lost, or of another kind."""
    for name in snapshot["stats"][0]:
        for value in (None, "", "x", -1, 1.5, 2**64, [], {}, True, [None], "lose"):
            broken = copy.deepcopy(snapshot)
            broken["stats"][0][name] = value
            if value == "lose":
                del broken["stats"][0][name]
            yield json.dumps(broken).encode()


def broken_bytes(text):
    generator = random.Random(7)
    for _ in range(20 if SANITIZED else 100):
        data = bytearray(text)
        for _ in range(generator.randint(1, 4)):
            data[generator.randrange(len(data))] = generator.choice(b'{}[]",:0-9aE. \x00\xff')
        yield bytes(data[: generator.randint(1, len(data))] if generator.random() < 0.3 else data)


def test_broken_snapshots_end_well(programs, pair):
    with open(pair[0], "rb") as file:
        text = file.read()
    refused = 0
    for data in [*wrong_members(json.loads(text)), *broken_bytes(text)]:
        result = run("diff", programs.write("broken.json", data), pair[1])
        assert result.returncode in (0, 1, 3), (result.returncode, data)
        refused += result.returncode == 1
    assert refused > 50
