# SPDX-License-Identifier: MIT
"""Many clients of one socket that send the costliest requests there are, each the next one once it has its reply.

    python3 crowd.py SOCKET CLIENTS

It says "all" when each of them has had a reply, and then goes on until it is killed.
"""

import select
import socket
import sys

import costly
from honest import NEGOTIATION


class Attacker:
    """Who is turned away comes again."""

    def __init__(self, path, messages):
        self.path, self.messages, self.answered, self.socket = path, messages, 0, None
        self.connect()

    def connect(self):
        if self.socket:
            self.socket.close()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)
        self.socket.sendall(NEGOTIATION)
        self.socket.setblocking(False)
        self.replies_left, self.to_send = 2, b""

    def fileno(self):
        return self.socket.fileno()

    def receive(self):
        self.replies_left -= self.socket.recv(1 << 18).count(b"\n")
        if not self.replies_left:
            self.answered += 1
            self.to_send = memoryview(self.messages[self.answered % len(self.messages)])
            self.replies_left = 1

    def go_on(self):
        """Returns what it waits for; 0: it has been turned away."""
        try:
            if self.to_send:
                self.to_send = self.to_send[self.socket.send(self.to_send) :]
            elif not self.socket.recv(1, socket.MSG_PEEK):
                return 0
            else:
                self.receive()
        except BlockingIOError:
            pass
        except OSError:
            return 0
        return select.EPOLLOUT if self.to_send else select.EPOLLIN


def go_on(poll, attackers, fd):
    attacker = attackers[fd]
    waits_for = attacker.go_on()
    if waits_for:
        poll.modify(fd, waits_for)
        return
    del attackers[fd]
    attacker.connect()
    attackers[attacker.fileno()] = attacker
    poll.register(attacker, select.EPOLLIN)


def attack(path, n):
    messages = [message for message in costly.requests("grouped").values() if len(message) > 1000]
    poll, attackers = select.epoll(), {}
    for i in range(n):
        attacker = Attacker(path, messages[i % len(messages) :] + messages[: i % len(messages)])
        attackers[attacker.fileno()] = attacker
        poll.register(attacker, select.EPOLLIN)
    is_said = False
    while True:
        for fd, _ in poll.poll():
            go_on(poll, attackers, fd)
        if not is_said and all(attacker.answered > 1 for attacker in attackers.values()):
            is_said = True
            print("all", flush=True)


if __name__ == "__main__":
    attack(sys.argv[1], int(sys.argv[2]))
