/* SPDX-License-Identifier: MIT */
#include "frames.h"

static void put_event(struct scan *scan, const char *prefix, struct buf *text)
{
    buf_puts(&scan->events, prefix);
    buf_append(&scan->events, text->data, text->len);
    buf_puts(&scan->events, "\n");
    buf_reset(text);
}

/* Which spaces the scanner keeps between tokens is its own business. */
static void put_message(struct scan *scan)
{
    const struct buf *text = &scan->text;
    bool in_string = false;
    size_t i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] == '"')
            in_string = !in_string;
        if (in_string && text->data[i] == '\\')
            buf_append(&scan->events, &text->data[i++], 1);
        if (in_string || text->data[i] != ' ')
            buf_append(&scan->events, &text->data[i], 1);
    }
    buf_puts(&scan->events, "\n");
}

static void take_message(struct scan *scan, const struct frame_output *output)
{
    put_message(scan);
    buf_reset(&scan->last_message);
    buf_append(&scan->last_message, scan->text.data, scan->text.len);
    scan->last_members = output->members;
    scan->last_trailing_comma = output->trailing_comma;
    buf_reset(&scan->text);
}

void scan_feed(struct scan *scan, const uint8_t *bytes, size_t len)
{
    struct frame_output output = {.text = &scan->text, .error = &scan->error};
    enum frame_event event = FRAME_ERROR;
    size_t taken;

    for (; len || event != FRAME_MORE; bytes += taken, len -= taken) {
        taken = frame_feed(&scan->frame, bytes, len, &output, &event);
        if (event == FRAME_MESSAGE)
            take_message(scan, &output);
        else if (event == FRAME_ERROR)
            put_event(scan, "! ", &scan->error);
    }
}

const char *scan_finish(struct scan *scan)
{
    struct frame_output output = {.text = &scan->text, .error = &scan->error};

    if (frame_finish(&scan->frame, &output))
        put_event(scan, "$ ", &scan->error);
    buf_append(&scan->events, "", 1);
    return scan->events.data;
}

void scan_free(struct scan *scan)
{
    buf_free(&scan->text);
    buf_free(&scan->error);
    buf_free(&scan->events);
    buf_free(&scan->last_message);
    *scan = (struct scan){0};
}
