/* SPDX-License-Identifier: MIT */
#include "qmp/json_value.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/json_write.h"

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
    const char *separator = "";

    buf_puts(buf, "{");
    json_object_object_foreach(object, key, value)
    {
        buf_puts(buf, separator);
        json_put_string(buf, key);
        buf_puts(buf, ": ");
        json_put_value(buf, value);
        separator = ", ";
    }
    buf_puts(buf, "}");
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
