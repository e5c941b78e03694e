/* SPDX-License-Identifier: MIT */
/* Between the files of openmetrics.h. */
#ifndef METRICS_INTERNAL_H
#define METRICS_INTERNAL_H

#include "base/arena.h"
#include "metrics/family.h"
#include "metrics/key_map.h"
#include "metrics/openmetrics.h"

#define NO_NUMBER UINT32_MAX

enum {
    METRICS_CHUNK = 64 * 1024, /* bytes after which the sink gets them */
    METRICS_PIECE = 32,        /* bytes that are copied at a time */
};

/* The value of one object: of a histogram it is borrowed, else copied, as objects are far apart. */
struct cell {
    union {
        uint64_t value;
        const uint64_t *buckets;
    };
    uint32_t object, n;
};

/* Where the values of a row go. */
struct layout {
    const struct vitals_stat *stats;
    const char *target;
    uint32_t n_stats;
    uint32_t first, n; /* in the parts of rows */
};

/* A statistic of a row, as far as its values are kept. */
struct row_part {
    uint32_t column, slot, count;
};

/* A bound of a histogram: values of the buckets before @bucket are below it. */
struct bound {
    size_t bucket, at, len; /* of its label, in the texts */
};

/* A statistic as one schema describes it; another schema may have it with another scale. */
struct column {
    const char *provider, *target;
    const struct vitals_stat *stat;
    struct cell *cells; /* by their objects */
    size_t n_cells, cap;
    size_t n_max;            /* of the values of a cell */
    uint32_t family;         /* NO_NUMBER: it has none, for @reason */
    uint32_t next_in_family; /* or NO_NUMBER */
    enum metrics_reason reason;
    uint32_t sum; /* of a histogram that is written: the column of its sums, or NO_NUMBER */
    bool is_histogram;
    bool is_wanted;
    bool is_left_out;     /* it has no cells: nobody will want them */
    struct bound *bounds; /* of a histogram, as far as they are exposed */
    size_t n_bounds;
};

struct family {
    char *name; /* and bytes for a piece behind it */
    enum family_kind kind;
    const char *unit;
    uint32_t first, last; /* columns */
    size_t n_series;      /* that are written */
    bool *cuts;           /* of each user: it is left out; NULL: nobody is */
};

struct object {
    uint32_t vm;
    const char *target, *path;
    int64_t number;
    size_t labels_at, labels_len; /* {vm="web1",vcpu="0" and behind it "} " */
    bool is_repeated;
};

/* One whose VMs share its part of the series. */
struct user {
    bool is_known;
    uint32_t uid;
    uint32_t seen; /* the last column that was found to have values of it, and 1 */
    size_t count, wanted, used;
    size_t dropped[METRICS_REASONS];
};

struct vm {
    struct metrics_vm given;
    uint32_t user;
    size_t label_at, label_len; /* vm="web1" */
};

struct collector {
    const char *name;
    uint64_t duration_ns;
};

struct metrics {
    struct vm *vms;
    size_t n_vms, cap_vms;
    struct user *users;
    size_t n_users, cap_users;
    struct object *objects;
    size_t n_objects, cap_objects;
    size_t n_repeated; /* of the objects, when they have labels */
    struct column *columns;
    size_t n_columns, cap_columns;
    size_t n_kept;   /* columns whose memory is there, in use or not */
    size_t n_joined; /* columns that have looked for their families */
    struct layout *layouts;
    size_t n_layouts, cap_layouts;
    struct row_part *parts; /* of all layouts */
    size_t n_parts, cap_parts;
    struct family *families;
    size_t n_families, cap_families;
    struct collector *collectors;
    size_t n_collectors, cap_collectors;
    struct key_map column_keys, layout_keys, names, labels_seen;
    struct key_map counters; /* columns by provider, target, name and unit */
    struct arena arena;
    struct buf key;   /* scratch */
    struct buf texts; /* labels */
    size_t line_len;  /* of the last exposition, on average */
    uint32_t last;    /* the column of the last value */
    metrics_wants wants;
    const void *wants_opaque;
    bool is_labelled;
    bool failed;
};

/*
 * Finds the families of all columns. Those of the kernel come first: no VMM can take a name of theirs. Of others
 * with one name that can't be one family, that which more users have, and then the one that came first.
 */
void metrics_join(struct metrics *metrics);

/* Whether a statistic is a VMM's own, and none of the kernel's. */
bool metrics_is_own(const struct column *column);

/* How many series each user may have, so that all together have @n: who wants less leaves the rest to others. */
size_t metrics_share(const struct metrics *metrics, size_t n);

/* Finds the column of the sums of a histogram, if there is one. */
void metrics_find_sum(struct metrics *metrics, struct column *column);

/* Finds the labels of all VMs and objects. */
void metrics_label(struct metrics *metrics);

/* A text of a stranger as the value of a label, with its quotes. */
void label_put_value(struct buf *out, const char *text);

struct writer {
    struct metrics *metrics;
    const struct metrics_form *form;
    const struct metrics_sink *sink;
    struct metrics_report report;
    struct buf out;
    size_t len_before; /* of the whole text */
    bool is_refused;   /* by the sink */
};

/* Gives what there is to the sink. */
void writer_flush(struct writer *to);

/* TYPE, UNIT and HELP. @unit: or NULL. */
void writer_put_head(struct writer *to, const char *name, enum family_kind kind, const char *unit,
                     const char *help);

/* What each VM is, and what is to be known of the exposition itself. */
void self_reserve_names(struct metrics *metrics);
size_t self_count(const struct writer *to);
size_t self_count_vms(const struct writer *to);
size_t self_count_users(const struct writer *to);
void self_put_vms(struct writer *to);
void self_put(struct writer *to);

#endif
