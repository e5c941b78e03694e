# SPDX-License-Identifier: MIT
"""The four commands of the proposal, as they are written there, against three servers."""

import os
import pathlib

from support import stats_file
from support.programs import EXAMPLE_COUNTERS, EXAMPLE_EMBED_POLL, EXAMPLE_PROVIDER, stat, wait_until
from support.stats_file import Stat

VM_STATS = """{"execute":"query-stats","arguments":{"target":"vm"}}"""
VCPU_STATS = """{"execute":"query-stats","arguments":{"target":"vcpu"}}"""
FILTERED = (
    """{"execute":"query-stats","arguments":{"target":"vcpu","""
    """"vcpus":["/machine/unattached/device[2]","/machine/unattached/device[4]"],
  "filters":[{"provider":"kvm","fields":["l1d_flush","exits"]},"""
    """{"provider":"xyz","fields":["somestat"]}]}}"""
)
SCHEMAS = """{"execute":"query-stats-schemas"}"""


def path(index):
    return f"/machine/unattached/device[{index}]"


def schema(name, type_, unit, base, exponent, **more):
    return {"name": name, "type": type_, "unit": unit, "base": base, "exponent": exponent, **more}


# ---- a VM with the providers 'kvm' and 'xyz', as the proposal shows it --------------------------

KVM_VM = [
    Stat("max_mmu_page_hash_collisions", type=2, values=[7]),
    Stat("nx_lpage_splits", type=1, values=[0]),
]


def kvm_vcpu(index):
    return [
        Stat("guest_mode", type=1, unit=4, values=[index % 2]),
        Stat("exits", values=[1000 + index]),
        Stat("l1d_flush", values=[2000 + index]),
        Stat("halt_poll_success_ns", unit=2, exponent=-9, values=[3000 + index]),
        Stat("halt_wait_hist", type=4, unit=2, exponent=-9, values=[index, 1, 2, 3]),
    ]


def serve_proposal(programs):
    server = programs.server()
    server.tell("kvm", programs.write("vm", stats_file.build(KVM_VM)))
    other = stat("otherstat", "peak", "bytes", base=2)
    server.tell("register", "xyz/vcpu", stat("somestat"), other)
    server.tell("register", "xyz/vm", stat("vmstat", "instant"))
    server.tell("row", "xyz/vm", "vm", 11)
    for i in range(5):
        server.tell("vcpu", path(i), programs.write(f"vcpu{i}", stats_file.build(kvm_vcpu(i))))
        server.tell("row", "xyz/vcpu", path(i), 100 + i, 200 + i)
    return programs.client(server)


def test_vm_stats(programs):
    assert serve_proposal(programs).ask(VM_STATS) == {
        "return": {
            "vm": [
                {
                    "provider": "kvm",
                    "stats": [
                        {"name": "max_mmu_page_hash_collisions", "value": 7},
                        {"name": "nx_lpage_splits", "value": 0},
                    ],
                },
                {"provider": "xyz", "stats": [{"name": "vmstat", "value": 11}]},
            ]
        }
    }


def test_vcpu_stats(programs):
    def providers(i):
        kvm = [
            {"name": "guest_mode", "value": i % 2},
            {"name": "exits", "value": 1000 + i},
            {"name": "l1d_flush", "value": 2000 + i},
            {"name": "halt_poll_success_ns", "value": 3000 + i},
            {"name": "halt_wait_hist", "value": {"values": [i, 1, 2, 3]}},
        ]
        xyz = [{"name": "somestat", "value": 100 + i}, {"name": "otherstat", "value": 200 + i}]
        return [{"provider": "kvm", "stats": kvm}, {"provider": "xyz", "stats": xyz}]

    assert serve_proposal(programs).ask(VCPU_STATS) == {
        "return": {"vcpus": [{"path": path(i), "providers": providers(i)} for i in range(5)]}
    }


def test_filtered_stats(programs):
    def providers(i):
        kvm = [{"name": "exits", "value": 1000 + i}, {"name": "l1d_flush", "value": 2000 + i}]
        return [
            {"provider": "kvm", "stats": kvm},
            {"provider": "xyz", "stats": [{"name": "somestat", "value": 100 + i}]},
        ]

    assert serve_proposal(programs).ask(FILTERED) == {
        "return": {"vcpus": [{"path": path(i), "providers": providers(i)} for i in (2, 4)]}
    }


def test_schemas(programs):
    kvm_vm = [
        schema("max_mmu_page_hash_collisions", "peak", "none", "pow10", 0),
        schema("nx_lpage_splits", "instant", "none", "pow10", 0),
    ]
    kvm_vcpus = [
        schema("guest_mode", "instant", "none", "pow10", 0),
        schema("exits", "cumulative", "none", "pow10", 0),
        schema("l1d_flush", "cumulative", "none", "pow10", 0),
        schema("halt_poll_success_ns", "cumulative", "seconds", "pow10", -9),
        schema("halt_wait_hist", "log-hist", "seconds", "pow10", -9),
    ]
    xyz_vcpus = [
        schema("somestat", "cumulative", "none", "pow10", 0),
        schema("otherstat", "peak", "bytes", "pow2", 0),
    ]
    xyz_vm = [schema("vmstat", "instant", "none", "pow10", 0)]
    assert serve_proposal(programs).ask(SCHEMAS) == {
        "return": {
            "vcpu": [
                {"provider": "kvm", "stats": kvm_vcpus},
                {"provider": "xyz", "stats": xyz_vcpus},
            ],
            "vm": [{"provider": "kvm", "stats": kvm_vm}, {"provider": "xyz", "stats": xyz_vm}],
        }
    }


# ---- examples/provider.c ------------------------------------------------------------------------


def example_row(index, value):
    stats = [
        {"name": "somestat", "value": value},
        {"name": "request_size_hist", "value": {"values": [value, 0, 0, 0]}},
    ]
    return {"path": path(index), "providers": [{"provider": "xyz", "stats": stats}]}


def test_example_provider(programs):
    client = programs.client(programs.example(EXAMPLE_PROVIDER))
    assert client.ask(VM_STATS) == {"return": {"vm": []}}
    assert client.ask(VCPU_STATS) == {"return": {"vcpus": [example_row(0, 12), example_row(1, 34)]}}
    assert client.error_of(FILTERED) == "Parameter 'provider' does not accept value 'kvm'"
    hist = schema("request_size_hist", "linear-hist", "bytes", "pow2", 10, **{"bucket-size": 16})
    stats = [schema("somestat", "cumulative", "none", "pow10", 0), hist]
    assert client.ask(SCHEMAS) == {"return": {"vcpu": [{"provider": "xyz", "stats": stats}]}}


def test_example_provider_numbers_its_vcpus(programs):
    """Else no one could choose them by number, and rows would have "vcpu": null."""
    client = programs.client(programs.example(EXAMPLE_PROVIDER))
    vcpus = client.execute("query-cpus-fast")
    assert [(vcpu["cpu-index"], vcpu["qom-path"]) for vcpu in vcpus] == [
        (0, path(0)),
        (1, path(1)),
    ]


def test_example_provider_filtered(programs):
    client = programs.client(programs.example(EXAMPLE_PROVIDER))
    reply = client.execute(
        "query-stats",
        target="vcpu",
        vcpus=[path(1), path(4)],
        filters=[{"provider": "xyz", "fields": ["somestat"]}],
    )
    stats = [{"name": "somestat", "value": 34}]
    assert reply == {
        "vcpus": [{"path": path(1), "providers": [{"provider": "xyz", "stats": stats}]}]
    }


def test_example_provider_wants_a_socket(programs):
    example = programs.start([EXAMPLE_PROVIDER])
    assert example.wait() == 1
    assert example.log().startswith("usage: provider SOCKET")


# ---- examples/counters.c ------------------------------------------------------------------------


def disk_stats(client):
    stats = client.execute("query-stats", target="vm")["vm"][0]["stats"]
    return [entry["value"] for entry in stats]


def test_example_counters(programs):
    example = programs.example(EXAMPLE_COUNTERS)
    client = programs.client(example)
    assert disk_stats(client) == [0, {"values": [0] * 24}]
    example.process.stdin.write("AB\n")  # 65, 66 and 10 bytes
    example.process.stdin.flush()
    wait_until(lambda: disk_stats(client)[0] == 3, "three requests")
    buckets = [0] * 24
    buckets[4], buckets[7] = 1, 2
    wait_until(lambda: disk_stats(client) == [3, {"values": buckets}], "their sizes")
    schemas = client.execute("query-stats-schemas")["vm"]
    assert schemas == [{"provider": "disk", "stats": [
        schema("disk_requests", "cumulative", "none", "pow10", 0),
        schema("disk_size_hist", "log-hist", "bytes", "pow10", 0)]}]  # fmt: skip


# ---- other loops, other languages ---------------------------------------------------------------

PYTHON = pathlib.Path(__file__).resolve().parents[2] / "examples" / "provider.py"
LIBRARY = os.environ.get("VITALS_SHARED_LIBRARY", "build/src/libvitals.so.0")


def value_of(client, name):
    (provider,) = client.ask(VM_STATS)["return"]["vm"]
    (only,) = provider["stats"]
    assert only["name"] == name
    return only["value"]


def test_example_glib(programs):
    client = programs.client(programs.example(os.environ["VITALS_EXAMPLE_GLIB"]))
    assert client.execute("query-name") == {"name": "glib"}
    assert value_of(client, "loop_starts") == 1


def test_example_glib_says_what_is_wrong(programs):
    first = programs.example(os.environ["VITALS_EXAMPLE_GLIB"])
    second = programs.start([os.environ["VITALS_EXAMPLE_GLIB"], first.path])
    assert second.wait() == 1
    assert second.log() == f"glib: path '{first.path}': a server listens there, or makes its socket at this moment\n"


def check_lines(programs, example, name):
    client = programs.client(example)
    assert client.execute("query-name") == {"name": name}
    assert value_of(client, "input_lines") == 0
    example.process.stdin.write("something to do\n")
    example.process.stdin.flush()
    wait_until(lambda: value_of(client, "input_lines") == 1, "a line that is counted")


# A sanitizer must be there before the program, which Python's and Rust's don't know.
if "VITALS_SANITIZED" not in os.environ:

    def test_example_in_python(programs):
        check_lines(programs, programs.example(PYTHON, LIBRARY), "python")


if "VITALS_EXAMPLE_RUST" in os.environ:  # which `make deps` brings

    def test_example_in_rust(programs):
        check_lines(programs, programs.example(os.environ["VITALS_EXAMPLE_RUST"]), "rust")


# ---- examples/embed_poll.c ----------------------------------------------------------------------


def test_example_embed_poll(programs):
    """The program's own work and the queries take turns in one loop."""
    example = programs.example(EXAMPLE_EMBED_POLL)
    client = programs.client(example)
    assert client.execute("query-name") == {"name": "example"}

    def reads():
        (provider,) = client.ask(VM_STATS)["return"]["vm"]
        assert provider["provider"] == "loop"
        (only,) = provider["stats"]
        assert only["name"] == "input_reads"
        return only["value"]

    assert reads() == 0
    example.process.stdin.write("something to do\n")
    example.process.stdin.flush()
    while reads() == 0:
        pass
    assert reads() == 1
    assert client.ask(VCPU_STATS) == {"return": {"vcpus": []}}
    assert client.ask(SCHEMAS) == {
        "return": {
            "vm": [
                {
                    "provider": "loop",
                    "stats": [schema("input_reads", "cumulative", "none", "pow10", 0)],
                }
            ]
        }
    }


def test_example_embed_poll_says_what_is_wrong(programs):
    first = programs.example(EXAMPLE_EMBED_POLL)
    second = programs.start([EXAMPLE_EMBED_POLL, first.path])
    assert second.wait() == 1
    assert second.log() == "embed_poll: Address already in use\n"
    third = programs.start([EXAMPLE_EMBED_POLL])
    assert third.wait() == 2
    assert third.log() == "usage: embed_poll SOCKET\n"
