/* SPDX-License-Identifier: MIT */
#include "qmp/json_write.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "qmp/qapi_order.h"
#include "qmp/unicode.h"

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

/* The decimal point is that of the locale, which is the VMM's business: whatever it is becomes one. */
static void put_double(struct buf *buf, double value)
{
    char text[64];
    const char *p = text;
    size_t number;

    snprintf(text, sizeof(text), "%.17g", value);
    while (*p) {
        number = strspn(p, "+-0123456789e");
        buf_append(buf, p, number);
        p += number;
        if (*p)
            buf_puts(buf, ".");
        p += strcspn(p, "0123456789");
    }
}

/* ---- strings -------------------------------------------------------------------------------- */

static void put_unit(struct buf *buf, uint32_t unit)
{
    buf_printf(buf, "\\u%04X", unit);
}

static void put_escaped(struct buf *buf, int32_t code_point)
{
    static const char shorthand[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    const char *p;

    for (p = shorthand; *p; p += 2) {
        if (*p == code_point) {
            buf_append(buf, (const char[]){'\\', p[1]}, 2);
            return;
        }
    }
    if (code_point < 0) {
        put_unit(buf, 0xfffd);
    } else if (code_point < 0x10000) {
        put_unit(buf, (uint32_t)code_point);
    } else {
        code_point -= 0x10000;
        put_unit(buf, 0xd800 + ((uint32_t)code_point >> 10));
        put_unit(buf, 0xdc00 + ((uint32_t)code_point & 0x3ff));
    }
}

/* Printable, and neither a quote nor a backslash. */
static const bool is_plain[256] = {
    [' ' ... '!'] = true,
    ['#' ... '['] = true,
    [']' ... '~'] = true,
};

void json_put_string(struct buf *buf, const char *text)
{
    const char *plain;

    buf_append(buf, "\"", 1);
    while (*text) {
        for (plain = text; is_plain[(uint8_t)*text]; text++)
            ;
        buf_append(buf, plain, (size_t)(text - plain));
        if (*text)
            put_escaped(buf, utf8_decode(&text));
    }
    buf_append(buf, "\"", 1);
}

/* ---- values --------------------------------------------------------------------------------- */

static void put_array(struct buf *buf, struct json_object *array)
{
    size_t i, n = json_object_array_length(array);

    buf_puts(buf, "[");
    for (i = 0; i < n; i++) {
        if (i)
            buf_puts(buf, ", ");
        json_put_value(buf, json_object_array_get_idx(array, i));
    }
    buf_puts(buf, "]");
}

static void put_object(struct buf *buf, struct json_object *object)
{
    size_t n = (size_t)json_object_object_length(object), i;
    struct qdict_entry *members = malloc((n + 1) * sizeof(*members));

    if (!members) {
        buf->failed = true;
        return;
    }
    qdict_order(object, members);
    buf_puts(buf, "{");
    for (i = 0; i < n; i++) {
        if (i)
            buf_puts(buf, ", ");
        json_put_string(buf, members[i].key);
        buf_puts(buf, ": ");
        json_put_value(buf, members[i].value);
    }
    buf_puts(buf, "}");
    free(members);
}

static void put_integer(struct buf *buf, struct json_object *value)
{
    int64_t number = json_object_get_int64(value);

    if (number < 0)
        json_put_i64(buf, number);
    else
        json_put_u64(buf, json_object_get_uint64(value));
}

void json_put_value(struct buf *buf, struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        buf_puts(buf, "null");
        break;
    case json_type_boolean:
        buf_puts(buf, json_object_get_boolean(value) ? "true" : "false");
        break;
    case json_type_int:
        put_integer(buf, value);
        break;
    case json_type_double:
        put_double(buf, json_object_get_double(value));
        break;
    case json_type_string:
        json_put_string(buf, json_object_get_string(value));
        break;
    case json_type_array:
        put_array(buf, value);
        break;
    case json_type_object:
        put_object(buf, value);
        break;
    }
}
