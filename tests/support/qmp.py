# SPDX-License-Identifier: MIT
"""A QMP client for tests: sends any bytes, reads line by line with a deadline, and checks the form
of all that it reads."""

import contextlib
import json
import select
import socket
import time

from support import shapes

TIMEOUT = 20  # seconds that a reply may take; sanitizers and a busy machine included


class QmpError(Exception):
    """The server answered with an error."""

    def __init__(self, error):
        super().__init__(f"{error['class']}: {error['desc']}")
        self.error_class = error["class"]
        self.text = error["desc"]


def check_return_of(text, value):
    """The text is that of a command, if it is one that Python can read, too."""
    with contextlib.suppress(ValueError, RecursionError):
        request = json.loads(text)
        shapes.check_return(request["execute"], request.get("arguments", {}), value)


class Qmp:
    """One connection. Nothing is sent but what the caller says, not even the negotiation."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self.received = bytearray()

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

    def read(self):
        """The next message. Each is one line of ASCII that ends in CRLF."""
        line = self.read_line()
        assert line, "the server closed the connection"
        assert line.endswith(b"\r\n") and line.isascii() and b"\r" not in line[:-2], line[:200]
        message = json.loads(line)
        if "QMP" not in message:
            shapes.check_reply(message)
        return message

    def negotiate(self):
        shapes.check_greeting(self.read())
        self.execute("qmp_capabilities")
        return self

    def ask(self, text):
        """Sends a message as it is, and reads one reply."""
        self.send(text)
        reply = self.read()
        if "return" in reply:
            check_return_of(text, reply["return"])
        return reply

    def execute(self, command, **arguments):
        """The return value of a command. A "-" in an argument's name is written "_"."""
        return self.execute_with(command, {k.replace("_", "-"): v for k, v in arguments.items()})

    def execute_with(self, command, arguments=None):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        return self.request(request)

    def request(self, request):
        """The return value of a well-formed message."""
        reply = self.ask(json.dumps(request) + "\n")
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
