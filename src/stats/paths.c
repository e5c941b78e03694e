/* SPDX-License-Identifier: MIT */
#include "stats/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PATHS_MIN = 16 };

/*
 * FNV-1a. The paths in a table come from the VMM; a client can only look them up, so it can't make
 * a chain longer than the VMM's own paths do.
 */
static uint32_t hash_path(const char *path)
{
    uint32_t hash = 2166136261u;

    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * 16777619u;
    return hash;
}

static struct path_slot *find_slot(const struct path_table *table, const char *path, uint32_t hash)
{
    size_t i = hash & (table->n_slots - 1);

    for (;; i = (i + 1) & (table->n_slots - 1)) {
        struct path_slot *slot = &table->slots[i];

        if (slot->round != table->round)
            return slot;
        if (slot->hash == hash && !strcmp(table->paths[slot->index], path))
            return slot;
    }
}

int64_t paths_find(const struct path_table *table, const char *path)
{
    const struct path_slot *slot;

    if (!table->count)
        return -1;
    slot = find_slot(table, path, hash_path(path));
    if (slot->round != table->round || slot->index >= table->count)
        return -1;
    return slot->index;
}

static void enter(struct path_table *table, uint32_t index)
{
    uint32_t hash = hash_path(table->paths[index]);

    *find_slot(table, table->paths[index], hash) =
        (struct path_slot){.hash = hash, .index = index, .round = table->round};
}

/* At most half of the slots are in use, so that a search always ends at an empty one. */
static int grow_slots(struct path_table *table)
{
    size_t n = table->n_slots ? table->n_slots * 2 : 2 * PATHS_MIN;
    struct path_slot *old = table->slots, *slots = calloc(n, sizeof(*slots));
    size_t i;

    if (!slots)
        return -ENOMEM;
    table->slots = slots;
    table->n_slots = n;
    table->round = 1;
    for (i = 0; i < table->count; i++)
        enter(table, (uint32_t)i);
    free(old);
    return 0;
}

static int grow_paths(struct path_table *table)
{
    size_t cap = table->paths_cap ? table->paths_cap * 2 : PATHS_MIN;
    const char **paths = realloc(table->paths, cap * sizeof(*paths));

    if (!paths)
        return -ENOMEM;
    table->paths = paths;
    table->paths_cap = cap;
    return 0;
}

static void start_round(struct path_table *table)
{
    if (++table->round) /* 0 after 2^32 rounds: old slots would count as used again */
        return;
    if (table->n_slots)
        memset(table->slots, 0, table->n_slots * sizeof(*table->slots));
    table->round = 1;
}

static void forget_expected(struct path_table *table)
{
    size_t i;

    if (table->expected == table->count)
        return;
    table->expected = table->count;
    start_round(table);
    for (i = 0; i < table->count; i++)
        enter(table, (uint32_t)i);
}

int paths_add(struct path_table *table, const char *path)
{
    forget_expected(table);
    if (table->count == table->paths_cap && grow_paths(table))
        return -ENOMEM;
    if (table->count * 2 >= table->n_slots && grow_slots(table))
        return -ENOMEM;
    table->paths[table->count] = path;
    enter(table, (uint32_t)table->count);
    table->expected = ++table->count;
    return 0;
}

void paths_again(struct path_table *table, size_t n)
{
    table->count = n;
}

bool paths_add_expected(struct path_table *table, const char *path)
{
    if (table->count >= table->expected || strcmp(table->paths[table->count], path))
        return false;
    table->count++;
    return true;
}

void paths_reset(struct path_table *table)
{
    table->count = table->expected = 0;
    start_round(table);
}

void paths_free(struct path_table *table)
{
    free(table->paths);
    free(table->slots);
    *table = (struct path_table){0};
}
