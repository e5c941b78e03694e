/* SPDX-License-Identifier: MIT */
#include "base/json_write.h"

#include "base/unicode.h"

/* ---- numbers -------------------------------------------------------------------------------- */

static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

static unsigned count_digits(uint64_t value)
{
    unsigned digits = 1;

    for (; value >= 10000; value /= 10000)
        digits += 4;
    return digits + (value >= 10) + (value >= 100) + (value >= 1000);
}

char *long_u64_to_text(char *at, uint64_t value)
{
    char *end, *p;

    end = p = at + count_digits(value);
    for (; value >= 100; value /= 100) {
        p -= 2;
        memcpy(p, &digit_pairs[value % 100 * 2], 2);
    }
    if (value >= 10)
        memcpy(p - 2, &digit_pairs[value * 2], 2);
    else
        p[-1] = (char)('0' + value);
    return end;
}

void u64_to_digits(char *at, uint64_t value, unsigned n)
{
    for (; n >= 2; n -= 2, value /= 100)
        memcpy(at + n - 2, &digit_pairs[value % 100 * 2], 2);
    if (n)
        *at = (char)('0' + value % 10);
}

void json_put_u64(struct buf *buf, uint64_t value)
{
    if (buf_reserve(buf, U64_DIGITS_MAX))
        buf->len = (size_t)(u64_to_text(buf->data + buf->len, value) - buf->data);
}

void json_put_i64(struct buf *buf, int64_t value)
{
    if (value < 0) {
        buf_puts(buf, "-");
        json_put_u64(buf, 0 - (uint64_t)value);
    } else {
        json_put_u64(buf, (uint64_t)value);
    }
}

/* ---- strings -------------------------------------------------------------------------------- */

enum { ESCAPE_LEN = 6 }; /* \uXXXX */

static char *put_unit(char *at, uint32_t unit)
{
    static const char digits[] = "0123456789ABCDEF";

    *at++ = '\\';
    *at++ = 'u';
    *at++ = digits[unit >> 12];
    *at++ = digits[unit >> 8 & 0xf];
    *at++ = digits[unit >> 4 & 0xf];
    *at++ = digits[unit & 0xf];
    return at;
}

static char *put_escaped(char *at, int32_t code_point)
{
    static const char shorthand[256] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                        ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};

    if (code_point < 0)
        return put_unit(at, 0xfffd);
    if (code_point < 0x100 && shorthand[code_point]) {
        *at++ = '\\';
        *at++ = shorthand[code_point];
        return at;
    }
    if (code_point < 0x10000)
        return put_unit(at, (uint32_t)code_point);
    code_point -= 0x10000;
    at = put_unit(at, 0xd800 + ((uint32_t)code_point >> 10));
    return put_unit(at, 0xdc00 + ((uint32_t)code_point & 0x3ff));
}

/* Printable, and neither a quote nor a backslash. */
static const bool is_plain[256] = {
    [' ' ... '!'] = true,
    ['#' ... '['] = true,
    [']' ... '~'] = true,
};

/* There is room to be made only once for so many. */
enum { ESCAPES_AT_A_TIME = 64 };

/* Most often ASCII, which needs no decoding. */
static inline char *put_escape(char *at, const char **text)
{
    uint8_t byte = (uint8_t) * *text;

    if (byte < 0x80) {
        ++*text;
        return put_escaped(at, byte);
    }
    return put_escaped(at, utf8_decode(text));
}

static const char *put_escapes(struct buf *buf, const char *text)
{
    char *at;
    int i;

    if (!buf_reserve(buf, ESCAPES_AT_A_TIME * 2 * ESCAPE_LEN))
        return text + strlen(text);
    at = buf->data + buf->len;
    for (i = 0; i < ESCAPES_AT_A_TIME && *text && !is_plain[(uint8_t)*text]; i++)
        at = put_escape(at, &text);
    buf->len = (size_t)(at - buf->data);
    return text;
}

void json_put_string(struct buf *buf, const char *text)
{
    const char *plain;

    buf_append(buf, "\"", 1);
    while (*text) {
        for (plain = text; is_plain[(uint8_t)*text]; text++)
            ;
        buf_append(buf, plain, (size_t)(text - plain));
        if (*text)
            text = put_escapes(buf, text);
    }
    buf_append(buf, "\"", 1);
}

void json_put_text_member(struct buf *buf, const char *name, const char *text)
{
    if (!*text)
        return;
    buf_printf(buf, ", \"%s\": ", name);
    json_put_string(buf, text);
}
