# SPDX-License-Identifier: MIT
"""A client that means well, and how long it waits while others don't."""

import socket
import statistics
import time

NEGOTIATION = b'{"execute": "qmp_capabilities"}\n'
REQUEST = b'{"execute": "query-stats", "arguments": {"target": "vm"}}\n'


class Honest:
    """Asks, and measures its round trips."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.received = b""
        self.trips = []
        self.read_line()
        self.ask(NEGOTIATION)

    def read_line(self):
        while b"\n" not in self.received:
            data = self.socket.recv(1 << 20)
            if not data:
                raise ConnectionResetError("the server has closed")
            self.received += data
        line, _, self.received = self.received.partition(b"\n")
        return line

    def ask(self, request=REQUEST):
        self.socket.sendall(request)
        return self.read_line()

    def measure(self, seconds, request=REQUEST, pause=0.0, at_least=3):
        """Round trips for so long, and at least so many."""
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(self.trips) < at_least:
            start = time.perf_counter()
            assert self.ask(request).startswith(b'{"return": ')
            self.trips.append(time.perf_counter() - start)
            time.sleep(pause)
        return self

    def stop(self):
        self.socket.close()

    @property
    def worst(self):
        return max(self.trips)

    def __str__(self):
        ms = [trip * 1000 for trip in self.trips]
        return (
            f"{len(ms)} round trips: median {statistics.median(ms):.3f} ms, "
            f"p99 {statistics.quantiles(ms, n=100)[98]:.3f} ms, worst {max(ms):.3f} ms"
        )
