/* SPDX-License-Identifier: MIT */
#include "show/row_output.h"

#include <stdio.h>

#include "stats/histogram.h"
#include "base/json_write.h"
#include "show/histogram_text.h"
#include "base/count.h"

/* ---- table ---------------------------------------------------------------------------------- */

static const struct table_column columns_with_vm[] = {
    {.title = "VM"},
    {.title = "OBJECT"},
    {.title = "PROVIDER"},
    {.title = "STAT"},
    {.title = "VALUE", .is_right = true},
    {.title = "DISTRIBUTION"},
};

static void add_to_table(struct row_output *output, const struct row *row)
{
    char object[QUANTITY_MAX], number[2 * QUANTITY_MAX];
    struct buf distribution = {0};

    if (histogram_is(row->stat) && !row->is_reset)
        histogram_text_put_percentiles(&distribution, row->stat, row_values(row), row->n);
    row_number(number, row);
    if (output->has_vm)
        table_cell(&output->table, "%s", row->vm);
    table_cell(&output->table, "%s", row_object(object, row));
    table_cell(&output->table, "%s", row->provider);
    table_cell(&output->table, "%s", row->stat->name);
    table_cell(&output->table, "%s", number);
    table_cell(&output->table, "%.*s", (int)distribution.len,
               distribution.len ? distribution.data : "");
    buf_free(&distribution);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void put_string(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\": ", name);
    if (text)
        json_put_string(out, text);
    else
        buf_puts(out, "null");
    buf_puts(out, ", ");
}

void row_put_json_identity(struct buf *out, const struct row *row)
{
    put_string(out, "vm", row->vm);
    put_string(out, "socket", row->socket);
    put_string(out, "target", row->target);
    if (row->vcpu >= 0)
        buf_printf(out, "\"vcpu\": %lld, ", (long long)row->vcpu);
    else
        buf_puts(out, "\"vcpu\": null, ");
    put_string(out, "path", row->path);
    put_string(out, "provider", row->provider);
    put_string(out, "name", row->stat->name);
    put_string(out, "type", output_type_name(row->stat));
    put_string(out, "unit", output_unit_name(row->stat));
    buf_printf(out, "\"base\": %u, \"exponent\": %d, ", row->stat->base, row->stat->exponent);
    if (row->stat->type == VITALS_LINEAR_HIST)
        buf_printf(out, "\"bucket_size\": %u, ", row->stat->bucket_size);
}

/* "value", or "values" and a list. */
static void put_values(struct buf *out, const char *name, const struct row *row,
                       const uint64_t *values)
{
    if (!histogram_is(row->stat)) {
        buf_printf(out, "\"%s\": ", name);
        json_put_u64(out, values[0]);
        return;
    }
    buf_printf(out, "\"%ss\": [", name);
    for (size_t i = 0; i < row->n; i++) {
        buf_puts(out, i ? ", " : "");
        json_put_u64(out, values[i]);
    }
    buf_puts(out, "]");
}

static void add_to_json(struct row_output *output, const struct row *row)
{
    struct buf *out = &output->text;

    buf_puts(out, output->n_rows ? ", {" : "{");
    row_put_json_identity(out, row);
    if (row->time > 0)
        buf_printf(out, "\"reply_time\": %.6f, ", row->time);
    put_values(out, "value", row, row->totals);
    if (row->before) {
        buf_puts(out, ", ");
        put_values(out, "before", row, row->before);
    }
    if (row->deltas || row->is_reset)
        buf_printf(out, ", \"seconds\": %.6f, \"reset\": %s", row->seconds,
                   row->is_reset ? "true" : "false");
    if (row->deltas) {
        buf_puts(out, ", ");
        put_values(out, "delta", row, row->deltas);
        buf_printf(out, ", \"rate\": %.17g", row_rate(row));
    }
    buf_puts(out, "}");
}

/* ---- CSV ------------------------------------------------------------------------------------ */

static const char *const csv_titles[] = {"time", "vm",       "socket",      "target", "vcpu",
                                         "path", "provider", "name",        "type",   "unit",
                                         "base", "exponent", "bucket_size", "bucket", "value"};
static const char *const csv_rate_titles[] = {"seconds", "reset", "delta", "rate"};

void row_put_csv_identity(struct buf *line, double time, const struct row *row)
{
    buf_printf(line, "%.3f", time);
    csv_text(line, row->vm);
    csv_text(line, row->socket);
    csv_text(line, row->target);
    if (row->vcpu >= 0)
        csv_u64(line, (uint64_t)row->vcpu);
    else
        csv_empty(line);
    if (row->path)
        csv_text(line, row->path);
    else
        csv_empty(line);
    csv_text(line, row->provider);
    csv_text(line, row->stat->name);
    csv_text(line, output_type_name(row->stat));
    csv_text(line, output_unit_name(row->stat));
    csv_u64(line, row->stat->base);
    buf_printf(line, ",%d", row->stat->exponent);
    if (row->stat->type == VITALS_LINEAR_HIST)
        csv_u64(line, row->stat->bucket_size);
    else
        csv_empty(line);
}

static void put_csv_rate(struct buf *line, const struct row *row, size_t i)
{
    if (!row->deltas && !row->is_reset) {
        buf_puts(line, ",,,,");
        return;
    }
    buf_printf(line, ",%.6f,%d,", row->seconds, row->is_reset);
    if (row->is_reset)
        buf_puts(line, ",");
    else
        buf_printf(line, "%llu,%.17g", (unsigned long long)row->deltas[i],
                   (double)row->deltas[i] / row->seconds);
}

static void add_to_csv(struct row_output *output, const struct row *row)
{
    struct buf *line = &output->text;

    for (size_t i = 0; i < row->n; i++) {
        row_put_csv_identity(line, output->time, row);
        if (histogram_is(row->stat))
            csv_u64(line, histogram_lower_bound(row->stat, i));
        else
            csv_empty(line);
        csv_u64(line, row->totals[i]);
        if (output->is_rates)
            put_csv_rate(line, row, i);
        if (output->has_before)
            csv_u64(line, row->before[i]);
        csv_end(line);
    }
}

static void print_csv_titles(struct row_output *output)
{
    for (size_t i = 0; i < COUNT(csv_titles); i++)
        csv_text(&output->text, csv_titles[i]);
    for (size_t i = 0; output->is_rates && i < COUNT(csv_rate_titles); i++)
        csv_text(&output->text, csv_rate_titles[i]);
    if (output->has_before)
        csv_text(&output->text, "before");
    csv_end(&output->text);
}

/* ---- one output ----------------------------------------------------------------------------- */

void row_output_begin(struct row_output *output, double time)
{
    size_t skipped = output->has_vm ? 0 : 1;

    output->n_rows = 0;
    output->time = time;
    output->table.columns = columns_with_vm + skipped;
    output->table.n_columns = COUNT(columns_with_vm) - skipped;
    if (output->format == OUTPUT_JSON)
        buf_printf(&output->text, "{\"schema_version\": 1, \"time\": %.3f, \"stats\": [", time);
    if (output->format == OUTPUT_CSV && !output->any_output && output->has_legend)
        print_csv_titles(output);
    if (output->format == OUTPUT_TABLE && output->any_output)
        putchar('\n');
    output->any_output = true;
}

void row_output_add(struct row_output *output, const struct row *row)
{
    switch (output->format) {
    case OUTPUT_TABLE:
        add_to_table(output, row);
        break;
    case OUTPUT_JSON:
        add_to_json(output, row);
        break;
    case OUTPUT_CSV:
        add_to_csv(output, row);
        break;
    }
    output->n_rows++;
}

void row_output_end(struct row_output *output)
{
    if (output->format == OUTPUT_TABLE)
        table_print(&output->table, output->has_legend);
    table_clear(&output->table);
    if (output->format == OUTPUT_JSON) {
        buf_puts(&output->text, "]}");
        csv_end(&output->text);
    }
}

void row_output_free(struct row_output *output)
{
    table_clear(&output->table);
    buf_free(&output->text);
}
