/* SPDX-License-Identifier: MIT */
#ifndef BASE_PIECES_H
#define BASE_PIECES_H

#include <stddef.h>
#include <string.h>

/*
 * Copies a short text in whole pieces, which is cheaper than the exact length: the compiler makes a few
 * instructions of a piece, whose size is a constant. So there must be room for one behind both ends.
 */
static inline __attribute__((always_inline)) char *pieces_copy(char *at, const char *text,
                                                               size_t len, size_t piece)
{
    size_t done = 0;

    do {
        memcpy(at + done, text + done, piece);
        done += piece;
    } while (done < len);
    return at + len;
}

#endif
