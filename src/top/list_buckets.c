/* SPDX-License-Identifier: MIT */
/* A histogram: its buckets, with bars. */
#include <stdio.h>
#include <stdlib.h>

#include "stats/histogram.h"
#include "top/list.h"

enum { BOUNDS_WIDTH = 23, COUNT_WIDTH = 10, SHARE_WIDTH = 6, MARK_WIDTH = 11 };

enum { BUCKET, COUNT, SHARE, MARK };

static bool begin(struct region *region)
{
    struct model *model = region->model;
    const struct series *series = model->series;
    struct histogram *histogram = &region->histogram;

    *histogram = (struct histogram){.space = calloc(series->n + 1, sizeof(uint64_t))};
    if (!histogram->space) {
        model->has_failed = true;
        return false;
    }
    histogram->row = model_row(model, model->object, series, model->is_totals, histogram->space);
    if (model->is_totals || series->has_deltas)
        histogram->values = row_values(&histogram->row);
    for (size_t i = 0; histogram->values && i < series->n; i++) {
        histogram->count += histogram->values[i];
        if (histogram->values[i] > histogram->most)
            histogram->most = histogram->values[i];
    }
    for (size_t i = 0; histogram->count && i < HISTOGRAM_PERCENTILES; i++)
        histogram->percentiles[i] =
            histogram_percentile(histogram->values, series->n, histogram_text_percents[i]);
    return true;
}

static void end(struct region *region)
{
    free(region->histogram.space);
}

static const char *explain_empty(const struct region *region)
{
    const struct model *model = region->model;
    const struct histogram *histogram = &region->histogram;

    if (histogram->count)
        return NULL;
    if (histogram->row.is_reset)
        return "the statistic was reset in this interval";
    if (!histogram->values)
        return model->vm->error ? "the VM is gone; t shows the totals" : "waiting for an interval";
    return model->is_totals ? "nothing counted yet" : "nothing counted in this interval";
}

static void add_columns(struct region *region)
{
    static const struct {
        const char *title;
        enum column_form form;
        size_t width;
    } all[] = {
        [BUCKET] = {"BUCKET", COLUMN_NUMBER, BOUNDS_WIDTH},
        [COUNT] = {"COUNT", COLUMN_NUMBER, COUNT_WIDTH},
        [SHARE] = {"SHARE", COLUMN_NUMBER, SHARE_WIDTH},
        [MARK] = {"", COLUMN_TEXT, MARK_WIDTH},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        columns_measure_width(
            columns_add(&region->columns, i, all[i].form, (unsigned)i, all[i].title), all[i].width);
}

static void fill_mark(const struct histogram *histogram, size_t i, struct cell *ret_cell)
{
    size_t len = 0;

    ret_cell->style = STYLE_GOOD;
    for (size_t j = 0; j < HISTOGRAM_PERCENTILES; j++)
        if (histogram->count && histogram->percentiles[j] == i)
            len += (size_t)snprintf(ret_cell->text + len, sizeof(ret_cell->text) - len, "%sp%u",
                                    len ? " " : "", histogram_text_percents[j]);
}

static void fill(const struct region *region, const struct model_item *item,
                 const struct column *column, struct cell *ret_cell)
{
    const struct histogram *histogram = &region->histogram;
    uint64_t value = histogram->values ? histogram->values[item->index] : 0;
    size_t size = sizeof(ret_cell->text);

    if (!value)
        ret_cell->style = STYLE_DIM;
    if (column->id == BUCKET) {
        ret_cell->style = STYLE_NORMAL;
        histogram_text_bounds(ret_cell->text, histogram->row.stat, item->index, histogram->row.n);
    } else if (column->id == COUNT && histogram->values) {
        snprintf(ret_cell->text, size, "%llu", (unsigned long long)value);
    } else if (column->id == SHARE && histogram->count) {
        snprintf(ret_cell->text, size, "%.1f%%", 100.0 * (double)value / (double)histogram->count);
    } else if (column->id == MARK) {
        fill_mark(histogram, item->index, ret_cell);
    }
}

static void put_rest(const struct region *region, size_t line, size_t begin,
                     const struct model_item *item)
{
    const struct histogram *histogram = &region->histogram;

    if (histogram->count)
        list_put_bar(region, line, begin + 2,
                     (double)histogram->values[item->index] / (double)histogram->most);
}

const struct view buckets_view = {
    .begin = begin,
    .end = end,
    .add_columns = add_columns,
    .fill = fill,
    .put_rest = put_rest,
    .explain_empty = explain_empty,
    .least_lines = 1,
};
