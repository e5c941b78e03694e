/* SPDX-License-Identifier: MIT */
/* The rows of an output, kept until all have come: to add them up, to sort them, to leave some out. */
#ifndef SHOW_ROW_LIST_H
#define SHOW_ROW_LIST_H

#include "base/arena.h"
#include "show/row.h"

enum row_order { ROW_ORDER_GIVEN, ROW_ORDER_NAME, ROW_ORDER_VALUE };

struct row_list {
    struct row *rows;
    size_t n, cap;
    struct arena sums;
};

/* What the row points to must stay. Without memory the program ends. */
void row_list_add(struct row_list *list, const struct row *row);

/*
 * Leaves the sums: of the objects of each VM, and where there are several VMs, of all of them, with
 * `vm` NULL. `n_objects` says of how many. The sum of peaks is the highest. What was reset in one
 * object is reset.
 */
void row_list_add_up(struct row_list *list);

/* Leaves those that @is_wanted. */
void row_list_choose(struct row_list *list, bool (*is_wanted)(const struct row *row));

/*
 * By the name of the statistic, or with the largest values first. Only those of one unit can be
 * compared: counts come first, then times, then what else there is.
 */
void row_list_sort(struct row_list *list, enum row_order order);

/* Leaves the first @n; of what is sorted by value, the first @n of each unit. */
void row_list_cut(struct row_list *list, enum row_order order, size_t n);

void row_list_clear(struct row_list *list);
void row_list_free(struct row_list *list);

#endif
