# SPDX-License-Identifier: MIT
"""Checks values against what a server says of itself in query-qmp-schema.

Written from the description of the introspection alone (qapi/introspect.json), so that it checks
the server and not the generator."""

import contextlib
import os
import typing

from support.shapes import ShapeError, require

KINDS = {
    "string": (str,),
    "number": (int, float),
    "int": (int,),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
    "value": (str, int, float, bool, type(None), dict, list),
}

listed = {}  # the commands that query-commands named so far, by dialect
answered = {}  # those of them that returned a value so far


def note_return(dialect, command, value):
    """For never_answered()."""
    answered.setdefault(dialect, set()).add(command)
    if command == "query-commands":
        listed.setdefault(dialect, set()).update(entry["name"] for entry in value)


def never_answered():
    """What is listed and did never return anything: [(dialect, command)]."""
    return [
        (dialect, command)
        for dialect in sorted(listed)
        for command in sorted(listed[dialect] - answered[dialect])
    ]


class Schema:
    """The reply of one server, in one dialect."""

    def __init__(self, entries):
        self.entries = entries
        self.types = {e["name"]: e for e in entries if e["meta-type"] not in ("command", "event")}
        self.commands = {e["name"]: e for e in entries if e["meta-type"] == "command"}

    @property
    def dialect(self):
        """Only in dialect 'flat' the command returns a list; the socket of a host has none."""
        if "query-stats" not in self.commands:
            return "host"
        return "flat" if self.commands["query-stats"]["ret-type"].startswith("[") else "grouped"

    def check_return(self, command, value):
        self.check(value, self.commands[command]["ret-type"], command)

    def check_any_return(self, value):
        """Some command can return this."""
        types = [command["ret-type"] for command in self.commands.values()]
        require(any(self.accepts(value, name) for name in types), "return", value)

    def check_arguments(self, command, arguments):
        self.check(arguments, self.commands[command]["arg-type"], f"arguments of {command}")

    def check_refused(self, command, arguments):
        """The arguments are not as the schema wants them."""
        accepted = self.accepts(arguments, self.commands[command]["arg-type"])
        require(not accepted, f"good arguments of {command}", arguments)

    def accepts(self, value, name):
        try:
            self.check(value, name, "value")
        except ShapeError:
            return False
        return True

    # ---- types ----------------------------------------------------------------------------------

    def check(self, value, name, where):
        """The value has the type of this name."""
        entry = self.types[name]
        check = getattr(self, "check_" + entry["meta-type"])
        check(value, entry, where)

    def check_builtin(self, value, entry, where):
        require(type(value) in KINDS[entry["json-type"]], where, value)

    def check_enum(self, value, entry, where):
        values = [member["name"] for member in entry["members"]]
        require(type(value) is str and value in values, f"{where}: one of {values}", value)

    def check_array(self, value, entry, where):
        require(type(value) is list, where, value)
        for i, element in enumerate(value):
            self.check(element, entry["element-type"], f"{where}[{i}]")

    def check_alternate(self, value, entry, where):
        types = [member["type"] for member in entry["members"]]
        require(any(self.accepts(value, name) for name in types), where, value)

    def check_object(self, value, entry, where):
        require(type(value) is dict, where, value)
        members = self.members_of(value, entry, where)
        require(set(value) <= set(members), f"{where}: members {sorted(members)}", value)
        for name, member in members.items():
            if name in value:
                self.check(value[name], member["type"], f"{where}.{name}")
            else:
                require("default" in member, f"{where}: no member {name}", value)

    def members_of(self, value, entry, where):
        """The members that an object can have, with those of its variant."""
        members = {member["name"]: member for member in entry["members"]}
        if "tag" in entry:
            require(entry["tag"] in value, f"{where}: no member {entry['tag']}", value)
            for variant in entry["variants"]:
                if variant["case"] == value[entry["tag"]]:
                    inside = self.types[variant["type"]]
                    members.update(self.members_of(value, inside, where))
        return members


# ---- sockets ------------------------------------------------------------------------------------


class Schemas:
    """The schema of each socket: fetched once, and again if something does not fit, since a
    provider that was registered meanwhile is a new value of an enum."""

    def __init__(self, fetch):
        self.fetch = fetch  # (path of the socket): the entries
        self.by_socket = {}

    def knows(self, socket):
        return socket in self.by_socket

    def add(self, socket, entries):
        self.by_socket[socket] = Schema(entries)

    def require(self, socket, check):
        """check(schema) passes, if need be with what the server says now. Returns the schema."""
        if self.knows(socket):
            with contextlib.suppress(ShapeError):
                check(self.by_socket[socket])
                return self.by_socket[socket]
        self.add(socket, self.fetch(socket.path))
        check(self.by_socket[socket])
        return self.by_socket[socket]


class Socket(typing.NamedTuple):
    """What tells a socket from an earlier one at the same path."""

    path: str
    inode: int
    made_ns: int

    @classmethod
    def at(cls, path):
        status = os.stat(path)
        return cls(path, status.st_ino, status.st_ctime_ns)
