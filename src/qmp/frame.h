/* SPDX-License-Identifier: MIT */
/*
 * The framing scanner: cuts a stream of bytes into JSON messages, in QEMU's dialect of JSON, and
 * rewrites each as strict JSON for the parser. It takes any bytes, in pieces of any size, and keeps
 * no more than the message that is under way.
 *
 * A message ends where its brackets balance; outside of brackets each token is one. What is wrong
 * with a message is reported once, as soon as it is seen, and the rest of it is skipped:
 *  - where the tokens are still clear (a bad escape in a string), to the message's end;
 *  - where a limit is passed, to its end or the end of the line;
 *  - where the tokens are not clear (a stray byte), the same, by counting brackets only: a quote may be
 *    the one that is too many, so it means nothing;
 *  - a byte of 0xFE, 0xFF, or a control character other than TAB, CR and LF, ends any message: a
 *    client that has lost track sends 0xFF, reads one error, and starts afresh.
 */
#ifndef QMP_FRAME_H
#define QMP_FRAME_H

#include <stdint.h>

#include "base/buf.h"

/*
 * Tokens in one message. What json-c makes of a token takes up to 80 bytes beside its text, so the
 * size of a message alone would allow too much. A list of 30000 strings is below it.
 */
enum { FRAME_TOKENS_MAX = 1 << 16 };

/* An object takes as much memory as so many others: json-c makes a table for 16 members at once. */
enum { FRAME_OBJECT_TOKENS = 8 };

/* A number that is no integer takes as long to read and to write as so many others; none is needed. */
enum { FRAME_FRACTION_TOKENS = 8 };

enum frame_event {
    FRAME_MORE,    /* all bytes are taken, no message is complete */
    FRAME_MESSAGE, /* the text is one message: its tokens are valid JSON, its grammar is not checked */
    FRAME_ERROR, /* the error says why a message was refused */
};

struct frame {
    uint8_t state, skip, event;
    char quote;
    char last;                /* byte of the last token */
    int64_t braces, brackets; /* open at the moment */
    uint32_t tokens, members; /* so far in this message; members: the number of colons */
    size_t size;              /* bytes of this message so far */
    size_t trailing_comma;    /* as in struct frame_output, so far */
    size_t token;             /* where the token under way starts in the text */
    uint32_t code_point, high_surrogate;
    uint8_t digits_left, utf8_left, utf8_len;
};

/* Where a scanner writes; both are emptied by the caller when it has used them. */
struct frame_output {
    struct buf *text;  /* of the message under way */
    struct buf *error; /* QEMU's description, where the event is FRAME_ERROR */
    uint32_t members;  /* where it is FRAME_MESSAGE: how many members its objects have in all */
    uint32_t tokens;   /* and how many tokens it counts as */
    /* And where the first bracket ends that is closed behind a comma, which json-c lets pass; 0: none is. */
    size_t trailing_comma;
};

/* Takes bytes up to the end of one message, with the white space behind, or the place of one error.
 * Returns how many. */
size_t frame_feed(struct frame *frame, const uint8_t *bytes, size_t len, struct frame_output *out,
                  enum frame_event *ret_event);

/* There is no more to come. True: half a message was under way, and the error says so. */
bool frame_finish(struct frame *frame, struct frame_output *out);

#endif
