/* SPDX-License-Identifier: MIT */
/*
 * The constant text in front of each value of a schema, written once per schema and dialect: a reply
 * is these texts and numbers in turn.
 */
#ifndef QMP_STAT_TEXTS_H
#define QMP_STAT_TEXTS_H

#include "base/buf.h"
#include "stats/collect.h"

struct text {
    const char *bytes;
    size_t len;
};
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* How a dialect writes a histogram and a boolean. */
struct stat_form {
    unsigned note; /* which of the schema's notes holds the dialect's texts */
    struct text histogram_start, histogram_end;
    struct text boolean[2]; /* false, true */
};

/* Appends the wanted statistics of @part, with the values of @row, as the list [{name, value}]. */
void stat_texts_put_row(struct buf *out, const struct stat_form *form,
                        const struct stats_part *part, const uint64_t *row);

#endif
