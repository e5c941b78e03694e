# SPDX-License-Identifier: MIT
"""What a daemon serves by HTTP, asked for over a connection of its own each time."""

import contextlib
import ctypes
import http.client
import json
import urllib.parse

from support import exposition

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def bcrypt(password, cost=4):
    """As a web configuration file has it."""
    libcrypt = ctypes.CDLL("libcrypt.so.1")
    libcrypt.crypt.restype = ctypes.c_char_p
    return libcrypt.crypt(password.encode(), f"$2b${cost:02}$abcdefghijklmnopqrstuu".encode()).decode()


class Web:
    """A daemon's HTTP."""

    def __init__(self, daemon):
        self.daemon = daemon
        line = daemon.process.stdout.readline().strip()
        assert line.startswith("vitals serve: their statistics are at http://"), daemon.log()
        self.address = line.rsplit(" ", 1)[1]
        self.port = urllib.parse.urlparse(self.address).port

    def get(self, path, **headers):
        """(headers, text) of a reply that is one."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            reply = connection.getresponse()
            text = reply.read().decode()
            assert reply.status == 200, f"{path}: {reply.status} {text}"
            return reply.headers, text

    def json(self, path="/api/v1/vms"):
        return json.loads(self.get(path)[1])

    def openmetrics(self, query=""):
        headers, text = self.get("/metrics" + query, Accept=OPENMETRICS)
        assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        return exposition.read_openmetrics(text)

    def vms(self):
        return {vm["name"]: vm for vm in self.json()["vms"]}
