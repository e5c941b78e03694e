/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the framing scanner. For any bytes:
 *  - the events do not depend on the pieces in which the bytes come;
 *  - what is passed on as a message has good tokens: the parser may find fault with its grammar only;
 *  - where the bytes were plain JSON, the parser finds the same in the message as in the bytes.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "frames.h"
#include "vitals/qmp.h"

static struct json_tokener *parser;

/* ---- the parser's verdict ------------------------------------------------------------------- */

static enum json_tokener_error parse(const char *text, size_t len, struct json_object **ret_value)
{
    char *copy = malloc(len + 1);

    memcpy(copy, text, len);
    copy[len] = '\0';
    json_tokener_reset(parser);
    *ret_value = json_tokener_parse_ex(parser, copy, (int)len + 1);
    free(copy);
    return json_tokener_get_error(parser);
}

/* json-c calls it a bad number where something else than a separator follows a good one. */
static bool is_about_grammar(enum json_tokener_error error, const char *text)
{
    size_t at = json_tokener_get_parse_end(parser);

    switch (error) {
    case json_tokener_success:
    case json_tokener_error_parse_unexpected:
    case json_tokener_error_parse_array:
    case json_tokener_error_parse_object_key_name:
    case json_tokener_error_parse_object_key_sep:
    case json_tokener_error_parse_object_value_sep:
        return true;
    case json_tokener_error_parse_number:
        return at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9';
    default:
        return false;
    }
}

/* Bytes that the scanner has no reason to rewrite. */
static bool is_plain(const uint8_t *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (bytes[i] >= 0x7f || bytes[i] == '\'' || bytes[i] == '\\')
            return false;
    return true;
}

/* White space around a message is not part of it. */
static void trim(const uint8_t **bytes, size_t *len)
{
    while (*len && strchr(" \t\r\n", **bytes)) {
        ++*bytes;
        --*len;
    }
    while (*len && strchr(" \t\r\n", (*bytes)[*len - 1]))
        --*len;
}

static size_t count_points(const char *text, size_t len)
{
    size_t n = 0, i;

    for (i = 0; i < len; i++)
        n += text[i] == '.';
    return n;
}

/* @bytes: those that became the message; NULL: others are among them. */
static void check_message(const struct buf *text, const uint8_t *bytes, size_t len)
{
    struct json_object *value, *expected;
    enum json_tokener_error error = parse(text->data, text->len, &value);

    CHECK(is_about_grammar(error, text->data));
    if (bytes)
        trim(&bytes, &len);
    /* A large integer becomes a double; the parser clamps it, or refuses it. */
    if (bytes && is_plain(bytes, len) &&
        count_points(text->data, text->len) == count_points((const char *)bytes, len)) {
        CHECK((parse((const char *)bytes, len, &expected) == json_tokener_success) ==
              (error == json_tokener_success));
        CHECK(json_object_equal(value, expected));
        json_object_put(expected);
    }
    json_object_put(value);
}

/* ---- the scanner ---------------------------------------------------------------------------- */

static void check_messages(const uint8_t *data, size_t size)
{
    struct buf text = {0}, description = {0};
    struct frame_output output = {.text = &text, .error = &description};
    struct frame frame = {.state = 0};
    enum frame_event event = FRAME_ERROR;
    bool skipping = false; /* the rest of a message that was refused */
    size_t start = 0, at = 0;

    while (at < size || event != FRAME_MORE) {
        at += frame_feed(&frame, data + at, size - at, &output, &event);
        if (event == FRAME_MESSAGE)
            check_message(&text, skipping ? NULL : data + start, at - start);
        if (event != FRAME_MORE) {
            skipping = frame.skip;
            buf_reset(&text);
            buf_reset(&description);
            start = at;
        }
    }
    buf_free(&text);
    buf_free(&description);
}

/* Pieces of @piece bytes, the first one of @first. */
static void scan_in_pieces(struct scan *scan, const uint8_t *data, size_t size, size_t first,
                           size_t piece)
{
    size_t at = 0, n = first;

    for (; at < size; at += n, n = piece) {
        if (n > size - at)
            n = size - at;
        scan_feed(scan, data + at, n);
    }
    scan_finish(scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scan whole = {.text = {0}}, bytes = {.text = {0}}, pieces = {.text = {0}};

    if (!parser)
        parser = json_tokener_new_ex(VITALS_NESTING_MAX + 2);
    check_messages(data, size);
    scan_in_pieces(&whole, data, size, size, size);
    scan_in_pieces(&bytes, data, size, 1, 1);
    scan_in_pieces(&pieces, data, size, size ? data[0] : 0, 7);
    CHECK(!strcmp(whole.events.data, bytes.events.data));
    CHECK(!strcmp(whole.events.data, pieces.events.data));
    scan_free(&whole);
    scan_free(&bytes);
    scan_free(&pieces);
    return 0;
}
