/* SPDX-License-Identifier: MIT */
/* Samples one below the other: a line for each object, or for each VM, and a column for each statistic. */
#ifndef SHOW_WIDE_OUTPUT_H
#define SHOW_WIDE_OUTPUT_H

#include "show/output.h"
#include "show/row_list.h"

struct wide_column;

struct wide_output {
    enum output_format format; /* a table, or CSV */
    bool has_legend;
    bool has_vm;   /* the table has a column for the VM */
    bool is_total; /* the rows are sums: a line for each VM */
    bool is_exact; /* the table has the time with parts of a second */
    /* below: its own */
    struct wide_column *columns;
    size_t n_columns, vm_width, object_width;
    bool any_output;
};

/*
 * Rows of one object come one behind the other. CSV has the columns of the first sample; a table has
 * a line of titles whenever there are others. Without memory the program ends.
 */
void wide_output_print(struct wide_output *output, double time, const struct row_list *rows);
void wide_output_free(struct wide_output *output);

#endif
