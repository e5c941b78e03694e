# SPDX-License-Identifier: MIT
"""JSON texts, made by rule from the grammar of RFC 8259: each production as it may be, and broken.

A case says whether the RFC has the text, and what it means. Where the server differs on purpose,
the case names the exception; EXCEPTIONS is the list of them, which the manual repeats."""

import dataclasses
import itertools
import json
import random
import struct

# Each sentence is an item of the list under "EXCEPTIONS TO RFC 8259" in docs/vitals-qmp.7.scd.
EXCEPTIONS = {
    "single quotes": "Strings can be in single quotes, and \\' is an escape.",
    "nul": "The bytes C0 80 in a string are U+0000.",
    "zero exponent": "A number that begins with 0 has no exponent unless it has a fraction: 0e5 is"
    " refused, 0.0e5 is not.",
    "infinite": "A number that no double can hold, such as 1e400, is refused.",
    "wide integers": "An integer below -2^63 or above 2^64-1 becomes a double.",
    "surrogates": "A surrogate that is alone, such as \\ud83d without what belongs to it, is"
    " refused.",
    "noncharacters": "Noncharacters are refused: U+FDD0 to U+FDEF, and the last two code points of"
    " each plane.",
    "duplicate keys": "An object in which a key comes twice is refused.",
    "nesting": "More than 1024 brackets open at a time are refused.",
    "size": "A message of more than 1 MiB is refused.",
    "tokens": "A message of more than 65536 tokens is refused; a number with a fraction counts as 8, "
    "and so does an object.",
    "members": "An object of more than 256 members is refused.",
}
NESTING_MAX = 1024
MEMBERS_MAX = 256
MESSAGE_MAX = 1 << 20
TOKENS_MAX = 1 << 16


REVERSALS = set(EXCEPTIONS) - {"wide integers"}  # that one changes the value, not the verdict


@dataclasses.dataclass
class Case:
    text: bytes
    in_rfc: bool
    value: object = None  # what it means, if it is accepted
    exception: str | None = None  # why the server does not do as the RFC says

    @property
    def is_accepted(self):
        return self.in_rfc != (self.exception in REVERSALS)

    @property
    def may_stay_open(self):
        """Whether inside of an object it may open a bracket that nothing closes."""
        text = b"{" + self.text + b"}"
        for opening, closing in (b"[]", b"{}"):
            balances = itertools.accumulate((b == opening) - (b == closing) for b in text[::-1])
            if max(balances) > 0:
                return True
        return False

    def __str__(self):
        return f"{self.text[:60]!r} ({self.exception or 'by the RFC'})"


def encoded(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def good(text, value, exception=None):
    return Case(encoded(text), True, value, exception)


def bad(text, exception=None, value=None):
    return Case(encoded(text), False, value, exception)


# ---- section 2: white space and structure -------------------------------------------------------

WHITE_SPACE = b" \t\n\r"


def white_space():
    """Each character, in each place where there may be one, and twice."""
    tokens = ["[", "1", ",", "{", '"a"', ":", "null", "}", ",", "-2", "]"]
    value = [1, {"a": None}, -2]
    for character in [" ", "\t", "\n", "\r", "\r\n", " \t\n\r"]:
        for place in range(len(tokens) + 1):
            yield good("".join([*tokens[:place], character, *tokens[place:]]), value)
        yield good(character.join(["", *tokens, ""]), value)


def other_space():
    """What other languages take for white space."""
    for character in "\v\f\0\x1c\x1f\x7f\x85\xa0\u1680\u2002\u200b\u2028\u2029\u3000":
        yield bad(f"{character}1")
        yield bad(f"1{character}")
        yield bad(f"[1{character}, 2]")
    yield bad("\ufeff1")  # which a parser may ignore, if it likes
    yield bad("/* comment */ 1")
    yield bad("1 // comment")
    yield bad("1 # comment")


def bytes_in_brackets():
    """Each byte, alone in an array."""
    for byte in range(256):
        text = b"[" + bytes([byte]) + b"]"
        if byte in WHITE_SPACE:
            yield good(text, [])
        elif byte in b"0123456789":
            yield good(text, [byte - ord("0")])
        else:
            yield bad(text)


def token_text(tokens):
    """A space where two tokens would become one."""
    text = ""
    for token in tokens:
        text += " " if text[-1:].isalnum() and token[:1].isalnum() else ""
        text += token
    return text


def has_duplicates(pairs):
    keys = [key for key, _ in pairs]
    return len(set(keys)) < len(keys)


def judged(tokens):
    """A case of tokens: another parser tells whether they are JSON, and what they mean."""
    text = token_text(tokens)
    duplicates = []

    def note(pairs):
        duplicates.extend([True] if has_duplicates(pairs) else [])
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=note)
    except ValueError:
        return bad(text)
    return good(text, value, "duplicate keys" if duplicates else None)


def short_texts():
    """All rows of at most four tokens."""
    for length in range(5):
        for tokens in itertools.product([*"[]{},:1", '"a"', "true"], repeat=length):
            yield judged(tokens)


def changed_texts():
    """Each token of a text left out, repeated, changed for its neighbour or for another."""
    tokens = '{ "a" : [ 1 , true , { } , [ ] ] , "b" : { "a" : null } }'.split()
    yield judged(tokens)
    for i, token in enumerate(tokens):
        before, behind = tokens[:i], tokens[i + 1 :]
        yield judged([*before, *behind])
        yield judged([*before, token, token, *behind])
        yield judged([*before, *behind[:1], token, *behind[1:]])
        for other in [*"[]{},:1", '"a"', "true"]:
            yield judged([*before, other, *behind])


# ---- section 3: literals ------------------------------------------------------------------------


def literals():
    for text, value in [("true", True), ("false", False), ("null", None)]:
        yield good(text, value)
        for length in range(1, len(text)):
            yield bad(text[:length])
            yield bad(text[:length] + text[length].upper() + text[length + 1 :])
        for more in "xe_1\u00fc":
            yield bad(text + more)
        yield bad(text.upper())
        yield bad(text.capitalize())
    for text in "NaN nan Infinity -Infinity inf undefined None nil yes no on off True x".split():
        yield bad(text)


# ---- sections 4 and 5: objects and arrays -------------------------------------------------------


def objects_and_arrays():
    for value in [
        {},
        [],
        {"": 0},
        {"a": 1, "A": 2, "ab": 3, "\u00fc\0": 4},
        [0, "", None, True, False, {}, [], [[]], [{}]],
    ]:
        yield good(json.dumps(value), value)
    many = {f"key{i}": [i, {"i": -i}] for i in range(MEMBERS_MAX)}
    yield good(json.dumps(many), many)
    for key in ["a", "1", "null", "true", "[]", "{}", "-", "1.5"]:
        yield bad(f"{{{key}: 1}}")
    for separator in [";", "=", "=>", "::", ":,", ",:", " ", "|"]:
        yield bad(f'{{"a" {separator} 1}}')
        yield bad(f'{{"a": 1 {separator} "b": 2}}')
        yield bad(f"[1 {separator} 2]")


def duplicate_keys():
    for text in [
        '{"a": 1, "a": 1}',
        '{"a": 1, "b": 2, "a": 3}',
        '{"": 1, "": 2}',
        r'{"a": 1, "\u0061": 2}',
        '{"\\u00fc": 1, "\u00fc": 2}',
        r'{"\u0000": 1, "\u0000": 2}',
        '[[{"b": {"a": 1, "a": {}}}]]',
    ]:
        yield good(text, None, "duplicate keys")
    for text, value in [
        ('{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}),
        ('[{"a": 1}, {"a": 1}]', [{"a": 1}, {"a": 1}]),
        (r'{"a": 1, "a\u0000": 2, "a\u0000b": 3}', {"a": 1, "a\0": 2, "a\0b": 3}),
        ('{"\u00e9": 1, "e\u0301": 2}', {"\u00e9": 1, "e\u0301": 2}),  # not the same bytes
    ]:
        yield good(text, value)


def nested():
    """The object of the message is the first bracket."""
    for depth, exception in [(NESTING_MAX - 1, None), (NESTING_MAX, "nesting")]:
        arrays, objects, both = [], {}, {}
        for i in range(depth - 1):
            arrays, objects = [arrays], {"a": objects}
            both = {"a": both} if i % 2 else [both]
        for value in (arrays, objects, both):
            yield good(json.dumps(value), value, exception)


# ---- section 6: numbers -------------------------------------------------------------------------


def number(text):
    """What the text of a number means: an integer of up to 64 bits, or a double."""
    is_integer = not set(text) & set(".eE")
    if is_integer and len(text) < 25 and -(2**63) <= int(text) < 2**64:
        return good(text, int(text))
    if float(text) in (float("inf"), -float("inf")):
        return good(text, None, "infinite")
    return good(text, float(text), "wide integers" if is_integer else None)


def numbers():
    """Each combination of the parts."""
    parts = itertools.product(
        ["", "-"],
        ["0", "1", "9", "10", "1234567890"],
        ["", ".0", ".5", ".000", ".0009", ".123456789"],
        ["", "e0", "E0", "e1", "E+1", "e-1", "e+10", "E-10", "e007", "E+00", "e-00012"],
    )
    for minus, integer, fraction, exponent in parts:
        text = minus + integer + fraction + exponent
        if integer == "0" and not fraction and exponent:
            yield good(text, None, "zero exponent")
        else:
            yield number(text)


def broken_numbers():
    for text in """00 01 -00 -01 007 +1 +0 -+1 +-1 .5 -.5 1. -1. 0. - -- --1 -a 1e 1E 1e+ 1E- 1e+-1
        1.e1 1..2 1.2.3 1.5. 1e1.5 1e1e1 1e1. 0x10 0X1 0b1 0o7 1_000 1f 1L 1a 1.5f 0a e1 E1 1ee1
        1e5x 1-1 1- 1+1 1.-1 1.+1 1e5- 1.5- $1 1% 1/2 (1) 1e\u0661 1\u0661""".split():
        yield bad(text)
    for text in ["- 1", "1 .5", "1. 5", "1 e5", "1e 5", "1e+ 5", "1 000", "-\n1", "1,000", "0 0"]:
        yield bad(text)
    for character in "\u0661\uff11\u00b9\u2460\u221e\u00bd\u2212":
        yield bad(character)


def boundaries():
    """Around each power of two and of ten at which some type ends."""
    powers = [2**n for n in (7, 8, 15, 16, 24, 31, 32, 53, 62, 63, 64, 65, 127, 128, 1023)]
    powers += [10**n for n in (9, 10, 15, 17, 18, 19, 20, 21, 30, 100, 308)]
    for power in powers:
        for distance in range(-2, 3):
            for sign in ("", "-"):
                yield number(f"{sign}{power + distance}")
                yield number(f"{sign}{power + distance}.0")
                yield number(f"{sign}{power + distance}.5")
                yield number(f"{sign}{power + distance}e0")


def extreme_numbers():
    for text in """1e308 1.7976931348623157e308 1.7976931348623158e308 1.7976931348623159e308 1e309
        17976931348623157e292 2e308 1e400 1e99999 1e999999999999999999999 1.5e400 100e307
        2.2250738585072014e-308 2.2250738585072011e-308 5e-324 4.9e-324 2.5e-324 2.4e-324 1e-323
        1e-400 1e-99999 1e-999999999999999999999 0.0e400 0.0e-400 0.1e309 0.00001e312 -0 -0.0
        0.1 0.2 0.3 1.1 2.675 9007199254740993.0 0.1000000000000000055511151231257827""".split():
        yield number(text)
        yield number(text if text.startswith("-") else f"-{text}")
    for digits in (17, 18, 309, 400, 4000):
        yield number("9" * digits)
        yield number("-1" + "0" * digits)
        yield number("0." + "0" * digits + "1")
        yield number("1." + "3" * digits)
        yield number("1" + "0" * digits + f"e-{digits}")


def random_doubles():
    """Any bits that are a number, in three ways to write them."""
    generator = random.Random(8259)
    for _ in range(300):
        (value,) = struct.unpack("<d", generator.randbytes(8))
        if value == value and abs(value) != float("inf"):
            for text in (repr(value), f"{value:.17g}", f"{value:.25e}"):
                if set(text) & set(".e"):
                    yield number(text)


# ---- section 7: strings -------------------------------------------------------------------------


def string(value, exception=None):
    """As it is, but for what must be escaped."""
    return good(f'"{value}"', value, exception)


def bytes_in_strings():
    """Each byte, alone in a string."""
    for byte in range(256):
        text = b'"' + bytes([byte]) + b'"'
        if byte < 0x20 or byte >= 0x80:
            yield bad(text)
        elif byte in b'"\\':
            yield bad(text)
        else:
            yield good(text, chr(byte))


def escapes():
    """Each byte behind a backslash."""
    meanings = {**dict(zip("bfnrt", "\b\f\n\r\t")), **{c: c for c in '"\\/'}}
    for byte in range(256):
        text = b'"\\' + bytes([byte]) + b'"'
        if chr(byte) in meanings:
            yield good(text, meanings[chr(byte)])
        elif byte == ord("'"):
            yield bad(text, "single quotes", "'")
        else:
            yield bad(text)
    everything = "".join("\\" + letter for letter in meanings)
    yield good(f'"{everything}"', "".join(meanings.values()))


def hexadecimal_escapes():
    corners = [0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD]
    for code in [0, 1, 0x1F, *b" \"'/\\", *corners]:
        for form in ("{:04x}", "{:04X}"):
            yield good(f'"\\u{form.format(code)}"', chr(code))
            yield good(f'"a\\u{form.format(code)}b"', f"a{chr(code)}b")
    yield good(r'"\uAbCd\uaBcD"', "\uabcd\uabcd")
    yield good(r'"\u00412"', "A2")
    yield bad(r'"\U0041"')
    for n_digits in range(4):
        yield bad(f'"\\u{"0041"[:n_digits]}"')
        for character in ["g", "G", " ", "-", "+", ".", "x", "\\\\", "\u0661", "\n", "\0"]:
            yield bad(f'"\\u{"0041"[:n_digits]}{character}{"0041"[n_digits + 1:]}"')


def single_quotes():
    for text, value in [
        ("''", ""),
        ("'a'", "a"),
        ("'say \"hi\"'", 'say "hi"'),
        (r"'don\'t'", "don't"),
        (r"'\"\\\/\b\f\n\r\t\u00fc'", '"\\/\b\f\n\r\t\u00fc'),
        ("{'a': 'b', \"c\": 'd'}", {"a": "b", "c": "d"}),
    ]:
        yield bad(text, "single quotes", value)
    yield good('"don\'t"', "don't")
    for text in ["'a\"", "\"a'", "'", '"', "'''"]:
        yield bad(text)


# ---- section 8: characters ----------------------------------------------------------------------


def is_noncharacter(code):
    return 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE


def is_character(code):
    return not 0xD800 <= code <= 0xDFFF and not is_noncharacter(code)


def all_characters():
    """Each as it is, and each of the first plane as an escape."""
    for start in range(0, 0x110000, 1 << 14):
        codes = filter(is_character, range(start, start + (1 << 14)))
        yield string("".join(chr(c) for c in codes if c >= 0x20 and chr(c) not in '"\\'))
    for start in range(0, 0x10000, 1 << 12):
        codes = list(filter(is_character, range(start, start + (1 << 12))))
        text = "".join(f"\\u{code:04x}" for code in codes)
        yield good(f'"{text}"', "".join(map(chr, codes)))


def noncharacters():
    last = [plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)]
    for code in [*range(0xFDD0, 0xFDF0), *last]:
        utf16 = chr(code).encode("utf-16-be").hex()
        escape = "".join(f"\\u{utf16[i:i + 4]}" for i in range(0, len(utf16), 4))
        yield string(chr(code), "noncharacters")
        yield good(f'"{escape}"', None, "noncharacters")


HIGH = ["d800", "D83D", "dbff"]
LOW = ["dc00", "DE00", "dfff"]


def surrogates():
    for high, low in itertools.product(HIGH, LOW):
        code = 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00
        exception = "noncharacters" if is_noncharacter(code) else None
        yield good(f'"\\u{high}\\u{low}"', chr(code), exception)
        yield good(f'"x\\u{high}\\u{low}y"', f"x{chr(code)}y", exception)
        yield good(f'"\\u{low}\\u{high}"', None, "surrogates")
    for half in HIGH + LOW:
        others = ["", "x", "\\n", "\\\\", "\\u0041", "\\u0000", "\u00fc"]
        if half in HIGH:
            others += [f"\\u{high}" for high in HIGH]
        for other in others:
            yield good(f'"\\u{half}{other}"', None, "surrogates")
    for high, low in itertools.product(HIGH, LOW):  # one of the two is bytes
        yield bad(f'"\\u{high}{chr(int(low, 16))}"')
        yield bad(f'"{chr(int(high, 16))}\\u{low}"')


# Unicode, table 3-7: lead bytes, with the range of the byte behind.
WELL_FORMED = [
    (range(0xC2, 0xE0), 0x80, 0xBF, 2),
    (range(0xE0, 0xE1), 0xA0, 0xBF, 3),
    (range(0xE1, 0xED), 0x80, 0xBF, 3),
    (range(0xED, 0xEE), 0x80, 0x9F, 3),
    (range(0xEE, 0xF0), 0x80, 0xBF, 3),
    (range(0xF0, 0xF1), 0x90, 0xBF, 4),
    (range(0xF1, 0xF4), 0x80, 0xBF, 4),
    (range(0xF4, 0xF5), 0x80, 0x8F, 4),
]


def quoted(*values):
    return b'"' + bytes(values) + b'"'


def utf8_sequence(values):
    """Of bytes that are well formed."""
    value = bytes(values).decode()
    return good(quoted(*values), value, "noncharacters" if is_noncharacter(ord(value)) else None)


def utf8():
    for leads, least, most, length in WELL_FORMED:
        for lead in leads:
            for tail in {0x80, 0xBF}:
                rest = [tail] * (length - 2)
                yield utf8_sequence([lead, least, *rest])
                yield utf8_sequence([lead, most, *rest])
                for second in {0x80, least - 1, most + 1, 0xBF} - set(range(least, most + 1)):
                    yield bad(quoted(lead, second, *rest))  # overlong, surrogate, too large
    for lead in [*range(0xC0, 0xC2), *range(0xF5, 0x100)]:
        for n_more in range(6):
            values = [lead, *[0x80] * n_more]
            if values != [0xC0, 0x80]:
                yield bad(quoted(*values))
    yield bad(quoted(0xC0, 0x80), "nul", "\0")
    yield bad(quoted(0x61, 0xC0, 0x80, 0x62), "nul", "a\0b")


def broken_utf8():
    """Each character cut short, and with a byte that does not belong to it."""
    for character in "\u00fc\u20ac\U0001f600":
        values = character.encode()
        for i in range(1, len(values)):
            yield bad(quoted(*values[:i]))
            yield bad(quoted(*values[i:]))
            for other in (0x20, 0x41, 0x7F, 0xC3, 0xE2, 0xF0):
                yield bad(quoted(*values[:i], other, *values[i + 1 :]))
        yield bad(quoted(*values, 0x80))
        yield bad(quoted(0xBF, *values))


# ---- limits -------------------------------------------------------------------------------------


def limits(n_bytes, n_tokens):
    """@n_bytes and @n_tokens are those of the message around the text."""
    for excess, exception in [(0, None), (1, "size")]:
        value = "x" * (MESSAGE_MAX - n_bytes - 2 + excess)
        yield string(value, exception)
        yield good(f"0.{'0' * (len(value) - 1)}1", 0.0, exception)
    for excess, exception in [(0, None), (1, "members")]:
        value = {str(number): number for number in range(MEMBERS_MAX + excess)}
        yield good(json.dumps(value), value, exception)
    for excess, exception in [(0, None), (1, "tokens")]:
        room = TOKENS_MAX - n_tokens - 2 + excess  # for elements and commas
        value = [[]] if room % 2 == 0 else []
        value += [0] * ((room - 2 * len(value) + 1) // 2)
        value_text = json.dumps(value, separators=(",", ":"))
        yield good(value_text, value, exception)


FAMILIES = [
    white_space,
    other_space,
    bytes_in_brackets,
    short_texts,
    changed_texts,
    literals,
    objects_and_arrays,
    duplicate_keys,
    nested,
    numbers,
    broken_numbers,
    boundaries,
    extreme_numbers,
    random_doubles,
    bytes_in_strings,
    escapes,
    hexadecimal_escapes,
    single_quotes,
    all_characters,
    noncharacters,
    surrogates,
    utf8,
    broken_utf8,
]
