/* SPDX-License-Identifier: MIT */
/* The list of the current level; each kind of list has a file of its own. */
#ifndef TOP_LIST_H
#define TOP_LIST_H

#include "show/histogram_text.h"
#include "top/column.h"

void list_draw(struct region *region);

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
