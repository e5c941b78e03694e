/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer. Lack of memory is remembered, not reported call by call: the writer goes
 * on, and whoever sends the buffer looks at `failed` once, at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BUF_MAPPED = 4 * 1024 }; /* bytes from which on a bounded one is a mapping of its own */

struct buf {
    char *data;
    size_t len, cap;
    size_t max;  /* bytes that it may take; 0: any number. To be set before it has any */
    bool failed; /* memory was short, or max too little: the contents are not complete */
    bool full;   /* it was max */
};

/* Makes room for @more bytes behind len. False: failed is set. */
bool buf_reserve(struct buf *buf, size_t more);
void buf_append_slowly(struct buf *buf, const void *bytes, size_t len);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void buf_fit(struct buf *buf,
             size_t more);      /* gives back what it has room for beyond len and @more */
void buf_free(struct buf *buf); /* leaves an empty buffer with the same max */

static inline void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->failed = buf->full = false;
}

static inline void buf_append(struct buf *buf, const void *bytes, size_t len)
{
    if (buf->cap - buf->len < len || !buf->data) {
        buf_append_slowly(buf, bytes, len);
        return;
    }
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
}

static inline void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

#endif
