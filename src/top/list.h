/* SPDX-License-Identifier: MIT */
/* The list of the current level. What its columns are is said by a view; each has a file of its own. */
#ifndef TOP_LIST_H
#define TOP_LIST_H

#include "top/column.h"

struct cell {
    char text[SCREEN_TEXT_MAX];
    enum screen_style style;
};

struct view {
    /* What all lines need; NULL: nothing. False: no memory. */
    bool (*begin)(struct region *region);
    void (*end)(struct region *region);
    void (*add_columns)(struct region *region);
    /* @ret_cell is empty. @item NULL: the line for all items of the list. */
    void (*fill)(const struct region *region, const struct model_item *item,
                 const struct column *column, struct cell *ret_cell);
    /* In place of all columns but the first; NULL: never. False: not of this item. */
    bool (*replace)(const struct region *region, const struct model_item *item,
                    struct cell *ret_cell);
    /* Behind the columns, from column @begin on; NULL: nothing. */
    void (*put_rest)(const struct region *region, size_t line, size_t begin,
                     const struct model_item *item);
    /* Below the lines, where they tell nothing; NULL: where there are none. */
    const char *(*explain_empty)(const struct region *region);
    size_t least_lines;    /* of a list with the description of its statistic below; 0: has none */
    bool has_line_for_all; /* where there is more than one item */
};

extern const struct view vms_view;   /* and the objects of a VM */
extern const struct view vcpus_view; /* of all VMs */
extern const struct view stats_view;
extern const struct view buckets_view;
extern const struct view history_view;

/* A bar of @share of what is left of the line. */
void list_put_bar(const struct region *region, size_t line, size_t column, double share);

/* Whether the list has the line for all. */
bool list_has_line_for_all(const struct model *model);

/* Changes the region: its columns, and which lines are left to items. */
void list_draw(struct region *region);

/* The title of the column that the list is sorted by, if it is not to be seen; or NULL. */
const char *list_hidden_order(const struct region *region);

#endif
