/* SPDX-License-Identifier: MIT */
/* The list of the statistics of an object. */
#include <stdio.h>
#include <stdlib.h>

#include "stats/histogram.h"
#include "top/figure.h"
#include "top/list.h"

enum { PROVIDER_FROM = 100, NUMBER_WIDTH = 12 };

/* RATE and TOTAL are numbers of columns to sort by. */
enum { STAT, RATE, TOTAL, PROVIDER, MEDIAN, TAIL };

static void add_number(struct region *region, size_t id, unsigned rank)
{
    columns_measure_width(
        columns_add(&region->columns, id, COLUMN_NUMBER, rank, id == TOTAL ? "TOTAL" : "RATE"),
        NUMBER_WIDTH);
}

static void add_columns(struct region *region)
{
    struct columns *columns = &region->columns;
    bool is_totals = region->model->is_totals;

    columns_add(columns, STAT, COLUMN_NAME, 0, "STAT");
    if (region->screen->width >= PROVIDER_FROM)
        columns_add(columns, PROVIDER, COLUMN_NAME, COLUMN_EXTRA + 1, "PROVIDER");
    add_number(region, is_totals ? TOTAL : RATE, 1);
    add_number(region, is_totals ? RATE : TOTAL, 2);
    columns_add(columns, MEDIAN, COLUMN_TEXT, 3, "DISTRIBUTION");
    columns_add(columns, TAIL, COLUMN_TEXT, COLUMN_EXTRA, "");
}

/* Rates of events are noisy behind the point; what does not count has no rate. */
static void number_text(char text[2 * QUANTITY_MAX], const struct row *row, bool is_rate)
{
    char count[QUANTITY_MAX];

    if (is_rate && !row->deltas && !row->is_reset) {
        snprintf(text, 2 * QUANTITY_MAX, "-");
    } else if (row->deltas &&
               (histogram_is(row->stat) || !(row->stat->unit | row->stat->exponent))) {
        figure_count(count, row_rate(row));
        snprintf(text, 2 * QUANTITY_MAX, "%s/s", count);
    } else {
        row_number(text, row);
    }
}

/* "p50 <8.4ms p90 <17ms", of what the list shows first. */
static void distribution_text(char text[SCREEN_TEXT_MAX], const struct row *row, bool is_tail)
{
    char first[HISTOGRAM_PERCENTILE_MAX], second[HISTOGRAM_PERCENTILE_MAX];
    const uint64_t *values = row_values(row);

    if (!histogram_is(row->stat) || !histogram_count(values, row->n))
        return;
    histogram_text_short_percentile(first, row->stat, values, row->n, is_tail ? 2 : 0);
    histogram_text_short_percentile(second, row->stat, values, row->n, 1);
    snprintf(text, SCREEN_TEXT_MAX, "%s%s%s", first, is_tail ? "" : " ", is_tail ? "" : second);
}

static void fill_values(const struct region *region, const struct model_item *item, size_t id,
                        struct cell *ret_cell)
{
    const struct model *model = region->model;
    bool is_total = id == TOTAL || (id != RATE && model->is_totals);
    uint64_t *space = calloc(item->series->n + 1, sizeof(*space));
    struct row row;

    if (!space) {
        region->model->has_failed = true;
        return;
    }
    row = model_row(model, item->object, item->series, is_total, space);
    if (id == RATE || id == TOTAL)
        number_text(ret_cell->text, &row, !is_total);
    else if (is_total || row.deltas)
        distribution_text(ret_cell->text, &row, id == TAIL);
    ret_cell->style = row.is_reset ? STYLE_BAD : STYLE_NORMAL;
    free(space);
}

/* There may be no room for the providers. */
static void name_text(char text[SCREEN_TEXT_MAX], const struct model_item *item)
{
    const struct series *series = item->series;

    if (series_has_namesake(item->object, series))
        snprintf(text, SCREEN_TEXT_MAX, "%s/%s", series->provider, series->stat->name);
    else
        snprintf(text, SCREEN_TEXT_MAX, "%s", series->stat->name);
}

static void fill(const struct region *region, const struct model_item *item,
                 const struct column *column, struct cell *ret_cell)
{
    if (column->id == STAT) {
        ret_cell->style = STYLE_STRONG;
        name_text(ret_cell->text, item);
    } else if (column->id == PROVIDER) {
        ret_cell->style = STYLE_DIM;
        snprintf(ret_cell->text, sizeof(ret_cell->text), "%s", item->series->provider);
    } else {
        fill_values(region, item, column->id, ret_cell);
    }
}

const struct view stats_view = {
    .add_columns = add_columns,
    .fill = fill,
};
