/* SPDX-License-Identifier: MIT */
/* Rows on standard output: as a table, as JSON or as CSV. */
#ifndef SHOW_ROW_OUTPUT_H
#define SHOW_ROW_OUTPUT_H

#include "show/output.h"
#include "show/row.h"

struct row_output {
    enum output_format format;
    bool has_legend, has_vm; /* of the table: a line of titles, a column for the VM */
    bool is_rates;           /* CSV has columns for them */
    bool has_before;         /* and for the value before */
    /* below: its own */
    bool any_output;
    double time;
    size_t n_rows;
    struct table table;
    struct buf text;
};

/* @time: of the sample, seconds since 1970. */
void row_output_begin(struct row_output *output, double time);
void row_output_add(struct row_output *output, const struct row *row);
void row_output_end(struct row_output *output);
void row_output_free(struct row_output *output);

/* For other forms of output: all that says which statistic of which object it is. */
void row_put_json_identity(struct buf *out, const struct row *row); /* ends in ", " */
void row_put_csv_identity(struct buf *line, double time,
                          const struct row *row); /* time to exponent */

#endif
