/* SPDX-License-Identifier: MIT */
/* A histogram: its buckets, with bars. */
#include <stdio.h>
#include <stdlib.h>

#include "client/histogram.h"
#include "top/list.h"

enum { BOUNDS_WIDTH = 23, COUNT_WIDTH = 12, SHARE_WIDTH = 8, MARK_WIDTH = 12 };

void bucket_text(char text[SCREEN_TEXT_MAX], const struct client_stat *stat, size_t i, size_t n)
{
    char low[QUANTITY_MAX], high[QUANTITY_MAX];

    quantity_text(low, stat, (double)histogram_lower_bound(stat, i));
    quantity_text(high, stat, (double)histogram_lower_bound(stat, i + 1));
    if (i == 0 && stat->type == VITALS_LOG_HIST)
        snprintf(text, SCREEN_TEXT_MAX, "%s", low);
    else if (i + 1 == n)
        snprintf(text, SCREEN_TEXT_MAX, ">= %s", low);
    else
        snprintf(text, SCREEN_TEXT_MAX, "%s - %s", low, high);
}

bool buckets_read(struct region *region, struct histogram *histogram)
{
    struct model *model = region->model;
    const struct model_series *series = model->series;

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
    for (size_t i = 0; histogram->count && i < PERCENTS; i++)
        histogram->percentiles[i] = histogram_percentile(histogram->values, series->n, percents[i]);
    return true;
}

void buckets_free(struct histogram *histogram)
{
    free(histogram->space);
}

const char *buckets_explain_empty(const struct model *model, const struct histogram *histogram)
{
    if (histogram->row.is_reset)
        return "the statistic was reset in this interval";
    if (!histogram->values)
        return model->vm->error ? "the VM is gone; t shows the totals" : "waiting for an interval";
    return model->is_totals ? "nothing counted yet" : "nothing counted in this interval";
}

void buckets_put_titles(const struct region *region)
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

    if (region->titles == SIZE_MAX)
        return;
    screen_paint(region->screen, region->titles, STYLE_TITLE);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        list_put_title(region, &columns[i]);
}

/* In eighths of a column where there are such characters. */
static void put_bar(const struct region *region, size_t line, size_t column, double share)
{
    static const wchar_t eighths[] = L" \u258f\u258e\u258d\u258c\u258b\u258a\u2589";
    struct screen *screen = region->screen;
    size_t room = screen->width > column ? screen->width - column : 0;
    size_t n = (size_t)(share * (double)room * 8 + 0.5);

    if (share > 0 && n == 0)
        n = 1;
    for (size_t i = 0; line < screen->height && i < room && n; i++) {
        size_t part = n < 8 ? n : 8;
        wchar_t character = part == 8 ? L'\u2588' : eighths[part];

        *screen_cell(screen, line, column + i) =
            (struct screen_cell){screen->is_unicode ? character : L'#', STYLE_BAR};
        n -= part;
    }
}

void buckets_put_item(const struct region *region, const struct histogram *histogram, size_t line,
                      size_t i)
{
    size_t count = BOUNDS_WIDTH, share = count + COUNT_WIDTH, mark = share + SHARE_WIDTH;
    uint64_t value = histogram->values ? histogram->values[i] : 0;
    char text[SCREEN_TEXT_MAX];

    bucket_text(text, histogram->row.stat, i, histogram->row.n);
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
    for (size_t j = 0; j < PERCENTS; j++) {
        snprintf(text, sizeof(text), " p%u", percents[j]);
        if (histogram->percentiles[j] == i)
            mark = screen_put(region->screen, line, mark, SIZE_MAX, STYLE_GOOD, text);
    }
    put_bar(region, line, share + SHARE_WIDTH + MARK_WIDTH + 2,
            (double)value / (double)(histogram->most ? histogram->most : 1));
}
