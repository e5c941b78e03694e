/* SPDX-License-Identifier: MIT */
/* JSON out, in QEMU's form: ", " and ": " between tokens, ASCII only. */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/buf.h"

enum { U64_DIGITS_MAX = 20 };

/* Writes decimal digits at @at, which has room for U64_DIGITS_MAX; returns the end. */
char *long_u64_to_text(char *at, uint64_t value);

/* The last @n decimal digits, with leading zeros. */
void u64_to_digits(char *at, uint64_t value, unsigned n);

static inline char *u64_to_text(char *at, uint64_t value)
{
    if (value >= 10)
        return long_u64_to_text(at, value);
    *at = (char)('0' + value); /* most counters of a VM are 0 */
    return at + 1;
}

void json_put_u64(struct buf *buf, uint64_t value);
void json_put_i64(struct buf *buf, int64_t value);

/* With quotes and escapes. Bytes that are no character become U+FFFD; C0 80 becomes U+0000. */
void json_put_string(struct buf *buf, const char *text);

/* A further member of an object, unless @text is empty. @name needs no escapes. */
void json_put_text_member(struct buf *buf, const char *name, const char *text);

#endif
