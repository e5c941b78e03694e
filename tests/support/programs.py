# SPDX-License-Identifier: MIT
"""Starts the programs under test, and makes sure that each ends well."""

import contextlib
import ctypes
import errno
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from support.qmp import Qmp

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "tests" / "data"
SANITIZED = bool(os.environ.get("VITALS_SANITIZED"))  # slower, and with more memory
EMULATED = bool(os.environ.get("VITALS_EMULATED"))  # in an emulated machine: much slower
TIMEOUT = 120 if EMULATED or SANITIZED else 30


def numbers(enum):
    """{name: number} of an enum of the public header: "log-hist" of VITALS_LOG_HIST."""
    header = (ROOT / "include" / "vitals" / "stats.h").read_text("utf-8")
    body = re.search(rf"^enum {enum} {{(.*?)}}", header, re.MULTILINE | re.DOTALL)[1]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    names = re.findall(r"VITALS_(\w+)", body)
    return {name.lower().replace("_", "-"): number for number, name in enumerate(names)}


TYPES = numbers("vitals_type")
UNITS = numbers("vitals_unit")


def program(variable, default):
    """A built program: meson says where; by hand it is looked for in build/."""
    return os.environ.get(variable, str(ROOT / "build" / default))


VITALS = program("VITALS", "vitals")
EXAMPLE_COUNTERS = program("VITALS_EXAMPLE_COUNTERS", "examples/example-counters")
EXAMPLE_PUBLISH = program("VITALS_EXAMPLE_PUBLISH", "examples/example-publish")
EXAMPLE_PROVIDER = program("VITALS_EXAMPLE_PROVIDER", "examples/example-provider")
EXAMPLE_EMBED_POLL = program("VITALS_EXAMPLE_EMBED_POLL", "examples/example-embed-poll")
TEST_SERVER = program("VITALS_TEST_SERVER", "tests/test-server")


def wait_until(condition, what, timeout=TIMEOUT):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout} s: {what}"
        time.sleep(0.005)


def cpu_time(pid):
    """Seconds that all threads of a process had a CPU so far."""
    return time.clock_gettime(~pid << 3 | 2)  # what clock_getcpuclockid() makes of it


def memory_bound(kib):
    """Sanitizers keep freed memory for a while, so that no small bound holds."""
    return 600 * 1024 if SANITIZED else kib


def assert_no_reports(text):
    """Sanitizers write to stderr, and not all of them change the exit status."""
    assert "Sanitizer" not in text and "runtime error:" not in text, text


class Program:
    """A process that runs until stop(), which also checks how it ended."""

    def __init__(self, command, directory, **options):
        self.log_path = os.path.join(directory, f"log-{time.monotonic_ns()}")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                **options,
            )
        self.pid = self.process.pid
        self.ended = False

    def log(self):
        """What it wrote to stderr so far."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def read_line(self):
        """The next line of its stdout, without the end; "" if it ended instead."""
        assert select.select([self.process.stdout], [], [], TIMEOUT)[0], f"silent: {self.log()}"
        return self.process.stdout.readline().strip()

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Its exit status."""
        status = self.process.wait(TIMEOUT)
        self.process.stdin.close()
        self.process.stdout.close()
        self.ended = True
        return status

    def ask_to_end(self):
        self.send_signal(signal.SIGTERM)

    def stop(self):
        if self.ended:
            return
        if self.process.poll() is None:
            self.ask_to_end()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        assert_no_reports(self.log())
        assert status == 0, f"exit status {status}: {self.log()}"

    def kill(self):
        self.process.kill()
        self.wait()

    def memory(self, name="VmRSS"):
        """Its memory in KiB: VmRSS now, VmHWM the most so far."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(name + ":"):
                    return int(line.split()[1])
        raise AssertionError(f"{name} of {self.pid}")


class InputEnded(Program):
    """A program that ends with its input."""

    def __init__(self, command, directory, path):
        super().__init__(command, directory)
        self.path = path

    def ask_to_end(self):
        self.process.stdin.close()


class Demo(Program):
    """`vitals demo`, serving when the constructor returns."""

    def __init__(self, directory, *options, path=None):
        self.path = path or os.path.join(directory, f"demo-{time.monotonic_ns()}.sock")
        super().__init__([VITALS, "demo", "--qmp", self.path, *map(str, options)], directory)
        self.announcement = self.read_line()
        if not self.announcement:
            status = self.wait()
            raise AssertionError(f"exit status {status}: {self.log()}")


class ServerError(Exception):
    """The library refused what the test server was told to do."""

    def __init__(self, text):
        number, _, self.text = text.partition(" ")
        self.name = errno.errorcode[int(number)]
        super().__init__(f"{self.name}: {self.text}")


def stat(name, type_="cumulative", unit="none", base=10, exponent=0, count=1, bucket_size=0, help_=""):
    """A statistic as the command `register` of the test server wants it."""
    numbers = [TYPES[type_], UNITS[unit], base, exponent, count, bucket_size]
    return ":".join([name, *map(str, numbers), *([help_] if help_ else [])])


class Server(InputEnded):
    """The test server: serves what it is told to."""

    def __init__(self, directory, name="", clients_max=0, memory_max=0):
        path = os.path.join(directory, f"server-{time.monotonic_ns()}.sock")
        command = [TEST_SERVER, path, name, str(clients_max), str(memory_max)]
        super().__init__(command, directory, path)
        assert self.read_line() == "ok 0", self.log()

    def tell(self, *words):
        """Runs a command of tests/support/test_server.c. Returns its number."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        status, _, text = self.read_line().partition(" ")
        if status != "ok":
            raise ServerError(text)
        return int(text)

    def log_lines(self):
        return [line for line in self.log().splitlines() if line.startswith("log: ")]


def listens(path):
    """A socket's file is there a moment before somebody listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


class Programs:
    """What a test starts: everything is ended with it, and its files are removed."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="vitals-test-")
        self.started = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, data):
        """A file with these bytes. Returns its path."""
        pathlib.Path(self.path(name)).write_bytes(data)
        return self.path(name)

    def run_as_other(self, *arguments, **options):
        """Runs `vitals` as a user who owns nothing here; without root that is the test's own."""
        program = self.path("vitals")
        if not os.path.exists(program):  # where vitals was built, others may not get
            shutil.copy(VITALS, program)
            os.chmod(self.directory, 0o711)
        other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        return run(*arguments, program=program, cwd="/", **other, **options)

    def keep(self, closable):
        self.started.append(closable)
        return closable

    def demo(self, *options, **keywords):
        return self.keep(Demo(self.directory, *options, **keywords))

    def server(self, **keywords):
        return self.keep(Server(self.directory, **keywords))

    def start(self, command):
        """Any other program."""
        return self.keep(Program(command, self.directory))

    def example(self, command, *arguments):
        """An example; it says nothing, so its socket is waited for."""
        path = self.path(f"example-{time.monotonic_ns()}.sock")
        example = self.keep(InputEnded([command, path, *arguments], self.directory, path))
        wait_until(lambda: listens(path), f"{command} makes its socket")
        return example

    def connect(self, where):
        """A client that has done nothing yet, not even read the greeting."""
        return self.keep(Client(getattr(where, "path", where)))

    def client(self, where):
        """A client that has negotiated."""
        return self.connect(where).negotiate()

    def close(self):
        """Ends all, the last first, and then says what was wrong with any."""
        problems = []
        for closable in reversed(self.started):
            try:
                closable.stop()
            except (AssertionError, OSError, subprocess.TimeoutExpired) as problem:
                problems.append(problem)
        while os.path.exists(self.directory):  # who has outlived them removes its own meanwhile
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self.directory)
        if problems:
            raise problems[0]


class Client(Qmp):
    """A client that ends like a program."""

    def stop(self):
        self.close()


def without_capabilities():
    """For a child of root, which opens any file: without these it must follow the file's mode."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; only root has something to drop


def without_right_to_read_the_kernel():
    """For a child of root: it may not read the VMs of the host."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (21, 38, 39):  # CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


# The environment of a program that gets a library before its own, which may have a sanitizer: that wants to be the first of all.
PRELOADED = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def words_of(settings):
    """Of `env`."""
    return [f"{key}={value}" for key, value in settings.items()]


def run(*arguments, program=VITALS, **options):
    """Runs `vitals` to its end."""
    result = subprocess.run(
        [program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        **options,
    )
    assert_no_reports(result.stderr)
    return result
