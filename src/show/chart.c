/* SPDX-License-Identifier: MIT */
#include "show/chart.h"

#include "show/histogram_text.h"
#include "show/row_output.h"
#include "stats/histogram.h"

void chart_add(struct chart *chart, const struct row *row)
{
    const uint64_t *values = row_values(row);

    for (size_t i = 0; i < row->n; i++)
        if (__builtin_add_overflow(chart->values[i], values[i], &chart->values[i]))
            chart->values[i] = UINT64_MAX;
    chart->row.is_reset |= row->is_reset;
    chart->n_objects++;
}

uint64_t chart_count(const struct chart *chart)
{
    return histogram_count(chart->values, chart->row.n);
}

/* ---- for people ----------------------------------------------------------------------------- */

static void draw_title(struct buf *out, const struct chart *chart)
{
    char object[QUANTITY_MAX];

    if (chart->has_namesake)
        buf_printf(out, "%s/", chart->row.provider);
    buf_printf(out, "%s of %s, ", chart->row.stat->name, chart->row.vm);
    if (chart->n_objects > 1)
        buf_printf(out, "%zu vCPUs", chart->n_objects);
    else
        buf_puts(out, row_object(object, &chart->row));
    if (chart->row.deltas)
        buf_printf(out, ", over %.3g s", chart->row.seconds);
    buf_puts(out, chart->row.is_reset ? ", was reset" : "");
    buf_printf(out, ": %llu values\n", (unsigned long long)chart_count(chart));
}

void chart_draw(struct buf *out, const struct chart *chart, size_t width, bool is_utf8)
{
    draw_title(out, chart);
    histogram_text_put(out, chart->row.stat, chart->values, chart->row.n, width, is_utf8);
    if (!chart_count(chart))
        return;
    buf_puts(out, "  ");
    histogram_text_put_percentiles(out, chart->row.stat, chart->values, chart->row.n);
    buf_puts(out, "\n");
}

/* ---- JSON and CSV --------------------------------------------------------------------------- */

/* All vCPUs together are none of them. */
static struct row identity(const struct chart *chart)
{
    struct row row = chart->row;

    if (chart->n_objects > 1) {
        row.path = NULL;
        row.vcpu = -1;
    }
    return row;
}

/* With --rates: also where all of them were reset. */
static void put_seconds(struct record_writer *to, const struct chart *chart)
{
    if (chart->row.deltas || chart->row.is_reset)
        record_number(to, "seconds", NULL, "%.6f", chart->row.seconds);
    else
        record_absent(to, "seconds", NULL);
}

static void put_bounds(struct record_writer *to, const struct chart *chart, size_t i)
{
    const struct vitals_stat *stat = chart->row.stat;

    record_u64(to, "lower", NULL, histogram_lower_bound(stat, i));
    if (i + 1 == chart->row.n)
        record_null(to, "upper", NULL);
    else
        record_u64(to, "upper", NULL, histogram_lower_bound(stat, i + 1));
    record_u64(to, "count", NULL, chart->values[i]);
}

static void put_json(struct record_writer *to, const struct chart *chart)
{
    put_seconds(to, chart);
    record_bool(to, "reset", NULL, chart->row.is_reset);
    record_list(to, "buckets");
    for (size_t i = 0; i < chart->row.n; i++) {
        record_begin(to);
        put_bounds(to, chart, i);
        record_end(to);
    }
    record_list_end(to);
}

static void put_csv(struct record_writer *to, const struct chart *chart, size_t i)
{
    put_bounds(to, chart, i);
    put_seconds(to, chart);
    record_bool(to, "reset", NULL, chart->row.is_reset);
}

static void put_record(struct record_writer *to, double time, const struct chart *chart, size_t i)
{
    const struct row row = identity(chart);

    row_put_identity(to, time, &row, false);
    record_u64(to, "objects", NULL, chart->n_objects);
    if (to->format == OUTPUT_JSON)
        put_json(to, chart);
    else
        put_csv(to, chart, i);
    row_put_origin(to, &row);
    record_end(to);
}

void chart_put(struct record_writer *to, double time, const struct chart *chart)
{
    size_t n = to->format == OUTPUT_CSV ? chart->row.n : 1;

    for (size_t i = 0; i < n; i++) {
        record_begin(to);
        put_record(to, time, chart, i);
    }
}

void chart_put_titles(struct record_writer *to)
{
    uint64_t nothing = 0;

    if (record_begin_blank(to))
        put_record(to, 0, &(struct chart){.row = row_blank, .values = &nothing}, 0);
}
