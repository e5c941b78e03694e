# SPDX-License-Identifier: MIT
"""Compares replies of QEMU with ours.

What differs by nature is brought to one form on both sides first: measured values, numbers of
versions, process ids and UUIDs become their type; members that not each version of QEMU has go; what
QEMU's VM does not have, other providers and
the vCPU of which it has no number, is left out; statistics and vCPUs are sorted, because QEMU sends
both in reverse. Everything else must be the same, down to the order of members."""

import dataclasses
import json
import re

EXACT, BY_CLASS, DIFFERS = "exact", "by class only", "differs"
BY_DESIGN = "by design"
PROVIDERS = {None, "kvm"}
# Of two vCPUs, QEMU calls the second device[2]; the demo has three then, without a gap.
PATHS = {None, "/machine/unattached/device[0]", "/machine/unattached/device[2]"}
MEASURED = {"value", "package", "micro", "minor", "major", "thread-id", "cpu-index"}
OF_SOME_VERSIONS = {"singlestep"}  # of query-status, until QEMU 8
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Object(tuple):
    """A JSON object as pairs, so that the order of its members counts."""

    def get(self, name, default=None):
        return next((value for key, value in self if key == name), default)

    def names(self):
        return [key for key, _ in self]


@dataclasses.dataclass
class Verdict:
    agreement: str
    reason: str = ""
    order_differs: bool = False  # exact but for the order of statistics or vCPUs

    @property
    def is_syntax(self):
        return self.agreement == BY_CLASS and self.reason.startswith("JSON syntax")


def parse(line):
    """A reply; text, if it is no JSON or nested too deeply for Python."""
    if isinstance(line, bytes):
        line = line.decode("ascii", "backslashreplace")
    try:
        return json.loads(line, object_pairs_hook=Object)
    except (ValueError, RecursionError):
        return line


# ---- one form -----------------------------------------------------------------------------------


def type_of(value):
    """The type of a measured value; that of a histogram with its length."""
    return [type_of(element) for element in value] if isinstance(value, list) else type(value)


def normal_member(name, value):
    if name in MEASURED:
        return type_of(value)
    if name == "UUID" and UUID.fullmatch(value):
        return UUID
    return normal(value)


def is_shared(element):
    """What both sides' VMs have."""
    if not isinstance(element, Object):
        return True
    return element.get("provider") in PROVIDERS and element.get("qom-path") in PATHS


def comes_in_any_order(elements):
    return all(isinstance(e, Object) and {"provider", "name"} & set(e.names()) for e in elements)


def normal(value):
    """A return value without what differs by nature."""
    if isinstance(value, Object):
        return Object((name, normal_member(name, member)) for name, member in value
                      if name not in OF_SOME_VERSIONS)  # fmt: skip
    if isinstance(value, list):
        elements = [normal(element) for element in value if is_shared(element)]
        return sorted(elements, key=repr) if comes_in_any_order(elements) else elements
    return value


def normal_reply(reply):
    """The id is echoed, not measured."""
    if not isinstance(reply, Object):
        return reply
    return Object((k, normal(v) if k in ("return", "QMP") else v) for k, v in reply)


def in_any_order(value):
    """A value whose objects have their members sorted."""
    if isinstance(value, Object):
        members = [(name, in_any_order(member)) for name, member in value]
        return Object(sorted(members, key=lambda member: member[0]))
    return [in_any_order(element) for element in value] if isinstance(value, list) else value


def without_choice(name, value):
    """A member of an error, without the name that was chosen among several."""
    wrong = r"(?s)^(Parameter|QMP input member) '.*' (is unexpected|must be an? \w+)$"
    return re.sub(wrong, r"\1 is wrong", value) if name == "desc" else value


def without_order_of_members(reply):
    """Without what depends on the order of the members of an object that was sent. QEMU goes through
    them as its hash tables have them, we as the message has them: an id comes back in that order, and
    of several members that are wrong an error names the first."""

    def member(name, value):
        if name == "id":
            return in_any_order(value)
        if name == "error" and isinstance(value, Object):
            return Object((key, without_choice(key, part)) for key, part in value)
        return value

    reply = normal_reply(reply)
    return Object((k, member(k, v)) for k, v in reply) if isinstance(reply, Object) else reply


# ---- verdicts -----------------------------------------------------------------------------------


def error_of(reply):
    error = reply.get("error") if isinstance(reply, Object) else None
    return (error.get("class"), error.get("desc")) if isinstance(error, Object) else None


def is_syntax_error(reply):
    """An error of JSON. It has no id; "is unexpected" and the like are errors of the message."""
    error = error_of(reply)
    return error is not None and error[1].startswith("JSON ")


def is_leftover(reply):
    """An error that the rest of a broken message can cause: it is taken for messages of its own."""
    error = error_of(reply)
    return error is not None and "id" not in reply.names() and error[1].startswith("QMP input ")


def one_syntax_error(replies):
    """QEMU goes on behind the place of an error, and finds several where we find one."""
    result = []
    for reply in replies:
        if is_syntax_error(reply) or (result[-1:] == ["syntax error"] and is_leftover(reply)):
            reply = "syntax error"
        if reply != "syntax error" or result[-1:] != [reply]:
            result.append(reply)
    return result


def without_text(replies):
    """Errors by their class alone."""

    def by_class(reply):
        if error_of(reply) is None:
            return reply
        return Object((k, v if k != "error" else error_of(reply)[0]) for k, v in reply)

    return [by_class(reply) for reply in replies]


def short(reply):
    error = error_of(reply)
    text = ": ".join(error) if error else reply if isinstance(reply, str) else json_text(reply)
    return text if len(text) < 160 else text[:157] + "..."


def json_text(value):
    if isinstance(value, Object):
        return "{" + ", ".join(f'"{k}": {json_text(v)}' for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value)


def first_difference(theirs, ours, normals):
    for their, our, their_normal, our_normal in zip(theirs, ours, *normals):
        if their_normal != our_normal:
            return f"QEMU: {short(their)} -- we: {short(our)}"
    counts = f"QEMU has {len(theirs)} replies, we {len(ours)}"
    if len(theirs) > len(ours):
        return f"{counts}; QEMU: {short(theirs[len(ours)])}"
    return f"{counts}; we: {short(ours[len(theirs)])}"


def compare(their_lines, our_lines, one_form=normal_reply):
    theirs, ours = [list(map(parse, lines)) for lines in (their_lines, our_lines)]
    normals = [list(map(one_form, replies)) for replies in (theirs, ours)]
    if normals[0] == normals[1]:
        return Verdict(EXACT, order_differs=names_in_order(theirs) != names_in_order(ours))
    reason = first_difference(theirs, ours, normals)
    if one_syntax_error(normals[0]) == one_syntax_error(normals[1]):
        return Verdict(BY_CLASS, f"JSON syntax: {reason}")
    if without_text(normals[0]) == without_text(normals[1]):
        return Verdict(BY_CLASS, reason)
    return Verdict(DIFFERS, reason)


def names_in_order(replies):
    """The names and paths of statistics in the order on the wire."""
    found = []

    def visit(value):
        if isinstance(value, list):
            for element in filter(is_shared, value):
                visit(element)
        elif isinstance(value, Object):
            found.extend(v for k, v in value if k in ("name", "target", "qom-path"))
            visit(value.get("stats"))

    for reply in replies:
        visit(reply.get("return") if isinstance(reply, Object) else None)
    return found
