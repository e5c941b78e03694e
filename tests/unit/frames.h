/* SPDX-License-Identifier: MIT */
/*
 * What the framing scanner makes of bytes that come in pieces, as text: a line for each message,
 * without the spaces between its tokens, and one that starts with "! " for each error; "$ " where it
 * is that the stream has ended.
 */
#ifndef UNIT_FRAMES_H
#define UNIT_FRAMES_H

#include "qmp/frame.h"

struct scan {
    struct frame frame;
    struct buf text, error, events;
    struct buf last_message; /* as it is */
    uint32_t last_members;
    size_t last_trailing_comma;
};

/* Takes one piece. */
void scan_feed(struct scan *scan, const uint8_t *bytes, size_t len);

/* The stream ends; the events end in NUL. */
const char *scan_finish(struct scan *scan);

void scan_free(struct scan *scan);

#endif
