/* SPDX-License-Identifier: MIT */
/* The list of the current level. What draws its lines is a view; each has a file of its own. */
#ifndef TOP_LIST_H
#define TOP_LIST_H

#include "top/column.h"

struct view {
    /* What all lines need; NULL: nothing. False: no memory. */
    bool (*begin)(struct region *region);
    void (*end)(struct region *region);
    void (*put_titles)(const struct region *region);
    void (*put_item)(const struct region *region, size_t line, const struct model_item *item);
    /* Below the lines, where they tell nothing; NULL: where there are none. */
    const char *(*explain_empty)(const struct region *region);
};

extern const struct view vms_view; /* and the objects of a VM */
extern const struct view stats_view;
extern const struct view buckets_view;

void list_draw(struct region *region);

#endif
