/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "show/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/width.h"
#include "qmp/stat_names.h"

/* ---- names ---------------------------------------------------------------------------------- */

const char *output_type_name(const struct vitals_stat *stat)
{
    return stat_type_name(VITALS_DIALECT_FLAT, stat->type);
}

const char *output_unit_name(const struct vitals_stat *stat)
{
    return stat_unit_name(VITALS_DIALECT_GROUPED, stat->unit);
}

bool output_takes_escapes(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* An error of what was printed before need not be one of this flush. */
bool output_flush(void)
{
    static bool has_complained;
    int err = ferror(stdout) ? errno : 0;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (!has_complained)
        fprintf(stderr, "vitals: standard output: %s\n", strerror(err ? err : errno));
    has_complained = true;
    return false;
}

/* ---- tables --------------------------------------------------------------------------------- */

void output_out_of_memory(void)
{
    fputs("vitals: out of memory\n", stderr);
    exit(EXIT_FAILURE);
}

void table_cell(struct table *table, const char *format, ...)
{
    va_list args;
    int n;

    if (table->n_cells == table->cap) {
        table->cap = table->cap ? 2 * table->cap : 256;
        table->cells = reallocarray(table->cells, table->cap, sizeof(*table->cells));
        if (!table->cells)
            output_out_of_memory();
    }
    va_start(args, format);
    n = vasprintf(&table->cells[table->n_cells], format, args);
    va_end(args);
    if (n < 0)
        output_out_of_memory();
    table->n_cells++;
}

static size_t column_width(const struct table *table, size_t column, bool with_legend)
{
    size_t width = with_legend ? width_of_line(table->columns[column].title) : 0;

    for (size_t i = column; i < table->n_cells; i += table->n_columns) {
        size_t columns = width_of_line(table->cells[i]);
        if (columns > width)
            width = columns;
    }
    return width;
}

/* Nothing is padded at the end of a line. */
static void print_row(const struct table *table, char *const *cells, const size_t *widths)
{
    size_t spaces = 0;

    for (size_t i = 0; i < table->n_columns; i++) {
        const char *text = cells ? cells[i] : table->columns[i].title;
        size_t pad = widths[i] - width_of_line(text);

        if (*text) {
            printf("%*s%s", (int)(spaces + (table->columns[i].is_right ? pad : 0)), "", text);
            spaces = 2 + (table->columns[i].is_right ? 0 : pad);
        } else {
            spaces += 2 + pad;
        }
    }
}

static bool has_colour(void)
{
    const char *no_colour = getenv("NO_COLOR");

    return output_takes_escapes() && !(no_colour && *no_colour);
}

void table_print(const struct table *table, bool with_legend)
{
    const char *bold = has_colour() ? "\033[1m" : "", *normal = has_colour() ? "\033[0m" : "";
    size_t *widths = calloc(table->n_columns, sizeof(*widths));

    if (!widths)
        output_out_of_memory();
    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = column_width(table, i, with_legend);
    if (with_legend) {
        fputs(bold, stdout);
        print_row(table, NULL, widths);
        printf("%s\n", normal);
    }
    for (size_t i = 0; i < table->n_cells; i += table->n_columns) {
        print_row(table, table->cells + i, widths);
        putchar('\n');
    }
    free(widths);
}

void table_clear(struct table *table)
{
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    table->cells = NULL;
    table->n_cells = table->cap = 0;
}
