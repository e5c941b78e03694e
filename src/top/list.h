/* SPDX-License-Identifier: MIT */
/* The list of the current level; each kind of list has a file of its own. */
#ifndef TOP_LIST_H
#define TOP_LIST_H

#include "show/histogram_text.h"
#include "top/cells.h"
#include "top/model.h"

/* The lines that a list has: one with titles, if there is room, and below it the items. */
struct region {
    struct screen *screen;
    struct model *model;
    size_t titles; /* the line of them; SIZE_MAX: none */
    size_t line;   /* of the first item */
    size_t n;      /* lines for items */
};

void list_draw(struct region *region);

/* ---- for the lists -------------------------------------------------------------------------- */

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

/* ---- VMs and their objects ------------------------------------------------------------------ */

void vms_put_titles(const struct region *region);
void vms_put_item(const struct region *region, size_t line, const struct model_item *item);

/* ---- statistics ----------------------------------------------------------------------------- */

void stats_put_titles(const struct region *region);
void stats_put_item(const struct region *region, size_t line, const struct model_item *item);

/* ---- buckets -------------------------------------------------------------------------------- */

struct histogram {
    uint64_t *space;
    struct row row;
    const uint64_t *values; /* NULL: nothing is known yet */
    uint64_t count, most;
    size_t percentiles[HISTOGRAM_PERCENTILES];
};

/* False: no memory. */
bool buckets_read(struct region *region, struct histogram *histogram);
void buckets_free(struct histogram *histogram);
void buckets_put_titles(const struct region *region);
void buckets_put_item(const struct region *region, const struct histogram *histogram, size_t line,
                      size_t i);

/* A line without numbers, when there is nothing to draw. */
const char *buckets_explain_empty(const struct model *model, const struct histogram *histogram);

#endif
