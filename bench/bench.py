#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures vitals beside the physical limit and QEMU, on the same machine and in the same run.

The limit is a program that reads the very statistics files that `vitals demo` reads, and sends as
many bytes as vitals' reply has through a unix socket: nothing is formatted. The servers are asked in
turn, round by round, so that a slow moment of the machine hits all of them, each once uncounted and
once counted, and medians are shown.
Writes results.json and curve.svg into the output directory.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
QEMU = "qemu-system-x86_64"
QEMU_VCPUS_MAX = 255
SIZES = [1, 8, 64, 255, 1024]
ASKED_EACH = 2  # how often the client asks a target in a round, see WARM_UP there
ONE = "/machine/unattached/device[0]"
KINDS = {
    "all statistics of all vCPUs": {"target": "vcpu"},
    "one statistic of all vCPUs": {"target": "vcpu", "filters": [{"fields": ["exits"]}]},
    "one statistic of one vCPU": {"target": "vcpu", "vcpus": [ONE],
                                  "filters": [{"fields": ["exits"]}]},
    "all statistics of the VM": {"target": "vm"},
}


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def command(arguments: dict) -> str:
    return json.dumps({"execute": "query-stats", "arguments": arguments})


def flat(arguments: dict) -> dict:
    """The same question in the form of QEMU."""
    converted = {key: value for key, value in arguments.items() if key != "filters"}
    if "filters" in arguments:
        converted["providers"] = [{"provider": "kvm", "names": filter_["fields"]}
                                  for filter_ in arguments["filters"]]
    return converted


# ---- processes ----------------------------------------------------------------------------------


def pinned(cpu: int | None) -> dict:
    """For subprocess: the process and all of its threads stay on this CPU."""
    return {} if cpu is None else {"preexec_fn": lambda: os.sched_setaffinity(0, {cpu})}


class Server:
    """A process that serves on a socket."""

    def __init__(self, arguments: list, path: str, cpu: int | None = None):
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, **pinned(cpu))
        self.path = path
        deadline = time.monotonic() + 30
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{arguments[0]} does not serve on {path}")
            time.sleep(0.02)

    def is_up(self) -> bool:
        if not os.path.exists(self.path):
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.path) == 0

    def cpu_ns(self) -> int:
        """Time that all threads of the process ran."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total

    def rss(self) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def pin_threads(self, name: str, cpu: int) -> None:
        """Those whose names begin so."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().startswith(name):
                os.sched_setaffinity(int(task.name), {cpu})

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class Bench:
    def __init__(self, build: pathlib.Path, directory: str, use_qemu: bool):
        self.build = build
        self.directory = directory
        self.use_qemu = use_qemu
        self.server_cpu: int | None = None
        self.client_cpu: int | None = None

    def place(self, together: bool) -> None:
        """Client and servers on one CPU, or on two: left to the scheduler, that is a matter of
        luck, and makes more of a difference than anything else."""
        cpus = sorted(os.sched_getaffinity(0))
        self.client_cpu, self.server_cpu = cpus[0], cpus[0 if together else -1]

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def tool(self, name: str) -> str:
        return str(self.build / "bench" / f"bench-{name}")

    def vitals(self, vcpus: int, guest: str = "none") -> Server:
        grouped, flat_ = self.path("grouped"), self.path("flat")
        return Server([self.build / "vitals", "demo", "--vcpus", str(vcpus), "--guest", guest,
                       "--qmp", grouped, "--qmp", flat_ + ",dialect=flat"], flat_,
                      self.server_cpu)

    def limit(self, pid: int) -> Server:
        return Server([self.tool("limit"), str(pid), self.path("limit")], self.path("limit"),
                      self.server_cpu)

    def qemu(self, vcpus: int) -> Server:
        path = self.path("qemu")
        server = Server([QEMU, "-enable-kvm", "-S", "-nodefaults", "-no-user-config", "-display",
                         "none", "-m", "64", "-smp", str(vcpus), "-qmp",
                         f"unix:{path},server=on,wait=off"], path, self.server_cpu)
        time.sleep(0.2)  # the probe's connection must be gone: QEMU has one client at a time
        return server

    def client(self, *arguments: str, text: str = "") -> str:
        return subprocess.run([self.tool("client"), *arguments], input=text, text=True, check=True,
                              stdout=subprocess.PIPE, **pinned(self.client_cpu)).stdout

    # ---- round trips ----------------------------------------------------------------------------

    def roundtrip(self, targets: list, rounds: int) -> dict:
        """{name: (bytes, median, min, p90)}, times in ns. A target: name, socket, kind, request."""
        lines = "".join(" ".join(target) + "\n" for target in targets)
        result = {}
        for line in self.client("roundtrip", str(rounds), text=lines).splitlines():
            name, *numbers = line.split()
            result[name] = tuple(int(number) for number in numbers)
        return result

    def measure_kind(self, servers: dict, vcpus: int, arguments: dict, rounds: int) -> dict:
        grouped = ["vitals", self.path("grouped"), "qmp", command(arguments)]
        size = self.roundtrip([grouped], 3)["vitals"][0]
        objects = 0 if arguments["target"] == "vm" else 1 if "vcpus" in arguments else vcpus
        targets = [["limit", self.path("limit"), "raw", f"{objects} {size}"], grouped,
                   ["ids", self.path("grouped"), "qmp-id", command(arguments)],
                   ["flat", self.path("flat"), "qmp", command(flat(arguments))]]
        if "qemu" in servers:
            targets.append(["qemu", self.path("qemu"), "qmp", command(flat(arguments))])
        result = {}
        for name, (size_, median, least, p90) in self.roundtrip(targets, rounds).items():
            result[name] = {"bytes": size_, "median_us": median / 1e3, "min_us": least / 1e3,
                            "p90_us": p90 / 1e3}
        # Server time is taken with one target at a time: two are one process.
        for target in targets:
            server = servers.get(target[0], servers["vitals"])
            before = server.cpu_ns()
            self.roundtrip([target], rounds)
            used = server.cpu_ns() - before
            result[target[0]]["cpu_us"] = used / (ASKED_EACH * rounds) / 1e3
        return result

    def measure_size(self, vcpus: int, rounds: int) -> dict:
        servers = {"vitals": self.vitals(vcpus)}
        try:
            servers["limit"] = self.limit(servers["vitals"].process.pid)
            if self.use_qemu and vcpus <= QEMU_VCPUS_MAX:
                servers["qemu"] = self.qemu(vcpus)
            result = {}
            for kind, arguments in KINDS.items():
                progress(f"{vcpus} vCPUs: {kind}")
                result[kind] = self.measure_kind(servers, vcpus, arguments, rounds)
            return result
        finally:
            for server in servers.values():
                server.stop()

    # ---- load, disturbance, memory ------------------------------------------------------------------

    def load(self, vcpus: int, clients: int, rate: float, arguments: dict, seconds: float) -> dict:
        server = self.vitals(vcpus)
        try:
            before = server.cpu_ns()
            replies, size = self.client("load", str(clients), str(rate), str(seconds),
                                        self.path("grouped"), command(arguments)).split()
            cpu = (server.cpu_ns() - before) / 1e9
            return {"vcpus": vcpus, "clients": clients, "asked_per_second_each": rate,
                    "replies_per_second": int(replies) / seconds,
                    "megabytes_per_second": int(size) / seconds / 1e6,
                    "server_cpu_percent": 100 * cpu / seconds, "server_rss": server.rss()}
        finally:
            server.stop()

    def counters(self) -> dict:
        """exits and signal_exits of the first vCPU of the demo."""
        request = {"target": "vcpu", "vcpus": [ONE],
                   "filters": [{"fields": ["exits", "signal_exits"]}]}
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path("grouped"))
            stream = client.makefile("rw")
            stream.readline()
            for line in ('{"execute": "qmp_capabilities"}', command(request)):
                stream.write(line + "\n")
                stream.flush()
                reply = json.loads(stream.readline())
        stats = reply["return"]["vcpus"][0]["providers"][0]["stats"]
        return {stat["name"]: stat["value"] for stat in stats}

    def disturbance(self, guest: str, queries: int) -> dict:
        """How far the counters of a vCPU move, with queries and for as long without."""
        self.place(together=True)
        server = self.vitals(1, guest)
        try:
            server.pin_threads("vcpu", max(os.sched_getaffinity(0)))  # a CPU of its own
            time.sleep(0.5)
            target = ["v", self.path("grouped"), "qmp", command({"target": "vcpu"})]
            first, start = self.counters(), time.monotonic()
            self.roundtrip([target], queries)
            seconds = time.monotonic() - start
            second = self.counters()
            time.sleep(seconds)
            third = self.counters()
            return {"guest": guest, "queries": queries, "seconds": seconds,
                    "with_queries": {name: second[name] - first[name] for name in first},
                    "without": {name: third[name] - second[name] for name in first}}
        finally:
            server.stop()

    def memory(self, queries: int) -> dict:
        recorded = HERE.parent / "tests/data/recording/vcpu0.0"
        progress(f"memory, {queries} queries")
        output = subprocess.run([self.tool("memory"), recorded, str(queries)], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        return numbers(output)

    def counting(self, additions: int) -> dict:
        """What one addition costs to count, of each thread."""
        progress("counting")
        output = subprocess.run([self.tool("counters"), str(additions)], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        return numbers(output)


def numbers(output: str) -> dict:
    return {name: float(value) for name, value in (line.split() for line in output.splitlines())}


# ---- output -------------------------------------------------------------------------------------


def ratio(part: dict, whole: dict, key: str = "median_us") -> str:
    return f"{part[key] / whole[key]:.2f}" if whole.get(key) else "-"


def print_sizes(sizes: dict) -> None:
    print("new id: a request of vitals that differs from the last one by its id, so it is parsed")
    print(f"{'':28} {'round trip, us':^44} {'ratio':^13} {'CPU of server, us':^26}")
    print(f"{'':28} {'limit':>8} {'vitals':>8} {'new id':>8} {'flat':>8} {'QEMU':>8} {'limit':>6}"
          f" {'QEMU':>6} {'limit':>8} {'vitals':>8} {'new id':>8} {'bytes':>9}")
    for vcpus, kinds in sizes.items():
        print(f"{vcpus} vCPUs")
        for kind, servers in kinds.items():
            limit, vitals, qemu = servers["limit"], servers["vitals"], servers.get("qemu")
            print(f"  {kind:26} {limit['median_us']:8.1f} {vitals['median_us']:8.1f}"
                  f" {servers['ids']['median_us']:8.1f} {servers['flat']['median_us']:8.1f}"
                  f" {qemu['median_us'] if qemu else float('nan'):8.0f}"
                  f" {ratio(vitals, limit):>6} {ratio(qemu, vitals) if qemu else '-':>6}"
                  f" {limit['cpu_us']:8.1f} {vitals['cpu_us']:8.1f}"
                  f" {servers['ids']['cpu_us']:8.1f} {vitals['bytes']:9}")


def print_rest(results: dict) -> None:
    print("\nLoad: clients, asked per second each (0: as fast as replies come), replies per second, "
          "MB/s, CPU of the server")
    for load in results["load"]:
        print(f"  {load['what']:44} {load['clients']:4} {load['asked_per_second_each']:5.0f}"
              f" {load['replies_per_second']:9.0f} {load['megabytes_per_second']:8.1f}"
              f" {load['server_cpu_percent']:6.1f} %")
    print("\nWhat queries cost the guest (change of the counters of its vCPU)")
    for guest in results["disturbance"]:
        print(f"  {guest['guest']:7} {guest['queries']} queries in {guest['seconds']:.2f} s:"
              f" {guest['with_queries']}, as long without: {guest['without']}")
    print("\nMemory and allocations of the library")
    for name, value in results["memory"].items():
        print(f"  {name:50} {value:10.2f}")
    print("\nNanoseconds of one addition, by one thread and by one on each CPU, which count the same thing")
    for name, value in results["counting"].items():
        print(f"  {name:50} {value:10.2f}")


def svg_line(points: list, colour: str, label: str, drop: int = 4) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return (f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{x + 6:.1f}" y="{y + drop:.1f}" fill="{colour}">{label}</text>')


def draw(sizes: dict, path: pathlib.Path) -> None:
    """Round trip over vCPUs, both logarithmic: 600 by 400."""
    from math import log10  # pylint: disable=import-outside-toplevel
    kind = next(iter(KINDS))

    def place(vcpus: int, microseconds: float) -> tuple:
        return 60 + 140 * log10(vcpus), 370 - 62 * log10(microseconds)

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="600" height="420" '
             'font-family="sans-serif" font-size="12">',
             '<rect width="600" height="420" fill="white"/>']
    for power in range(6):
        _, y = place(1, 10 ** power)
        parts.append(f'<line x1="60" y1="{y}" x2="500" y2="{y}" stroke="#ddd"/>'
                     f'<text x="8" y="{y + 4}">{10 ** power} us</text>')
    for vcpus in sizes:
        x, _ = place(int(vcpus), 1)
        parts.append(f'<text x="{x - 8:.0f}" y="390">{vcpus}</text>')
    parts.append(f'<text x="200" y="410">vCPUs; {kind}, round trip</text>')
    for name, colour, label in (("limit", "#888", "limit"), ("vitals", "#06c", "vitals"),
                                ("qemu", "#c30", "QEMU 7.2")):
        points = [place(int(vcpus), kinds[kind][name]["median_us"])
                  for vcpus, kinds in sizes.items() if name in kinds[kind]]
        if points:
            parts.append(svg_line(points, colour, label, 18 if name == "limit" else 4))
    path.write_text("\n".join([*parts, "</svg>\n"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, help="default: BUILD/bench-results")
    parser.add_argument("--no-qemu", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="VCPUS",
                        help="numbers of vCPUs (default: 1 8 64 255 1024)")
    options = parser.parse_args()
    output = options.output or options.build / "bench-results"
    output.mkdir(parents=True, exist_ok=True)
    share = 0.1 if options.quick else 1

    use_qemu = not options.no_qemu and shutil.which(QEMU) is not None
    if not use_qemu:
        progress(f"without QEMU: {'as asked' if options.no_qemu else QEMU + ' is not installed'}")
    results: dict = {"sizes": {}, "sizes_on_one_cpu": {}}
    with tempfile.TemporaryDirectory(prefix="vitals-bench-") as directory:
        bench = Bench(options.build.resolve(), directory, use_qemu)
        for vcpus in options.sizes:
            with_qemu = use_qemu and vcpus <= QEMU_VCPUS_MAX
            rounds = {1: 1500, 8: 800, 64: 200, 255: 50}.get(vcpus, 300) if with_qemu else \
                {1: 5000, 8: 3000, 64: 1000, 255: 500}.get(vcpus, 300)
            for together, name in ((False, "sizes"), (True, "sizes_on_one_cpu")):
                bench.place(together)
                results[name][vcpus] = bench.measure_size(vcpus, max(20, int(rounds * share / 2)))
        bench.server_cpu = bench.client_cpu = None
        everything, one = KINDS["all statistics of all vCPUs"], KINDS["one statistic of one vCPU"]
        results["load"] = []
        for what, vcpus, clients, rate, arguments in (
                ("all of 8 vCPUs", 8, 1, 0, everything), ("all of 8 vCPUs", 8, 8, 0, everything),
                ("all of 8 vCPUs", 8, 64, 0, everything),
                ("one of one of 1024 vCPUs", 1024, 64, 10, one),
                ("one of all of 1024 vCPUs", 1024, 64, 10, KINDS["one statistic of all vCPUs"])):
            progress(f"load: {what}, {clients} clients")
            results["load"].append({"what": what, **bench.load(vcpus, clients, rate, arguments,
                                                               max(1, 5 * share))})
        progress("what queries cost the guest")
        results["disturbance"] = [bench.disturbance(guest, int(10000 * share))
                                  for guest in ("spin", "halted")]
        results["memory"] = bench.memory(int(1_000_000 * share))
        results["counting"] = bench.counting(int(20_000_000 * share))
    print("Client and server on two CPUs")
    print_sizes(results["sizes"])
    print("\nClient and server on one CPU")
    print_sizes(results["sizes_on_one_cpu"])
    print_rest(results)
    (output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    draw(results["sizes"], output / "curve.svg")
    print(f"\n{output / 'results.json'} and {output / 'curve.svg'} are written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
