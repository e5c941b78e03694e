/* SPDX-License-Identifier: MIT */
/* What the verbs that look print: tables for people, JSON and CSV for programs. */
#ifndef SHOW_OUTPUT_H
#define SHOW_OUTPUT_H

#include "vitals/stats.h"
#include "base/buf.h"

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

/* 0, or -EINVAL. */
int output_format_parse(const char *name, enum output_format *ret_format);

const char *output_type_name(const struct vitals_stat *stat);
const char *output_unit_name(const struct vitals_stat *stat);

/* Whether standard output is a terminal that has more than lines of text. */
bool output_takes_escapes(void);

/* ---- tables --------------------------------------------------------------------------------- */

struct table_column {
    const char *title;
    bool is_right;  /* numbers */
    bool is_hidden; /* left out, with its cells */
};

struct table {
    const struct table_column *columns;
    size_t n_columns;
    char **cells;
    size_t n_cells, cap;
};

/* Row by row; cells may be added to hidden columns, too. */
__attribute__((format(printf, 2, 3))) void table_cell(struct table *table, const char *format, ...);
void table_print(const struct table *table, bool with_legend);
void table_clear(struct table *table);

/* ---- CSV ------------------------------------------------------------------------------------ */

/* Each with the comma before it, unless it is the first of the line. */
void csv_text(struct buf *line, const char *text);
void csv_u64(struct buf *line, uint64_t value);
void csv_empty(struct buf *line);
void csv_end(struct buf *line); /* prints the line, and starts another */

#endif
