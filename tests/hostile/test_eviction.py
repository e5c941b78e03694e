# SPDX-License-Identifier: MIT
"""Who is closed where memory is short: those who fill it, and not those who come and ask."""

import os
import subprocess
import sys
import time

import pytest
from honest import Honest

MEMORY_MAX = 8 << 20
HALF = b'{"execute": "query-name", "id": "' + b"x" * (240 << 10)  # held in 256 KiB
ATTACKERS = 31
LONG = b'{"execute": "query-name", "id": "%s"}\n' % (b"y" * (900 << 10))  # what is held of it is most

ATTACK = """
import fcntl, socket, struct, sys, termios, time

def unread(client):
    return struct.unpack("i", fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)))[0]

clients = []
for _ in range({n}):
    client = socket.socket(socket.AF_UNIX)
    client.connect({path!r})
    client.sendall({half!r})
    clients.append(client)
while any(map(unread, clients)):  # while the server reads, they get on
    time.sleep(0.01)
print("there", flush=True)
while True:
    for client in clients:
        try:
            client.send(b"x", socket.MSG_DONTWAIT)
        except OSError:
            pass
    time.sleep(0.05)
"""


@pytest.fixture(params=["the same user", "another user"])
def attack(programs, request):
    """Fills the memory of a server with half messages that go on byte by byte."""
    started = []

    def start(server):
        other = request.param == "another user" and os.geteuid() == 0
        os.chmod(server.path, 0o666)
        os.chmod(programs.directory, 0o711)
        code = ATTACK.format(n=ATTACKERS, path=server.path, half=HALF)
        process = subprocess.Popen([sys.executable, "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, cwd="/",
                                   **({"user": 65534} if other else {}))  # fmt: skip
        started.append(process)
        process.stdin.write(code.encode())
        process.stdin.close()
        assert process.stdout.readline() == b"there\n"

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_who_asks_is_not_pushed_out_by_who_holds(programs, attack):
    server = programs.server(memory_max=MEMORY_MAX)
    honest = programs.keep(Honest(server.path))
    attack(server)
    for _ in range(5):
        honest.socket.sendall(LONG)
        time.sleep(0.05)  # its reply is held meanwhile
        assert len(honest.read_line()) > len(LONG) - 50
        honest.measure(0.1, request=b'{"execute": "query-name"}\n')
    print(honest)
