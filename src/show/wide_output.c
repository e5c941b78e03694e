/* SPDX-License-Identifier: MIT */
#include "show/wide_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/width.h"
#include "show/moment.h"
#include "show/record.h"
#include "stats/histogram.h"

enum { NUMBER_WIDTH = 8, OBJECT_WIDTH = 6, VM_WIDTH = 4 };

#define ALL_VMS "all"

/* Of a statistic. The texts are its own: a VM may be gone when the next sample comes. */
struct wide_column {
    char *target, *provider, *name, *title;
    size_t width;
};

/* ---- columns -------------------------------------------------------------------------------- */

static char *keep(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        output_out_of_memory();
    return copy;
}

static void set_title(struct wide_column *column, const char *title)
{
    free(column->title);
    column->title = keep(title);
    if (column->width < width_of_line(title))
        column->width = width_of_line(title);
}

/* "vm/kvm/exits", where others have the name, too. */
static void set_whole_title(struct wide_column *column)
{
    struct buf title = {0};

    buf_printf(&title, "%s/%s/%s", column->target, column->provider, column->name);
    buf_append(&title, "", 1);
    if (title.failed)
        output_out_of_memory();
    set_title(column, title.data);
    buf_free(&title);
}

static bool is_column(const struct wide_column *column, const struct row *row)
{
    return !strcmp(column->name, row->stat->name) && !strcmp(column->provider, row->provider) &&
           !strcmp(column->target, row->target);
}

/* @expected: where it is, mostly. Returns n_columns where there is none. */
static size_t find_column(const struct wide_output *output, const struct row *row, size_t expected)
{
    if (expected < output->n_columns && is_column(&output->columns[expected], row))
        return expected;
    for (size_t i = 0; i < output->n_columns; i++)
        if (is_column(&output->columns[i], row))
            return i;
    return output->n_columns;
}

static void add_column(struct wide_output *output, const struct row *row)
{
    struct wide_column *column;
    bool is_alone = true;

    output->columns =
        reallocarray(output->columns, output->n_columns + 1, sizeof(*output->columns));
    if (!output->columns)
        output_out_of_memory();
    column = &output->columns[output->n_columns++];
    *column = (struct wide_column){.target = keep(row->target),
                                   .provider = keep(row->provider),
                                   .name = keep(row->stat->name),
                                   .width = NUMBER_WIDTH};
    for (size_t i = 0; i + 1 < output->n_columns; i++) {
        if (strcmp(output->columns[i].name, column->name) != 0)
            continue;
        set_whole_title(&output->columns[i]);
        is_alone = false;
    }
    if (is_alone)
        set_title(column, column->name);
    else
        set_whole_title(column);
}

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

static const char *name_of_vm(const struct row *row)
{
    return row->vm ? row->vm : ALL_VMS;
}

/* Returns whether there are columns that were not there before. */
static bool add_columns(struct wide_output *output, const struct row_list *rows)
{
    size_t n_before = output->n_columns, column = 0;
    char object[QUANTITY_MAX];

    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->rows[i];

        column = find_column(output, row, column);
        if (column == output->n_columns)
            add_column(output, row);
        column++;
        output->vm_width = greater(output->vm_width, width_of_line(name_of_vm(row)));
        output->object_width =
            greater(output->object_width, width_of_line(row_object(object, row)));
    }
    return output->n_columns > n_before;
}

/* ---- a table -------------------------------------------------------------------------------- */

static void put_padded(struct buf *line, const char *text, size_t width, bool is_right)
{
    size_t columns = width_of_line(text);
    int pad = columns < width ? (int)(width - columns) : 0;

    buf_printf(line, "%s%*s%s%*s", line->len ? "  " : "", is_right ? pad : 0, "", text,
               is_right ? 0 : pad, "");
}

/* What stands before the statistics. */
static void put_head(struct wide_output *output, struct buf *line, const char *time, const char *vm,
                     const char *object)
{
    put_padded(line, time, strlen(output->is_exact ? "00:00:00.000" : "00:00:00"), false);
    if (output->has_vm)
        put_padded(line, vm, greater(output->vm_width, VM_WIDTH), false);
    if (!output->is_total)
        put_padded(line, object, greater(output->object_width, OBJECT_WIDTH), false);
}

static void print_line(struct buf *line)
{
    while (line->len && line->data[line->len - 1] == ' ')
        line->len--;
    buf_puts(line, "\n");
    if (line->failed)
        output_out_of_memory();
    fwrite(line->data, 1, line->len, stdout);
    buf_reset(line);
}

static void print_titles(struct wide_output *output, struct buf *line)
{
    put_head(output, line, "TIME", "VM", "OBJECT");
    for (size_t i = 0; i < output->n_columns; i++)
        put_padded(line, output->columns[i].title, output->columns[i].width, true);
    print_line(line);
}

/* @cells: the row of each column, or NULL. */
static void print_cells(struct wide_output *output, double time, const struct row *first,
                        const struct row *const *cells, struct buf *line)
{
    char clock[MOMENT_MAX], object[QUANTITY_MAX], number[2 * QUANTITY_MAX];

    put_head(output, line, moment_clock(clock, time, output->is_exact), name_of_vm(first),
             row_object(object, first));
    for (size_t i = 0; i < output->n_columns; i++) {
        if (cells[i])
            row_number(number, cells[i]);
        put_padded(line, cells[i] ? number : "-", output->columns[i].width, true);
    }
    print_line(line);
}

/* ---- CSV ------------------------------------------------------------------------------------ */

/* Of a histogram how many values it counts. */
static void put_value(struct record_writer *to, const char *title, const struct row *row)
{
    if (!row || row->is_reset)
        record_null(to, title, NULL);
    else if (row->deltas)
        record_number(to, title, NULL, "%.17g", row_rate(row));
    else
        record_u64(to, title, NULL, histogram_count(row->totals, row->n));
}

static void put_record(struct wide_output *output, struct record_writer *to, double time,
                       const struct row *first, const struct row *const *cells)
{
    record_begin(to);
    record_number(to, "time", NULL, "%.3f", time);
    record_text(to, "vm", NULL, first->vm);
    record_text(to, "socket", NULL, first->socket);
    if (!output->is_total) {
        record_text(to, "target", NULL, first->target);
        if (first->vcpu >= 0)
            record_i64(to, "vcpu", NULL, first->vcpu);
        else
            record_null(to, "vcpu", NULL);
        record_text(to, "path", NULL, first->path);
    }
    for (size_t i = 0; i < output->n_columns; i++)
        put_value(to, output->columns[i].title, cells[i]);
    record_end(to);
}

/* ---- a sample ------------------------------------------------------------------------------- */

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool is_in_line(const struct wide_output *output, const struct row *first,
                       const struct row *row)
{
    if (!is_same(first->vm, row->vm) || !is_same(first->socket, row->socket))
        return false;
    return output->is_total || is_same(first->path, row->path);
}

struct printing {
    struct wide_output *output;
    struct record_writer csv;
    struct buf line;
    double time;
    const struct row **cells;
};

static void print(struct printing *printing, const struct row *first)
{
    if (printing->output->format == OUTPUT_CSV)
        put_record(printing->output, &printing->csv, printing->time, first, printing->cells);
    else
        print_cells(printing->output, printing->time, first, printing->cells, &printing->line);
}

static void print_lines(struct printing *printing, const struct row_list *rows)
{
    struct wide_output *output = printing->output;
    const struct row *first = NULL;
    size_t column = 0;

    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->rows[i];

        if (first && !is_in_line(output, first, row)) {
            print(printing, first);
            memset(printing->cells, 0, output->n_columns * sizeof(*printing->cells));
            first = NULL;
        }
        first = first ? first : row;
        column = find_column(output, row, column);
        if (column < output->n_columns)
            printing->cells[column++] = row;
    }
    if (first)
        print(printing, first);
}

void wide_output_print(struct wide_output *output, double time, const struct row_list *rows)
{
    struct printing printing = {
        .output = output,
        .csv = {.format = OUTPUT_CSV,
                .has_legend = output->has_legend,
                .has_titles = output->any_output},
        .time = time,
    };
    bool is_fixed = output->format == OUTPUT_CSV && output->any_output;
    bool is_new = !is_fixed && add_columns(output, rows);

    printing.cells = calloc(output->n_columns + 1, sizeof(*printing.cells));
    if (!printing.cells)
        output_out_of_memory();
    if (output->format == OUTPUT_TABLE && output->has_legend && is_new)
        print_titles(output, &printing.line);
    print_lines(&printing, rows);
    output->any_output = true;
    record_free(&printing.csv);
    buf_free(&printing.line);
    free(printing.cells);
}

void wide_output_free(struct wide_output *output)
{
    for (size_t i = 0; i < output->n_columns; i++) {
        free(output->columns[i].target);
        free(output->columns[i].provider);
        free(output->columns[i].name);
        free(output->columns[i].title);
    }
    free(output->columns);
}
