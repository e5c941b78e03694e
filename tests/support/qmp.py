# SPDX-License-Identifier: MIT
"""A QMP client for tests: sends any bytes, reads line by line with a deadline, and checks the form
of all that it reads."""

import contextlib
import json
import select
import socket
import time

from support import introspection, shapes

TIMEOUT = 20  # seconds that a reply may take; sanitizers and a busy machine included


class QmpError(Exception):
    """The server answered with an error."""

    def __init__(self, error):
        super().__init__(f"{error['class']}: {error['desc']}")
        self.error_class = error["class"]
        self.text = error["desc"]


def fetch_schema(path):
    """What the server says of itself, over a connection of its own."""
    client = Qmp(path)
    try:
        client.read()
        client.request({"execute": "qmp_capabilities"}, checked=False)
        return client.request({"execute": "query-qmp-schema"}, checked=False)
    finally:
        client.close()


SCHEMAS = introspection.Schemas(fetch_schema)
REFUSED_ARGUMENTS = ("Parameter '", "Invalid parameter type for '")
TOO_LONG = "has more than"  # a limit that QAPI has no words for


def parse_request(text):
    """The command and the arguments of a message that Python can read, too; or (None, None)."""
    with contextlib.suppress(ValueError, RecursionError, TypeError, KeyError):
        request = json.loads(text)
        return request["execute"], request.get("arguments", {})
    return None, None


class Qmp:
    """One connection. Nothing is sent but what the caller says, not even the negotiation."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self.received = bytearray()
        self.server = introspection.Socket.at(path)
        self.is_checked = False  # until the greeting is that of vitals

    def close(self):
        self.socket.close()

    # ---- bytes ----------------------------------------------------------------------------------

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def end(self):
        """Half-closes: there is no more to come from here."""
        self.socket.shutdown(socket.SHUT_WR)

    def receive_more(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no whole line in {TIMEOUT} s, but {bytes(self.received[:200])!r}")
        self.socket.settimeout(left)
        data = self.socket.recv(1 << 20)
        self.socket.settimeout(TIMEOUT)
        self.received += data
        return len(data)

    def read_line(self, timeout=TIMEOUT):
        """The next line with its end, or b"" at the end of the connection."""
        deadline = time.monotonic() + timeout
        searched = 0
        while (end := self.received.find(b"\n", searched)) < 0:
            searched = len(self.received)
            if not self.receive_more(deadline):
                assert not self.received, f"half a line at the end: {bytes(self.received)!r}"
                return b""
        line = bytes(self.received[: end + 1])
        del self.received[: end + 1]
        return line

    def is_silent(self, seconds=0.2):
        """Whether nothing arrives in this time."""
        if not self.received:
            readable, _, _ = select.select([self.socket], [], [], seconds)
            return not readable
        return False

    # ---- messages -------------------------------------------------------------------------------

    def read_message(self):
        """The next message. Each is one line of ASCII that ends in CRLF."""
        line = self.read_line()
        assert line, "the server closed the connection"
        assert line.endswith(b"\r\n") and line.isascii() and b"\r" not in line[:-2], line[:200]
        message = json.loads(line)
        if "QMP" in message:
            self.is_checked = message["QMP"]["version"]["package"].startswith("vitals ")
        else:
            shapes.check_reply(message)
        return message

    def read(self):
        """The next message, in answer to whatever."""
        message = self.read_message()
        if "return" in message:
            self.check(lambda schema: schema.check_any_return(message["return"]))
        return message

    def negotiate(self):
        shapes.check_greeting(self.read())
        nothing = self.request({"execute": "qmp_capabilities"}, checked=False)
        if self.is_checked and not SCHEMAS.knows(self.server):
            schema = self.request({"execute": "query-qmp-schema"}, checked=False)
            SCHEMAS.add(self.server, schema)
        self.check_return_of("qmp_capabilities", {}, nothing)
        return self

    def ask(self, text, checked=True):
        """Sends a message as it is, and reads one reply."""
        self.send(text)
        reply = self.read_message()
        if checked:
            self.check_reply_to(text, reply)
        return reply

    def execute(self, command, **arguments):
        """The return value of a command. A "-" in an argument's name is written "_"."""
        return self.execute_with(command, {k.replace("_", "-"): v for k, v in arguments.items()})

    def execute_with(self, command, arguments=None):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        return self.request(request)

    def request(self, request, checked=True):
        """The return value of a well-formed message."""
        reply = self.ask(json.dumps(request) + "\n", checked)
        assert reply.get("id") == request.get("id")
        if "error" in reply:
            raise QmpError(reply["error"])
        return reply["return"]

    def error_of(self, text):
        """The description of the one error with which a message is answered."""
        reply = self.ask(text)
        assert "error" in reply, reply
        return reply["error"]["desc"]

    def assert_alive(self, marker="alive"):
        """A good command is answered, and nothing else comes before it."""
        reply = self.ask(json.dumps({"execute": "query-version", "id": marker}) + "\n")
        assert reply.get("id") == marker and "return" in reply, reply

    # ---- checks against the introspection -------------------------------------------------------

    def check(self, check):
        """The schema, or None where the server is another program."""
        return SCHEMAS.require(self.server, check) if self.is_checked else None

    def check_reply_to(self, text, reply):
        command, arguments = parse_request(text)
        if "return" in reply:
            self.check_return_of(command, arguments, reply["return"])
        elif command:
            self.check_error_of(command, arguments, reply["error"]["desc"])

    def check_return_of(self, command, arguments, value):
        if not command:
            self.check(lambda schema: schema.check_any_return(value))
            return
        schema = self.check(lambda schema: schema.check_return(command, value))
        if schema:
            self.check(lambda schema: schema.check_arguments(command, arguments))
            shapes.check_return(command, arguments, value)
            introspection.note_return(schema.dialect, command, value)

    def check_error_of(self, command, arguments, text):
        if text.startswith(REFUSED_ARGUMENTS) and TOO_LONG not in text:
            self.check(lambda schema: schema.check_refused(command, arguments))
