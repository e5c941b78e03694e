/* SPDX-License-Identifier: MIT */
/* What `vitals snap` and `vitals stats -o json` write, read back and checked. */
#ifndef LOOK_SNAPSHOT_FILE_H
#define LOOK_SNAPSHOT_FILE_H

#include "client/client.h"
#include "show/row.h"

enum {
    SNAPSHOT_FILE_MAX = 256 * 1024 * 1024,    /* bytes */
    SNAPSHOT_MEMORY_MAX = 1024 * 1024 * 1024, /* bytes of the file once it is parsed */
    SNAPSHOT_ERROR_MAX = 512,
};

#define SNAPSHOT_TIME_MAX 1e12 /* seconds since 1970 */

struct json_object;

struct snapshot_file {
    double time;              /* when the VMs were asked */
    struct row *rows;         /* with `totals`, and `time` if the file has it */
    struct row **by_identity; /* sorted, for snapshot_find() */
    bool *is_alone;           /* for each row: no other socket has a VM of this name */
    size_t n_rows;
    size_t n_values_max;       /* of any row */
    struct client_stat *stats; /* one for each row */
    uint64_t *values;
    struct json_object *json; /* holds the names */
};

/*
 * "-" is standard input. 0, or -1 with @error: a line that begins with the path, and maybe one that
 * says what to do.
 */
int snapshot_read(const char *path, struct snapshot_file *ret_snapshot,
                  char error[SNAPSHOT_ERROR_MAX]);

/* The same from memory; @name is for messages. */
int snapshot_parse(const char *name, const char *bytes, size_t len,
                   struct snapshot_file *ret_snapshot, char error[SNAPSHOT_ERROR_MAX]);

/* Also each statistic that is in both, by more than the rounding of their times. */
bool snapshot_is_later(const struct snapshot_file *snapshot, const struct snapshot_file *than);

/*
 * The row that says what @like says, of the same object and measured in the same way; NULL: none.
 * It is of the same socket. Only a VM that @is_alone with its name, in its own snapshot and in this
 * one, may have moved to another. Of several that are the same, which a VM that was asked twice
 * makes, it is the next from the place @expected on.
 */
const struct row *snapshot_find(const struct snapshot_file *snapshot, const struct row *like,
                                bool is_alone, size_t expected);

/*
 * What came to row @i of @after since @before, with its deltas in @deltas, which has room for as
 * many values as any row of @after has. False: the row is not in @before.
 */
bool snapshot_subtract(const struct snapshot_file *before, const struct snapshot_file *after,
                       size_t i, uint64_t *deltas, struct row *ret_row);

void snapshot_free(struct snapshot_file *snapshot);

#endif
