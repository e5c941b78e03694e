/* SPDX-License-Identifier: MIT */
#include "http/gzip.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

enum {
    LEVEL =
        1, /* expositions shrink to a tenth by it; more takes five times as long for a quarter */
    WINDOW_BITS = 15,
    AS_GZIP = 16,
    MEMORY = 8,
    PIECE = 256 * 1024,
};

static int deflate_all(z_stream *stream, const char *bytes, size_t len, struct buf *out)
{
    int result = Z_OK;

    stream->next_in = (Bytef *)bytes;
    while (result == Z_OK) {
        size_t left = (size_t)((const char *)stream->next_in - bytes);

        left = len - left;
        if (!buf_reserve(out, PIECE))
            return -ENOMEM;
        stream->avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
        stream->next_out = (Bytef *)out->data + out->len;
        stream->avail_out = PIECE;
        result = deflate(stream, left <= UINT_MAX ? Z_FINISH : Z_NO_FLUSH);
        out->len += PIECE - stream->avail_out;
    }
    return result == Z_STREAM_END ? 0 : -ENOMEM;
}

int gzip(const char *bytes, size_t len, struct buf *out)
{
    z_stream stream = {0};
    int err;

    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS + AS_GZIP, MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    err = deflate_all(&stream, bytes, len, out);
    deflateEnd(&stream);
    return err;
}
