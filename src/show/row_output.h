/* SPDX-License-Identifier: MIT */
/* Rows on standard output: as a table, as JSON or as CSV. */
#ifndef SHOW_ROW_OUTPUT_H
#define SHOW_ROW_OUTPUT_H

#include "show/record.h"
#include "show/row.h"

enum { ROW_TEXT_MAX = 3 * QUANTITY_MAX };

/* A VM that has not answered. */
struct row_absent {
    const char *vm, *socket;
    const char *reason;
    double since; /* when it had been asked, seconds since 1970 */
};

struct row_output {
    struct record_writer to;
    size_t n_absent;   /* in this output */
    struct buf absent; /* a table has them below */
    bool has_vm;       /* the table has a column for the VM */
    bool is_rates;     /* CSV has columns for them */
    bool has_before;   /* and for the value before */
    bool has_objects;  /* rows are sums: of how many objects */
    bool has_clock;    /* the table has a line that says when it was, */
    bool is_exact;     /* with parts of a second */
    double since;      /* of what came: the time before, in the same; 0: none, */
    double seconds;    /* and how long ago it was */
    /* Of the table, its title and its text; NULL: VALUE, row_number(). */
    const char *value_title;
    void (*value_text)(char text[ROW_TEXT_MAX], const struct row *row);
    /* Of JSON, between the time and the rows; or NULL. */
    void (*put_head)(void *opaque, struct record_writer *to);
    void *opaque;
    /* below: its own */
    bool any_output;
    double time;
    size_t n_rows;
};

/* @time: of the sample, seconds since 1970. */
void row_output_begin(struct row_output *output, double time);
void row_output_add(struct row_output *output, const struct row *row);
/* Behind all rows. */
void row_output_add_absent(struct row_output *output, const struct row_absent *absent);
void row_output_end(struct row_output *output);
void row_output_free(struct row_output *output);

/*
 * For other records: all that says which statistic of which object it is, time to exponent.
 * @has_vm: in a table, too.
 */
void row_put_identity(struct record_writer *to, double time, const struct row *row, bool has_vm);

/* CSV only, behind all other fields: whose VM it is. JSON has a list of VMs for it. */
void row_put_origin(struct record_writer *to, const struct row *row);

/* One of which only the titles count. */
extern const struct row row_blank;

/* A record of JSON, in a list of its own; CSV has none. */
void row_put_absent(struct record_writer *to, const struct row_absent *absent, bool is_first);

/* A line for a person: "web3: no reply to query-stats within 5 s, since 10:42:31". */
void row_absent_text(struct buf *out, const struct row_absent *absent);

#endif
