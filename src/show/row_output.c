/* SPDX-License-Identifier: MIT */
#include "show/row_output.h"

#include <stdio.h>
#include <time.h>

#include "show/histogram_text.h"
#include "show/moment.h"
#include "show/origin.h"
#include "stats/histogram.h"

static const struct vitals_stat blank_stat = {.name = "", .base = 10, .count = 1};

const struct row row_blank = {
    .vm = "",
    .socket = "",
    .target = "",
    .provider = "",
    .vcpu = -1,
    .stat = &blank_stat,
    .totals = (const uint64_t[]){0},
    .before = (const uint64_t[]){0},
    .n = 1,
};

/* ---- which statistic of which object -------------------------------------------------------- */

void row_put_identity(struct record_writer *to, double time, const struct row *row, bool has_vm)
{
    char object[QUANTITY_MAX];

    if (to->format == OUTPUT_CSV)
        record_number(to, "time", NULL, "%.3f", time);
    record_text(to, "vm", NULL, row->vm);
    record_text(to, NULL, has_vm ? "VM" : NULL, row->vm ? row->vm : "all");
    record_text(to, "socket", NULL, row->socket && *row->socket ? row->socket : NULL);
    record_text(to, "target", NULL, row->target);
    if (row->vcpu >= 0)
        record_i64(to, "vcpu", NULL, row->vcpu);
    else
        record_null(to, "vcpu", NULL);
    record_text(to, "path", NULL, row->path);
    record_text(to, NULL, "OBJECT", row_object(object, row));
    record_text(to, "provider", "PROVIDER", row->provider);
    record_text(to, "name", "STAT", row->stat->name);
    record_stat(to, row->stat, NULL);
}

void row_put_origin(struct record_writer *to, const struct row *row)
{
    if (to->format == OUTPUT_CSV)
        origin_put(to, row->origin, false);
}

/* ---- its values ----------------------------------------------------------------------------- */

static void put_text(struct row_output *output, const struct row *row)
{
    char number[ROW_TEXT_MAX];
    struct buf distribution = {0};

    if (output->value_text)
        output->value_text(number, row);
    else
        row_number(number, row);
    record_quantity(&output->to, output->value_title ? output->value_title : "VALUE", number);
    if (histogram_is(row->stat) && !row->is_reset)
        histogram_text_put_short_percentiles(&distribution, row->stat, row_values(row), row->n);
    buf_append(&distribution, "", 1);
    record_text(&output->to, NULL, "DISTRIBUTION", distribution.failed ? "" : distribution.data);
    buf_free(&distribution);
}

/* Value @i, or in JSON all of a histogram as @names. NULL: there are none. */
static void put_value(struct record_writer *to, const char *name, const char *names,
                      const struct row *row, const uint64_t *values, size_t i)
{
    if (!values)
        record_absent(to, name, NULL);
    else if (to->format == OUTPUT_JSON && histogram_is(row->stat))
        record_values(to, names, values, row->n);
    else
        record_u64(to, name, NULL, values[i]);
}

static void put_rate(struct record_writer *to, const struct row *row, size_t i)
{
    if (row->deltas || row->is_reset) {
        record_number(to, "seconds", NULL, "%.6f", row->seconds);
        record_bool(to, "reset", NULL, row->is_reset);
    } else {
        record_absent(to, "seconds", NULL);
        record_absent(to, "reset", NULL);
    }
    put_value(to, "delta", "deltas", row, row->deltas, i);
    if (!row->deltas)
        record_absent(to, "rate", NULL);
    else if (to->format == OUTPUT_JSON)
        record_number(to, "rate", NULL, "%.17g", row_rate(row));
    else
        record_number(to, "rate", NULL, "%.17g", (double)row->deltas[i] / row->seconds);
}

static void put_json(struct row_output *output, const struct row *row)
{
    struct record_writer *to = &output->to;

    if (row->time > 0)
        record_number(to, "reply_time", NULL, "%.6f", row->time);
    put_value(to, "value", "values", row, row->totals, 0);
    put_value(to, "before", "befores", row, row->before, 0);
    put_rate(to, row, 0);
}

/* Of one bucket, where it is a histogram. */
static void put_csv(struct row_output *output, const struct row *row, size_t i)
{
    struct record_writer *to = &output->to;

    if (histogram_is(row->stat))
        record_u64(to, "bucket", NULL, histogram_lower_bound(row->stat, i));
    else
        record_null(to, "bucket", NULL);
    record_u64(to, "value", NULL, row->totals[i]);
    if (output->is_rates)
        put_rate(to, row, i);
    if (output->has_before)
        record_u64(to, "before", NULL, row->before[i]);
}

static void put_record(struct row_output *output, const struct row *row, size_t i)
{
    row_put_identity(&output->to, output->time, row, output->has_vm);
    if (output->has_objects)
        record_u64(&output->to, "objects", NULL, row->n_objects);
    if (output->to.format == OUTPUT_TABLE)
        put_text(output, row);
    else if (output->to.format == OUTPUT_JSON)
        put_json(output, row);
    else
        put_csv(output, row, i);
    row_put_origin(&output->to, row);
    record_end(&output->to);
}

/* ---- its time ------------------------------------------------------------------------------- */

static void put_clock(const struct row_output *output)
{
    char before[MOMENT_MAX], now[MOMENT_MAX];

    if (output->to.format != OUTPUT_TABLE || !output->has_clock || !output->to.has_legend)
        return;
    moment_text(now, output->time, output->is_exact);
    if (output->since > 0)
        printf("from %s to %s, %.*f s\n", moment_text(before, output->since, output->is_exact), now,
               output->is_exact ? 3 : 1, output->seconds);
    else
        puts(now);
}

/* ---- one output ----------------------------------------------------------------------------- */

void row_output_begin(struct row_output *output, double time)
{
    output->n_rows = 0;
    output->time = time;
    if (output->to.format == OUTPUT_TABLE && output->any_output)
        putchar('\n');
    output->any_output = true;
    put_clock(output);
    record_open(&output->to);
    record_number(&output->to, "time", NULL, "%.3f", time);
    if (output->since > 0)
        record_number(&output->to, "since", NULL, "%.3f", output->since);
    if (output->put_head && output->to.format == OUTPUT_JSON)
        output->put_head(output->opaque, &output->to);
    record_list(&output->to, "stats");
}

/* CSV has a line for each bucket. */
void row_output_add(struct row_output *output, const struct row *row)
{
    size_t n = output->to.format == OUTPUT_CSV ? row->n : 1;

    for (size_t i = 0; i < n; i++) {
        record_begin(&output->to);
        put_record(output, row, i);
    }
    output->n_rows++;
}

void row_put_absent(struct record_writer *to, const struct row_absent *absent, bool is_first)
{
    if (to->format != OUTPUT_JSON)
        return;
    if (is_first) {
        record_list_end(to);
        record_list(to, "absent");
    }
    record_begin(to);
    record_text(to, "vm", NULL, absent->vm);
    record_text(to, "socket", NULL, absent->socket);
    record_text(to, "reason", NULL, absent->reason);
    record_number(to, "since", NULL, "%.3f", absent->since);
    record_end(to);
}

void row_absent_text(struct buf *out, const struct row_absent *absent)
{
    time_t seconds = (time_t)absent->since;
    char since[32] = "";
    struct tm tm;

    if (localtime_r(&seconds, &tm))
        strftime(since, sizeof(since), ", since %T", &tm);
    buf_printf(out, "%s: %s%s\n", absent->vm, absent->reason, since);
}

void row_output_add_absent(struct row_output *output, const struct row_absent *absent)
{
    row_put_absent(&output->to, absent, output->n_absent++ == 0);
    if (output->to.format == OUTPUT_TABLE)
        row_absent_text(&output->absent, absent);
}

void row_output_end(struct row_output *output)
{
    if (!output->n_rows && record_begin_blank(&output->to))
        put_record(output, &row_blank, 0);
    record_close(&output->to);
    if (output->absent.len)
        fwrite(output->absent.data, 1, output->absent.len, stdout);
    buf_reset(&output->absent);
    output->n_absent = 0;
}

void row_output_free(struct row_output *output)
{
    record_free(&output->to);
    buf_free(&output->absent);
}
