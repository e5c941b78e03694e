# SPDX-License-Identifier: MIT
"""What the verbs print of a peer that does not mean well does nothing to a terminal."""

import csv
import io
import json
import socket
import threading
import time

import pytest

from support.programs import TIMEOUT, run
from support.strangers import Stranger, greeting, reply_to

GREETING = {"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 8}, "package": ""},
                    "capabilities": []}}
EVIL = "\x1b[2J\x1b]0;owned\x07\r\n\u009b31m\u202e"
NAME = EVIL + "web"
CLEAN_NAME = "?[2J?]0;owned????31m?web"
STATS = [
    {"name": "depth", "type": "linear-histogram", "bucket-size": 1, "exponent": 0},
    {"name": "size", "type": "instant", "unit": "bytes", "base": 2, "exponent": 32767},
    {"name": "size" + EVIL, "type": "instant", "exponent": 0},
    {"name": "count", "type": "cumulative", "exponent": 0},
]
VALUES = [
    {"name": "depth", "value": [2**64 - 1, 2**64 - 1, 0]},
    {"name": "size", "value": 7},
    {"name": "size" + EVIL, "value": 1},
    {"name": "count", "value": 2**64 - 1},
]
PATH = "/machine/evil"


class HostileVm:
    """Answers as QEMU does, but with texts of its own."""

    def __init__(self, path, replies=None):
        self.path = path
        self.replies = {
            "qmp_capabilities": {"return": {}},
            "query-name": {"return": {"name": NAME}},
            "query-stats-schemas": {
                "return": [{"provider": "kvm", "target": "vcpu", "stats": STATS},
                           {"provider": EVIL, "target": "vcpu", "stats": STATS}]},
            "query-cpus-fast": {"return": [{"qom-path": PATH, "cpu-index": 0},
                                           {"qom-path": PATH + EVIL, "cpu-index": 1}]},
            "query-status": {"return": {"status": EVIL, "running": False}},
            "query-stats": {
                "return": [{"provider": "kvm", "qom-path": PATH, "stats": VALUES}]},
            **(replies or {}),
        }
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def talk(self, lines):
        lines.write(json.dumps(GREETING).encode() + b"\r\n")
        lines.flush()
        for line in lines:
            reply = self.replies[json.loads(line)["execute"]]
            lines.write(reply_to(line, reply))
            lines.flush()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, client.makefile("rwb") as lines:
                try:
                    self.talk(lines)
                except (BrokenPipeError, ConnectionResetError):
                    pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


@pytest.fixture
def hostile(tmp_path):
    vm = HostileVm(str(tmp_path / "evil.sock"))
    yield vm
    vm.stop()


def assert_harmless(text):
    odd = [c for c in text if c != "\n" and (not c.isprintable() or c == "\u202e")]
    assert not odd, repr(text)


@pytest.mark.parametrize("arguments", [
    ["stats"], ["stats", "-o", "json"], ["stats", "-o", "csv"],
    ["stats", "--rates", "-n", "1", "-i", "0.01"],
    ["stats", "--rates", "-n", "1", "-i", "0.01", "-o", "json"],
    ["schemas"], ["schemas", "-o", "json"], ["schemas", "-o", "csv"],
    ["hist"], ["hist", "-o", "json"], ["hist", "-o", "csv"],
    ["describe"], ["describe", "-o", "json"], ["describe", "size"],
    ["snap"], ["top", "--batch", "-n", "1", "-i", "0.1"],
])
def test_what_is_printed_is_harmless(hostile, arguments):
    result = run(arguments[0], "--socket", hostile.path, *arguments[1:])
    assert (result.returncode, result.stderr) == (0, "")
    assert_harmless(result.stdout)
    if "json" in arguments or arguments == ["snap"]:
        json.loads(result.stdout)


def test_doctor_is_harmless(hostile):
    for form in ("table", "json"):
        result = run("doctor", "--socket", hostile.path, "-o", form)
        assert_harmless(result.stdout + result.stderr)


def test_the_vm_has_its_name_made_plain(hostile):
    result = run("stats", "--socket", hostile.path, "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["vm"] for row in rows} == {CLEAN_NAME}
    assert {row["name"] for row in rows} == {"depth", "size", "count"}


def test_counts_past_64_bits_are_drawn(hostile):
    text = run("hist", "--socket", hostile.path).stdout
    assert f"{2**64 - 1} values" in text
    assert "inf" not in text and "nan" not in text


@pytest.mark.parametrize("arguments", [["--stat", "sise"], ["--provider", "kvn"]])
def test_suggestions_are_harmless(hostile, arguments):
    result = run("stats", "--socket", hostile.path, *arguments)
    assert result.returncode == 3
    assert "did you mean" in result.stderr
    assert_harmless(result.stderr)


def test_errors_are_harmless(tmp_path):
    vm = HostileVm(str(tmp_path / "evil.sock"),
                   {"query-stats-schemas": {"error": {"class": "GenericError", "desc": EVIL}}})
    try:
        result = run("stats", "--socket", vm.path)
    finally:
        vm.stop()
    assert result.returncode == 1
    assert_harmless(result.stderr)


def test_paths_are_harmless(tmp_path):
    directory = tmp_path / "sockets"
    directory.mkdir()
    vm = HostileVm(str(directory / "\x1b[2J.sock"), {"query-name": {"return": {}}})
    try:
        for form in ("table", "json", "csv"):
            result = run("stats", "--socket", directory, "-o", form)
            assert result.returncode == 0
            assert_harmless(result.stdout + result.stderr)
        assert_harmless(run("doctor", "--socket", directory).stdout)
    finally:
        vm.stop()
    result = run("stats", "--socket", directory)
    assert result.returncode == 1
    assert_harmless(result.stderr)


class OutOfBand(Stranger):
    """Says one byte out of band where something is awaited, and nothing else."""

    def __init__(self, path, banner):
        super().__init__(path, banner)
        self.served = []

    def process_request(self, request, client_address):
        request.sendall(self.banner)
        request.send(b"x", socket.MSG_OOB)
        self.served.append(request)

    def stop(self):
        super().stop()
        for request in self.served:
            request.close()


@pytest.mark.parametrize("verb", ["list", "stats", "snap", "hist", "schemas", "doctor"])
@pytest.mark.parametrize("banner", [b"", greeting((8, 2, 0))], ids=["greeting", "reply"])
def test_a_byte_out_of_band_costs_no_more_than_silence(programs, verb, banner):
    """poll() sees it, and recv() drops it."""
    vm = programs.keep(OutOfBand(programs.path("vm.sock"), banner))
    start = time.monotonic()
    result = run(verb, "--socket", vm.path, "--timeout", "0.3")
    assert result.returncode == 1
    assert "within 0.3 s" in result.stdout + result.stderr
    assert time.monotonic() - start < TIMEOUT / 2
