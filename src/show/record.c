/* SPDX-License-Identifier: MIT */
#include "show/record.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"

/* ---- CSV ------------------------------------------------------------------------------------ */

/* Quoted where RFC 4180 wants it. */
static void put_csv_text(struct buf *line, const char *text)
{
    if (!strpbrk(text, ",\"\r\n") && *text) {
        buf_puts(line, text);
        return;
    }
    buf_puts(line, "\"");
    for (; *text; text++) {
        if (*text == '"')
            buf_puts(line, "\"");
        buf_append(line, text, 1);
    }
    buf_puts(line, "\"");
}

static void print_line(struct buf *line)
{
    buf_puts(line, "\n");
    if (line->failed)
        output_out_of_memory();
    fwrite(line->data, 1, line->len, stdout);
    buf_reset(line);
}

/* ---- one field ------------------------------------------------------------------------------ */

static void add_column(struct record_writer *to, const char *title, bool is_right)
{
    to->columns = reallocarray(to->columns, to->n_fields + 1, sizeof(*to->columns));
    if (!to->columns)
        output_out_of_memory();
    to->columns[to->n_fields] = (struct table_column){.title = title, .is_right = is_right};
}

static bool begin_cell(struct record_writer *to, const char *title, bool is_right)
{
    if (!title || !to->is_in_record)
        return false;
    if (!to->has_titles)
        add_column(to, title, is_right);
    to->n_fields++;
    return !to->is_blank;
}

static bool begin_csv_value(struct record_writer *to, const char *name)
{
    if (!name || !to->is_in_record)
        return false;
    if (!to->has_titles)
        buf_puts(&to->titles, to->n_fields ? "," : "");
    if (!to->has_titles)
        put_csv_text(&to->titles, name);
    if (to->n_fields++ && !to->is_blank)
        buf_append(&to->text, ",", 1);
    return !to->is_blank;
}

static bool begin_member(struct record_writer *to, const char *name)
{
    if (!name)
        return false;
    if (to->has_comma)
        buf_append(&to->text, ", \"", 3);
    else
        buf_append(&to->text, "\"", 1);
    buf_puts(&to->text, name);
    buf_append(&to->text, "\": ", 3);
    to->has_comma = true;
    return true;
}

/* False: the field is not for this form, or not to be written. */
static bool begin_field(struct record_writer *to, const char *name, const char *title,
                        bool is_right)
{
    switch (to->format) {
    case OUTPUT_TABLE:
        return begin_cell(to, title, is_right);
    case OUTPUT_JSON:
        return begin_member(to, name);
    case OUTPUT_CSV:
        return begin_csv_value(to, name);
    }
    return false;
}

/* ---- fields --------------------------------------------------------------------------------- */

void record_text(struct record_writer *to, const char *name, const char *title, const char *text)
{
    if (!text) {
        record_null(to, name, title);
        return;
    }
    if (!begin_field(to, name, title, false))
        return;
    if (to->format == OUTPUT_TABLE)
        table_cell(&to->table, "%s", text);
    else if (to->format == OUTPUT_JSON)
        json_put_string(&to->text, text);
    else
        put_csv_text(&to->text, text);
}

void record_u64(struct record_writer *to, const char *name, const char *title, uint64_t value)
{
    if (!begin_field(to, name, title, true))
        return;
    if (to->format == OUTPUT_TABLE)
        table_cell(&to->table, "%llu", (unsigned long long)value);
    else
        json_put_u64(&to->text, value);
}

void record_i64(struct record_writer *to, const char *name, const char *title, int64_t value)
{
    if (!begin_field(to, name, title, true))
        return;
    if (to->format == OUTPUT_TABLE)
        table_cell(&to->table, "%lld", (long long)value);
    else
        json_put_i64(&to->text, value);
}

void record_bool(struct record_writer *to, const char *name, const char *title, bool value)
{
    if (!begin_field(to, name, title, false))
        return;
    if (to->format == OUTPUT_TABLE)
        table_cell(&to->table, "%s", value ? "yes" : "no");
    else if (to->format == OUTPUT_JSON)
        buf_puts(&to->text, value ? "true" : "false");
    else
        buf_puts(&to->text, value ? "1" : "0");
}

void record_number(struct record_writer *to, const char *name, const char *title,
                   const char *format, ...)
{
    char text[64];
    va_list args;

    if (!begin_field(to, name, title, true))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (to->format == OUTPUT_TABLE)
        table_cell(&to->table, "%s", text);
    else
        buf_puts(&to->text, text);
}

void record_null(struct record_writer *to, const char *name, const char *title)
{
    if (!begin_field(to, name, title, false))
        return;
    if (to->format == OUTPUT_TABLE)
        table_cell(&to->table, "%s", "");
    else if (to->format == OUTPUT_JSON)
        buf_puts(&to->text, "null");
}

void record_absent(struct record_writer *to, const char *name, const char *title)
{
    if (to->format != OUTPUT_JSON)
        record_null(to, name, title);
}

void record_values(struct record_writer *to, const char *name, const uint64_t *values, size_t n)
{
    if (to->format != OUTPUT_JSON || !begin_field(to, name, NULL, false))
        return;
    buf_puts(&to->text, "[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&to->text, i ? ", " : "");
        json_put_u64(&to->text, values[i]);
    }
    buf_puts(&to->text, "]");
}

void record_quantity(struct record_writer *to, const char *title, const char *text)
{
    if (begin_field(to, NULL, title, true))
        table_cell(&to->table, "%s", text);
}

void record_stat(struct record_writer *to, const struct vitals_stat *stat, const char *type_title)
{
    record_text(to, "type", type_title, stat ? output_type_name(stat) : NULL);
    record_text(to, "unit", NULL, stat ? output_unit_name(stat) : NULL);
    if (stat) {
        record_u64(to, "base", NULL, stat->base);
        record_i64(to, "exponent", NULL, stat->exponent);
    } else {
        record_null(to, "base", NULL);
        record_null(to, "exponent", NULL);
    }
    if (stat && stat->type == VITALS_LINEAR_HIST)
        record_u64(to, "bucket_size", NULL, stat->bucket_size);
    else
        record_absent(to, "bucket_size", NULL);
}

/* ---- records -------------------------------------------------------------------------------- */

void record_begin(struct record_writer *to)
{
    to->is_in_record = true;
    to->n_fields = 0;
    if (to->format == OUTPUT_JSON) {
        buf_puts(&to->text, to->has_comma ? ", {" : "{");
        to->has_comma = false;
    }
}

bool record_begin_blank(struct record_writer *to)
{
    if (to->format == OUTPUT_JSON || to->has_titles)
        return false;
    to->is_blank = true;
    record_begin(to);
    return true;
}

static void end_line(struct record_writer *to)
{
    if (!to->has_titles && to->has_legend)
        print_line(&to->titles);
    if (!to->is_blank)
        print_line(&to->text);
}

void record_end(struct record_writer *to)
{
    if (to->format == OUTPUT_JSON)
        buf_puts(&to->text, "}");
    else if (to->format == OUTPUT_CSV)
        end_line(to);
    else if (to->format == OUTPUT_TABLE && !to->has_titles)
        to->table.n_columns = to->n_fields;
    to->has_comma = true;
    to->has_titles = true;
    to->is_in_record = to->is_blank = false;
}

void record_list(struct record_writer *to, const char *name)
{
    if (to->format != OUTPUT_JSON || !begin_member(to, name))
        return;
    buf_puts(&to->text, "[");
    to->has_comma = false;
    to->n_lists++;
}

void record_list_end(struct record_writer *to)
{
    if (to->format != OUTPUT_JSON || !to->n_lists)
        return;
    buf_puts(&to->text, "]");
    to->has_comma = true;
    to->n_lists--;
}

/* ---- outputs -------------------------------------------------------------------------------- */

void record_open(struct record_writer *to)
{
    if (to->format == OUTPUT_JSON) {
        buf_puts(&to->text, "{\"schema_version\": 1");
        to->has_comma = true;
    }
}

void record_close(struct record_writer *to)
{
    if (to->format == OUTPUT_TABLE && to->has_titles) {
        to->table.columns = to->columns;
        table_print(&to->table, to->has_legend);
        table_clear(&to->table);
    } else if (to->format == OUTPUT_JSON) {
        record_list_end(to);
        buf_puts(&to->text, "}");
        print_line(&to->text);
    }
}

void record_free(struct record_writer *to)
{
    table_clear(&to->table);
    free(to->columns);
    to->columns = NULL;
    buf_free(&to->titles);
    buf_free(&to->text);
}
