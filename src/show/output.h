/* SPDX-License-Identifier: MIT */
/* What the verbs that look print: tables for people, JSON and CSV for programs. */
#ifndef SHOW_OUTPUT_H
#define SHOW_OUTPUT_H

#include "vitals/stats.h"
#include "base/buf.h"

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

const char *output_type_name(const struct vitals_stat *stat);
const char *output_unit_name(const struct vitals_stat *stat);

/* Whether standard output is a terminal that has more than lines of text. */
bool output_takes_escapes(void);

/* False: what was printed did not get where it should, which has been said, once. */
bool output_flush(void);

/* Says so and ends the program: half an output is none. */
__attribute__((noreturn)) void output_out_of_memory(void);

/* ---- tables --------------------------------------------------------------------------------- */

struct table_column {
    const char *title;
    bool is_right; /* numbers */
};

struct table {
    const struct table_column *columns;
    size_t n_columns;
    char **cells;
    size_t n_cells, cap;
};

/* Row by row. */
__attribute__((format(printf, 2, 3))) void table_cell(struct table *table, const char *format, ...);
void table_print(const struct table *table, bool with_legend);
void table_clear(struct table *table);

#endif
