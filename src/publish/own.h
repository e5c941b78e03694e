/* SPDX-License-Identifier: MIT */
/*
 * The VMM's own statistics: what groups of the context give is written to memory files, once in a
 * while, and the daemon is told what is where. It reads them whenever somebody asks.
 */
#ifndef PUBLISH_OWN_H
#define PUBLISH_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/collect.h"

enum { OWN_ROWS_MAX = 1024, OWN_HELP_MAX = 255 }; /* a daemon's limits */

struct own_row {
    char *path; /* NULL: of the VM */
    uint64_t row, sequence;
    bool is_told, is_refused, is_seen;
};

/* What groups with one description give. */
struct own_table {
    struct stats_schema *schema;
    uint32_t n_numbers; /* of a row */
    uint64_t *numbers;  /* of the row that is being written */
    int fd;
    bool is_told, is_refused, is_seen;
    struct own_row *rows; /* in the order in which they came */
    size_t n, expected;   /* the one after the last that was found */
    bool is_used[OWN_ROWS_MAX];
};

struct own {
    struct own_table **tables;
    size_t n;
    struct stats_collection collection;
    uint64_t due_ns;   /* when it is to be done again; 0: as soon as there are groups */
    uint64_t retry_ns; /* when what was refused is told again; 0: nothing was */
};

struct publication;

void own_free(struct own *own); /* leaves one that has told nothing */

/* Whether the context has such groups, so that it is to be called again when it is due. */
bool own_has_groups(struct publication *publication);

/* Writes all rows, and tells what is new and what has gone. -errno: the connection is of no use. */
int own_update(struct publication *publication);

#endif
