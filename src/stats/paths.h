/* SPDX-License-Identifier: MIT */
/* Object paths, numbered from 0 in the order in which they were added, and found by their text. */
#ifndef STATS_PATHS_H
#define STATS_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct path_slot {
    uint32_t hash;
    uint32_t index;
    uint32_t round; /* the slot is empty unless this is the table's round */
};

struct path_table {
    const char **paths; /* borrowed */
    size_t count, paths_cap;
    size_t expected; /* behind count and up to here: paths of the time before, see paths_again() */
    struct path_slot *slots;
    size_t n_slots; /* a power of two */
    uint32_t round;
};

/* The index of @path, or -1. */
int64_t paths_find(const struct path_table *table, const char *path);

/* Adds a path that is not there; the text must live as long as the table. -ENOMEM. */
int paths_add(struct path_table *table, const char *path);

/*
 * Drops all but the first @n paths, for a time in which the others will most likely come again in the
 * same order. paths_add_expected() adds one that does, for the price of a comparison; for one that
 * does not it returns false, and paths_add() forgets the others. The texts must live on.
 */
void paths_again(struct path_table *table, size_t n);
bool paths_add_expected(struct path_table *table, const char *path);

void paths_reset(struct path_table *table); /* empty; the memory is kept */
void paths_free(struct path_table *table);

#endif
