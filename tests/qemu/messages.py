# SPDX-License-Identifier: MIT
"""Messages for comparing two servers: well-formed ones, ill-formed ones, and such that are no JSON.
The same seed gives the same messages."""

import json
import random

COMMANDS = [
    "query-stats",
    "query-stats",
    "query-stats",
    "query-stats-schemas",
    "query-name",
    "query-uuid",
    "query-status",
    "query-kvm",
    "query-target",
    "query-version",
    "qmp_capabilities",
]
UNKNOWN = ["", "query", "Query-Name", "query_stats", "query-stats ", "é", "a'b\"c", "%s", "x" * 300]
ARGUMENTS = ["target", "providers", "vcpus", "provider", "names", "enable", "name", "stats", "foo"]
KEYS = [*ARGUMENTS, "", "a", "b", "c", "id", "zoo", "Target", "target ", "é", "\0", "x" * 40, "😀"]
MEMBERS = ["execute", "arguments", "id", "exec-oob", "extra", "Execute", "", "event", "return", "é"]
NAMES = ["exits", "io_exits", "nx_lpage_splits", "guest_mode", "halt_wait_hist", "nosuch", "", "*"]
PATHS = [f"/machine/unattached/device[{i}]" for i in (0, 2)]
PATHS += ["/machine", "", "device[0]", "/machine/unattached/device[00]"]
TEXTS = ["", "vm", "vcpu", "kvm", "VM", "oob", "é", "\u20ac", "😀", "\x7f", "\0"]
TEXTS += ["a\tb", "'", '"', "\\"]
NUMBERS = [0, 1, -1, 42, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**25]
NUMBERS += [0.1, 1.0, -0.5, 1e5, 1e300, -1e-300, 1e22, 123456789.125, 5e-324]
RAW_NUMBERS = ["-0", "-0.0", "0.0e5", "1E5", "1e+5", "1e-5", "0.1000", "1e-400", "1" + "0" * 20]
# Not JSON, though some of it is close to it.
BROKEN = [
    "{", "}", "[", "]", ",", ":", "'", '"', "{]", "[}", "{}}", "[]]", "{,}", "[,]", "[1,]", "[,1]",
    '{"a"}', '{"a":}', '{"a":1,}', '{"a" 1}', '{"a":1 "b":2}', '{"a":1:2}', "{1:2}", "{null:1}",
    "{[]:1}", "{{}:1}", "[1 2]", "[1:2]", "[{]}", "[1", '{"a":1', "nul", "nulll", "True", "NaN",
    "Infinity", "-Infinity", "undefined", "+1", "01", "-01", ".5", "1.", "1.e5", "0x10", "0e5",
    "1e", "1e+", "-", "--1", "1-", "1.2.3", "/* */", "// x", "#", "%", "%p", "%d", "@", "\\", "a b",
    "a1", "1a", "null null", "true,false", "HELLO", "hello", "a-b", "=", "(", "!", "_", "\x0b",
    "\x0c", r'"\q"', r'"\u12"', r'"\u12g4"', r'"\ud83d"', r'"\ude00"', r'"\ud83d\u0041"',
    r'"\ufffe"', r'"\ufdd0"', r'"\U0041"', r'"\x41"', r'"\0"', '"a\tb"', '"a\nb"', '"a\0b"',
    "'\\\"'", '{"execute":"query-name","execute":"query-name"}', '{"a":{"b":1,"b":1}}',
    '[{"":1,"":2}]', r'"\ud83dx"',
]  # fmt: skip
BAD_BYTES = [b"\x80", b"\xff", b"\xfe", b"\xc1\xbf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xc3",
             b"\xf4\x90\x80\x80", b"\xef\xbf\xbe", b"\xf0\x9f\x98"]  # fmt: skip


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one_in(self, n):
        return self.random.randrange(n) == 0

    # ---- values ---------------------------------------------------------------------------------

    def value(self, depth=3):
        kind = self.random.randrange(9 if depth else 6)
        if kind == 0:
            return self.random.choice([None, True, False])
        if kind < 3:
            return self.random.choice(NUMBERS)
        if kind < 6:
            return self.random.choice(TEXTS + NAMES + KEYS)
        if kind == 6:
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        return self.object(depth)

    def object(self, depth=3, most=6):
        n = self.random.randrange(most)
        return {self.key(): self.value(depth - 1) for _ in range(n)}

    def key(self):
        if self.one_in(2):
            return self.random.choice(KEYS)
        letters = "abcdefghijklmnopqrstuvwxyz-_0123456789"
        return "".join(self.random.choices(letters, k=self.random.randrange(1, 9)))

    def shuffled(self, mapping):
        items = list(mapping.items())
        self.random.shuffle(items)
        return dict(items)

    # ---- arguments ------------------------------------------------------------------------------

    def sometimes_wrong(self, value):
        return self.value() if self.one_in(8) else value

    def strings(self, known):
        n = self.random.randrange(4)
        return [self.sometimes_wrong(self.random.choice(known)) for _ in range(n)]

    def provider_request(self):
        request = {"provider": self.sometimes_wrong("kvm")}
        if self.one_in(2):
            request["names"] = self.sometimes_wrong(self.strings(NAMES))
        if self.one_in(8):
            request.pop("provider")
        return self.with_unexpected(request)

    def with_unexpected(self, arguments):
        if self.one_in(5):
            arguments.update(self.object(most=14 if self.one_in(4) else 4))
        return self.shuffled(arguments)

    def stats_arguments(self):
        arguments = {}
        if not self.one_in(8):
            arguments["target"] = self.sometimes_wrong(self.random.choice(["vm", "vcpu"]))
        if self.one_in(2):
            n = self.random.randrange(4)
            requests = [self.sometimes_wrong(self.provider_request()) for _ in range(n)]
            arguments["providers"] = self.sometimes_wrong(requests)
        if self.one_in(3 if arguments.get("target") == "vcpu" else 8):
            arguments["vcpus"] = self.sometimes_wrong(self.strings(PATHS))
        return self.with_unexpected(arguments)

    def arguments(self, command):
        if command == "query-stats":
            return self.stats_arguments()
        arguments = {}
        if command == "query-stats-schemas" and self.one_in(2):
            arguments["provider"] = self.sometimes_wrong("kvm")
        if command == "qmp_capabilities" and self.one_in(2):
            arguments["enable"] = self.sometimes_wrong(self.strings(["oob", "x", ""]))
        return self.with_unexpected(arguments)

    # ---- messages -------------------------------------------------------------------------------

    def request(self):
        """Well-formed, if not always right."""
        command = self.random.choice(COMMANDS)
        request = {"execute": command}
        if self.one_in(12):
            request["execute"] = self.random.choice(UNKNOWN)
        if command.startswith(("query-stats", "qmp")) or self.one_in(3):
            request["arguments"] = self.arguments(command)
        if self.one_in(3):
            request["id"] = self.value(4)
        return self.shuffled(request)

    def ill_formed(self):
        """A JSON value that is no request, or has members too few, too many or of a wrong type."""
        if self.one_in(6):
            return self.value()
        request = self.request() if self.one_in(2) else {}
        for name in self.random.sample(MEMBERS, self.random.randrange(1, 4)):
            request[name] = self.value()
        return self.shuffled(request)

    def text(self, value):
        """In one of the ways to write it."""
        text = json.dumps(value, ensure_ascii=self.one_in(2))
        if self.one_in(8):
            text = json.dumps(value, ensure_ascii=self.one_in(2), indent=self.random.choice([0, 2]))
        if self.one_in(12) and "'" not in text and "\\" not in text:
            text = text.replace('"', "'")
        return text

    def with_raw_number(self):
        number = self.random.choice(RAW_NUMBERS)
        return '{"execute": "query-name", "id": [%s, {"a": %s}]}' % (number, number)

    def broken(self):
        """A fragment as a value, by itself, or a request in which something was damaged."""
        fragment = self.random.choice(BROKEN)
        if self.one_in(3):
            return fragment
        if self.one_in(2):
            return '{"execute": "query-name", "id": %s}' % fragment
        text = self.text(self.request())
        at = self.random.randrange(len(text))
        if self.one_in(3):
            return text[:at] + text[at + 1 :]
        return text[:at] + self.random.choice('{}[],:"\'\\ 0-e') + text[at:]

    def bad_bytes(self):
        text = self.text(self.request()).encode()
        at = self.random.randrange(len(text))
        return text[:at] + self.random.choice(BAD_BYTES) + text[at:]

    def well_formed(self):
        """JSON; once in a while several requests."""
        kind = self.random.randrange(16)
        if kind < 9:
            return self.text(self.request()).encode()
        if kind < 13:
            return self.text(self.ill_formed()).encode()
        if kind == 13:
            return self.with_raw_number().encode()
        separator = self.random.choice([b"", b" ", b"\n", b"\r\n"])
        texts = [self.text(self.request()).encode() for _ in range(self.random.randrange(2, 5))]
        return separator.join(texts)

    def damaged(self):
        return self.bad_bytes() if self.one_in(4) else self.broken().encode()

    def message(self):
        """Some bytes to send; once in a while several messages."""
        kind = self.random.randrange(20)
        if kind < 14:
            return self.well_formed()
        if kind < 18:
            return self.damaged()
        separator = self.random.choice([b"", b" ", b"\n", b"\r\n"])
        return separator.join(self.message() for _ in range(self.random.randrange(2, 5)))


def messages(seed, count, kind=Generator.message):
    generator = Generator(seed)
    return [kind(generator) for _ in range(count)]
