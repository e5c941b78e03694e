# SPDX-License-Identifier: MIT
"""JSON as RFC 8259 has it: each text of json_cases.py is the id of a command. What is accepted
comes back equal; what is refused is an error, and the good command behind it is answered."""

import json
import re
import sys

import pytest

import json_cases
from support.programs import ROOT, Programs

BEFORE, BEHIND = b'{"execute": "query-name", "id": ', b"}"
GOOD = b'{"execute": "query-name", "id": "the good command behind"}\n'
RESET = b"\xff"
ENDS_A_MESSAGE = {0xFE, 0xFF, *range(0x20)} - set(b"\t\n\r")
PAGE = ROOT / "docs" / "vitals-qmp.7.scd"


@pytest.fixture(scope="module", autouse=True)
def deep_json():
    """The values are compared by recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * json_cases.NESTING_MAX)
    yield
    sys.setrecursionlimit(limit)


@pytest.fixture(scope="module")
def session():
    """One session for all texts, whatever was refused before."""
    programs = Programs()
    yield programs.client(programs.server())
    programs.close()


# ---- one text -----------------------------------------------------------------------------------


def is_equal(found, expected):
    """Integers exactly, other numbers as doubles; 1.0 may come back as 1."""
    if type(expected) is float:
        return type(found) in (int, float) and float(found) == expected
    if type(found) is not type(expected):
        return False
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(is_equal, found, expected))
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            is_equal(found[key], value) for key, value in expected.items()
        )
    return found == expected


def replies_before_good_command(session, data=b""):
    session.send(data + GOOD)
    replies = []
    while (reply := session.read_message()).get("id") != json.loads(GOOD)["id"]:
        replies.append(reply)
    assert "return" in reply
    return replies


def problem_of_accepted(case, replies):
    if len(replies) != 1 or "return" not in replies[0]:
        return f"refused: {replies}"
    if not is_equal(replies[0]["id"], case.value):
        return f"came back as {replies[0]['id']!r:.80}, not {case.value!r:.80}"
    return None


def problem_of_refused(case, replies):
    """One error, but where the text has more than one message."""
    errors = [reply for reply in replies if "error" in reply]
    if not errors or (b"}" not in case.text and len(errors) < len(replies)):
        return f"accepted: {replies}"
    parts = ENDS_A_MESSAGE | set(b"}]\n")
    if not parts & set(case.text) and not case.may_stay_open and len(errors) > 1:
        return f"more than one error: {replies}"
    return None


class Swallowed(Exception):
    """The good command is not answered."""


def ask(session, case):
    end = b"\n" if case.is_accepted or not case.may_stay_open else b"\n" + RESET
    try:
        return replies_before_good_command(session, BEFORE + case.text + BEHIND + end)
    except TimeoutError as error:
        replies_before_good_command(session, RESET)  # for the sake of the cases that follow
        raise Swallowed from error


def problem_of(session, case):
    """What the server does wrong with a text, or None."""
    judge = problem_of_accepted if case.is_accepted else problem_of_refused
    return judge(case, ask(session, case))


def check(session, cases):
    problems, counts = [], {True: 0, False: 0}
    for case in cases:
        counts[case.is_accepted] += 1
        try:
            problem = problem_of(session, case)
        except Swallowed:
            raise AssertionError(f"{case}: the good command behind is not answered") from None
        if problem:
            problems.append(f"{case}: {problem}")
    print(f"{counts[True]} texts are accepted, {counts[False]} are refused")
    assert not problems, f"{len(problems)} problems:\n" + "\n".join(problems[:20])
    assert sum(counts.values())


@pytest.mark.parametrize("family", json_cases.FAMILIES, ids=lambda family: family.__name__)
def test_json(session, family):
    check(session, family())


def test_limits(session):
    tokens_around = 16  # an object, two keys, two colons, a comma, a string; and the text is one
    cases = json_cases.limits(len(BEFORE + BEHIND), tokens_around - 1)
    check(session, cases)


# ---- a corpus that has all that it should -------------------------------------------------------


def all_cases():
    for family in json_cases.FAMILIES:
        yield from family()
    yield from json_cases.limits(len(BEFORE + BEHIND), 15)


def test_the_corpus_is_right_about_the_rfc():
    """Another parser has the same opinion of each text, but for what no parser should take."""
    for case in all_cases():
        try:
            text = case.text.decode()
            value = json.loads(text, parse_constant=int)  # NaN and Infinity are no JSON
        except ValueError:
            assert not case.in_rfc, case
        else:
            assert case.in_rfc, case
            if case.is_accepted and len(text) < 4000:  # Python reads no longer integers
                assert is_equal(value, case.value) or case.exception == "wide integers", case


def test_each_exception_has_cases():
    found = {case.exception for case in all_cases()}
    assert found == {None, *json_cases.EXCEPTIONS}


# ---- the manual ---------------------------------------------------------------------------------


def items_of_section(page, title):
    """The items of a section's list as plain text, without the markup of scdoc."""
    section = re.search(rf"^## {title}\n(.*?)(?=^#)", page, re.MULTILINE | re.DOTALL)[1]
    items = re.findall(r"^- (.*?)(?=\n- |\n\n|\Z)", section, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", " ".join(item.split())) for item in items]


def test_the_manual_lists_each_exception():
    items = items_of_section(PAGE.read_text("utf-8"), "EXCEPTIONS TO RFC 8259")
    assert sorted(items) == sorted(json_cases.EXCEPTIONS.values())
