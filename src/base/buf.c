/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUF_MIN = 256 };

bool buf_reserve(struct buf *buf, size_t more)
{
    size_t cap = buf->cap ? buf->cap : BUF_MIN;
    char *data;

    if (buf->cap - buf->len >= more && buf->data)
        return true;
    if (more > SIZE_MAX / 4 - buf->len) {
        buf->failed = true;
        return false;
    }
    while (cap - buf->len < more)
        cap *= 2;
    data = realloc(buf->data, cap);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void buf_append_slowly(struct buf *buf, const void *bytes, size_t len)
{
    if (!len || !buf_reserve(buf, len))
        return;
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    if (len >= 0 && buf_reserve(buf, (size_t)len + 1)) {
        vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}
