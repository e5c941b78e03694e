/* SPDX-License-Identifier: MIT */
/* A histogram: its buckets, with bars. */
#include <stdio.h>
#include <stdlib.h>

#include "stats/histogram.h"
#include "top/list.h"

enum { BOUNDS_WIDTH = 23, COUNT_WIDTH = 12, SHARE_WIDTH = 8, MARK_WIDTH = 12 };

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

static void put_titles(const struct region *region)
{
    const struct column columns[] = {
        {.title = "BUCKET", .end = BOUNDS_WIDTH, .is_right = true},
        {.title = "COUNT",
         .begin = BOUNDS_WIDTH,
         .end = BOUNDS_WIDTH + COUNT_WIDTH,
         .is_right = true},
        {.title = "SHARE",
         .begin = BOUNDS_WIDTH + COUNT_WIDTH,
         .end = BOUNDS_WIDTH + COUNT_WIDTH + SHARE_WIDTH,
         .is_right = true},
    };

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        list_put_title(region, &columns[i]);
}

static void put_bar(const struct region *region, size_t line, size_t column, double share)
{
    size_t width = region->screen->width;
    struct buf bar = {0};

    histogram_text_put_bar(&bar, share, width > column ? width - column : 0,
                           region->screen->is_unicode);
    buf_append(&bar, "", 1);
    if (bar.failed)
        region->model->has_failed = true;
    else
        screen_put(region->screen, line, column, SIZE_MAX, STYLE_BAR, bar.data);
    buf_free(&bar);
}

static void put_item(const struct region *region, size_t line, const struct model_item *item)
{
    const struct histogram *histogram = &region->histogram;
    size_t i = item->index;
    size_t count = BOUNDS_WIDTH, share = count + COUNT_WIDTH, mark = share + SHARE_WIDTH;
    uint64_t value = histogram->values ? histogram->values[i] : 0;
    char text[SCREEN_TEXT_MAX];

    histogram_text_bounds(text, histogram->row.stat, i, histogram->row.n);
    screen_put_right(region->screen, line, 0, count, STYLE_NORMAL, text);
    if (!histogram->values)
        return;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    screen_put_right(region->screen, line, count, share, value ? STYLE_STRONG : STYLE_DIM, text);
    if (!histogram->count)
        return;
    snprintf(text, sizeof(text), "%.1f%%", 100.0 * (double)value / (double)histogram->count);
    screen_put_right(region->screen, line, share, mark, value ? STYLE_NORMAL : STYLE_DIM, text);
    mark++;
    for (size_t j = 0; j < HISTOGRAM_PERCENTILES; j++) {
        snprintf(text, sizeof(text), " p%u", histogram_text_percents[j]);
        if (histogram->percentiles[j] == i)
            mark = screen_put(region->screen, line, mark, SIZE_MAX, STYLE_GOOD, text);
    }
    put_bar(region, line, share + SHARE_WIDTH + MARK_WIDTH + 2,
            (double)value / (double)(histogram->most ? histogram->most : 1));
}

const struct view buckets_view = {
    .begin = begin,
    .end = end,
    .put_titles = put_titles,
    .put_item = put_item,
    .explain_empty = explain_empty,
};
