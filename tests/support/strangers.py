# SPDX-License-Identifier: MIT
"""Servers that a client meets by mistake, or that have gone wrong: they say what a test wants."""

import json
import socket
import socketserver
import threading

SILENCE, CLOSE = object(), object()
NOT_FOUND = {"error": {"class": "CommandNotFound", "desc": "The command has not been found"}}


def greeting(version):
    major, minor, micro = version
    version = {"qemu": {"major": major, "minor": minor, "micro": micro}, "package": ""}
    return json.dumps({"QMP": {"version": version, "capabilities": []}}).encode() + b"\r\n"


class Handler(socketserver.StreamRequestHandler):
    """One client: says the banner, and then answers each line, until the client has gone."""

    def handle(self):
        self.wfile.write(self.server.banner)
        if self.server.closes:
            return
        for line in self.rfile:
            answer = self.server.answer(line)
            if answer is CLOSE:
                return
            if answer is not SILENCE:
                self.wfile.write(answer)


class Stranger(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Any server. It says `banner`, and after that nothing, or closes."""

    def __init__(self, path, banner=b"", closes=False):
        super().__init__(path, Handler)
        self.path, self.banner, self.closes = path, banner, closes
        self.thread = threading.Thread(target=self.serve_forever, args=[0.01])
        self.thread.start()

    def answer(self, _line):
        return SILENCE

    def handle_error(self, request, client_address):
        """A client that does not wait for all that is said is none."""

    def stop(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


def reply_to(line, reply):
    """The bytes of a reply to a request, with its id."""
    request = json.loads(line)
    reply = reply | {"id": request["id"]} if "id" in request else reply
    return json.dumps(reply).encode() + b"\r\n"


class FakeQemu(Stranger):
    """Answers commands as QEMU of some version, without KVM; `replies` has what differs. It says
    `before` before all else, each time."""

    def __init__(self, path, version=(7, 2, 22), before=b"", **replies):
        self.before = before
        self.replies = {
            "qmp_capabilities": {"return": {}},
            "query-stats-schemas": {"return": []},
            "query-stats": {"return": []},
            "query-name": {"return": {"name": "guest"}},
            "query-cpus-fast": {
                "return": [{"cpu-index": 0, "qom-path": "/machine/unattached/device[0]"}]
            },
        }
        self.replies |= {name.replace("_", "-"): reply for name, reply in replies.items()}
        super().__init__(path, before + greeting(version))

    def answer(self, line):
        reply = self.replies.get(json.loads(line)["execute"], NOT_FOUND)
        return self.before + reply_to(line, reply) if isinstance(reply, dict) else reply


class Listener:
    """A socket that connects and then stays silent; with `is_full`, one that does not connect."""

    def __init__(self, path, kind=socket.SOCK_STREAM, is_full=False):
        self.path = path
        self.sockets = [socket.socket(socket.AF_UNIX, kind)]
        self.sockets[0].bind(path)
        if kind == socket.SOCK_STREAM:
            self.sockets[0].listen(0 if is_full else 16)
        if is_full:
            self.fill()

    def fill(self):
        """Waits in the queue until the kernel takes no more."""
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            self.sockets.append(client)
            if client.connect_ex(self.path) != 0:
                return

    def stop(self):
        for each in self.sockets:
            each.close()
