/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    BUF_MIN = 256,
    BUF_HUGE = 2 * 1024 * 1024, /* a huge page, of the common kind */
};

/* What is bounded is a stranger's doing: but for a little, it goes back to the system at once. */
static bool is_mapped(const struct buf *buf, size_t cap)
{
    return buf->max && cap >= BUF_MAPPED;
}

static char *move_to_mapping(const struct buf *buf, size_t cap)
{
    char *data = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (data == MAP_FAILED)
        return NULL;
    if (buf->len)
        memcpy(data, buf->data, buf->len);
    free(buf->data);
    return data;
}

/* NULL: no memory, and all is as it was. */
static char *resize(const struct buf *buf, size_t cap)
{
    char *data;

    if (!is_mapped(buf, cap))
        return realloc(buf->data, cap);
    if (!is_mapped(buf, buf->cap)) {
        data = move_to_mapping(buf, cap);
    } else {
        data = mremap(buf->data, buf->cap, cap, MREMAP_MAYMOVE);
        data = data == MAP_FAILED ? NULL : data;
    }
    /* To touch it for the first time, page by page, costs as much as to write it. */
    if (data && cap >= 2 * BUF_HUGE)
        madvise(data, cap, MADV_HUGEPAGE);
    return data;
}

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
    if (buf->max && buf->len + more > buf->max) {
        buf->failed = buf->full = true;
        return false;
    }
    while (cap - buf->len < more)
        cap *= 2;
    if (buf->max && cap > buf->max)
        cap = buf->max;
    data = resize(buf, cap);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void buf_fit(struct buf *buf, size_t more)
{
    size_t cap = buf->len + more;
    char *data;

    if (!buf->len || cap >= buf->cap || is_mapped(buf, buf->cap) != is_mapped(buf, cap))
        return;
    data = resize(buf, cap);
    if (!data)
        return;
    buf->data = data;
    buf->cap = cap;
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
    if (is_mapped(buf, buf->cap))
        munmap(buf->data, buf->cap);
    else
        free(buf->data);
    *buf = (struct buf){.max = buf->max};
}
