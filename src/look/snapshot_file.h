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
    SNAPSHOT_WRITER_MS = 10 * 1000, /* for somebody to write to a pipe that has a name */
};

#define SNAPSHOT_TIME_MAX 1e12 /* seconds since 1970 */

struct json_object;

/* The thread of a vCPU, and when it began: no other thread of one boot has both. */
struct snapshot_thread {
    const char *path; /* of the vCPU */
    int64_t thread;
    uint64_t start;
};

struct snapshot_vm {
    const char *name, *socket;
    struct client_origin origin;
    int64_t process; /* 0: not known */
    uint64_t process_start;
    struct snapshot_thread *threads; /* those that are known, by their paths */
    size_t n_threads;
};

struct snapshot_file {
    double time;              /* when the VMs were asked */
    struct row *rows;         /* with `totals`, and `time` if the file has it */
    struct row **by_identity; /* sorted, for snapshot_find() */
    bool *is_alone;           /* for each row: no other socket has a VM of this name */
    size_t n_rows;
    size_t n_values_max;       /* of any row */
    struct client_stat *stats; /* one for each row */
    uint64_t *values;
    const char *host, *boot_id; /* where it was taken; NULL: not known */
    bool has_boot_time;
    double boot_time;        /* when the host started, by its clock of then */
    struct snapshot_vm *vms; /* sorted by snapshot_compare_vms(); older files have none */
    size_t n_vms;
    struct snapshot_thread *threads;
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

/* How long @after came behind @before; that a clock was set meanwhile does not count. */
double snapshot_seconds(const struct snapshot_file *before, const struct snapshot_file *after);

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
 * many values as any row of @after has. @is_reset: it counts from 0 since then, as
 * snapshot_find_resets() says. False: the row is not in @before.
 */
bool snapshot_subtract(const struct snapshot_file *before, const struct snapshot_file *after,
                       size_t i, bool is_reset, uint64_t *deltas, struct row *ret_row);

/* The order of VMs. */
int snapshot_compare_vms(const char *name, const char *socket, const char *other_name,
                         const char *other_socket);

/* Seconds since 1970. False also for what is no number. */
bool snapshot_read_time(struct json_object *json, double *ret_time);

/* Of a row or a VM; empty: it has none. NULL: it is wrong. */
const char *snapshot_read_socket(struct json_object *object);

void snapshot_free(struct snapshot_file *snapshot);

#endif
