/* SPDX-License-Identifier: MIT */
/* Where a list stands on the screen, and the titles of its columns. */
#ifndef TOP_COLUMN_H
#define TOP_COLUMN_H

#include "show/histogram_text.h"
#include "top/cells.h"
#include "top/model.h"

/* What the lines of a histogram have in common. */
struct histogram {
    uint64_t *space;
    struct row row;
    const uint64_t *values; /* NULL: nothing is known yet */
    uint64_t count, most;
    size_t percentiles[HISTOGRAM_PERCENTILES];
};

/* The lines that a list has: one with titles, if there is room, and below it the items. */
struct region {
    struct screen *screen;
    struct model *model;
    size_t titles;              /* the line of them; SIZE_MAX: none */
    size_t line;                /* of the first item */
    size_t n;                   /* lines for items */
    struct histogram histogram; /* at the level of buckets */
};

struct column {
    const char *title;
    size_t begin, end;
    bool is_right, is_sorted;
};

void list_put_title(const struct region *region, const struct column *column);
bool list_is_sorted_by(const struct region *region, size_t column);

static inline size_t list_clamp(size_t value, size_t low, size_t high)
{
    return value < low ? low : value > high ? high : value;
}

#endif
