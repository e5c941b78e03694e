# SPDX-License-Identifier: MIT
"""The requests that cost a server most for what it takes to send them."""

import json

MESSAGE_MAX = (1 << 20) - 64  # VITALS_MESSAGE_MAX, less what is around
TOKENS_MAX = (1 << 16) - 64  # FRAME_TOKENS_MAX
QUERY_STATS = '{"execute": "query-stats", "arguments": %s}'
VCPU = "/machine/unattached/device[%d]"


def with_id(text):
    return '{"execute": "query-name", "id": %s}' % text


def query(target, **arguments):
    return QUERY_STATS % json.dumps({"target": target} | arguments)


def names(n):
    return [f"name-{i * 7919 % n}" for i in range(n)]


def short_requests(dialect):
    """Of at most 64 KiB (QMP_PART): {what: the message}"""
    named = names(5000)
    found = {
        "64 KiB of DEL": with_id('"%s"' % ("\x7f" * 65000)),
        "64 KiB of lists": with_id("[%s]" % ",".join(["[]"] * 20000)),
        "64 KiB of strings": with_id("[%s]" % ",".join(['""'] * 20000)),
        "64 KiB of vCPUs": query("vcpu", vcpus=named),
        "everything": query("vcpu"),
    }
    if dialect == "grouped":
        found["64 KiB of fields"] = query("vcpu", filters=[{"fields": named}])
        found["64 KiB of filters"] = query("vcpu", filters=[{"fields": []}] * 3500)
    else:
        found["64 KiB of names"] = query("vcpu", providers=[{"provider": "kvm", "names": named}])
    return {what: message.encode() + b"\n" for what, message in found.items()}


def requests(dialect):
    """{what: the message}"""
    n = TOKENS_MAX
    found = {
        "an id of DEL": with_id('"%s"' % ("\x7f" * MESSAGE_MAX)),
        "an id of escapes": with_id('"%s"' % ("\\u0001" * (MESSAGE_MAX // 6))),
        "an id of umlauts": with_id('"%s"' % ("\u00e9" * (MESSAGE_MAX // 2))),
        "an id of strings": with_id("[%s]" % ",".join(['"%s"' % ("\x7f" * 28)] * (n // 2))),
        "an id of fractions": with_id("[%s]" % ",".join(["1.7976931348623157e308"] * (n // 10))),
        "an id of long fractions": with_id("[%s]" % ",".join([f"1{'0' * 110}.5"] * (n // 10))),
        "an id of members": with_id("{%s}" % ",".join(f'"{i}":0' for i in range(n // 4))),
        "an id of lists": with_id("[%s]" % ",".join(["[]"] * (n // 3))),
        "an id that is one number": with_id("1" * (MESSAGE_MAX - 8)),
        "an unknown command": '{"execute": "%s"}' % ("\x7f" * MESSAGE_MAX),
        "an unknown member": '{"%s": 0}' % ("\x7f" * MESSAGE_MAX),
        "an unknown target": query("vcpu").replace("vcpu", "\x7f" * (MESSAGE_MAX - 64)),
        "an unknown argument": query("vcpu", **{"\x7f" * (MESSAGE_MAX // 6 - 64): 0}),
        "everything, and an id of DEL": query("vcpu")[:-1] + ', "id": "%s"}' % ("\x7f" * (MESSAGE_MAX - 128)),
        "all schemas": '{"execute": "query-stats-schemas"}',
        "all of introspection": '{"execute": "query-qmp-schema"}',
        "vCPUs": query("vcpu", vcpus=names(n // 2)),
        "the same vCPU": query("vcpu", vcpus=[VCPU % 0] * (n // 2)),
        "objects": query("block", objects=names(n // 2)),
        "the same object": query("block", objects=["/a"] * (n // 2)),
    }
    if dialect == "grouped":
        found["empty filters"] = query("vcpu", filters=[{}] * (n // 10))
        found["fields"] = query("vcpu", filters=[{"fields": names(n // 2 - 8)}])
        found["filters of nothing"] = query("vcpu", filters=[{"fields": []}] * (n // 14))
        found["filters of a field"] = query("vcpu", filters=[{"fields": ["exits"]}] * (n // 16))
    else:
        found["providers and vCPUs"] = query(
            "vcpu", vcpus=names(n // 2 - 64), providers=[{"provider": "kvm"}] * 16)  # fmt: skip
        found["providers"] = query("vcpu", providers=[{"provider": "kvm"}] * 16)
        found["names"] = query("vcpu", providers=[{"provider": "kvm", "names": names(n // 2 - 64)}])
    return {what: message.encode() + b"\n" for what, message in found.items()}
