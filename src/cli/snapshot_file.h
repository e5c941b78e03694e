/* SPDX-License-Identifier: MIT */
/* What `vitals snap` and `vitals stats -o json` write, read back and checked. */
#ifndef CLI_SNAPSHOT_FILE_H
#define CLI_SNAPSHOT_FILE_H

#include "show/row.h"

enum {
    SNAPSHOT_FILE_MAX = 256 * 1024 * 1024, /* bytes */
    SNAPSHOT_ERROR_MAX = 256,
};

struct json_object;

struct snapshot {
    double time;
    struct row *rows; /* `totals` only */
    size_t n_rows;
    struct client_stat *stats; /* one for each row */
    uint64_t *values;
    struct json_object *json; /* holds the names */
};

/* "-" is standard input. 0, or -1 with a line in @error that begins with the path. */
int snapshot_read(const char *path, struct snapshot *ret_snapshot, char error[SNAPSHOT_ERROR_MAX]);
void snapshot_free(struct snapshot *snapshot);

#endif
