/* SPDX-License-Identifier: MIT */
/* A statistic that is no histogram: what it was at each sample since it is looked at. */
#include <stdio.h>
#include <time.h>

#include "top/figure.h"
#include "top/list.h"

enum { TIME, VALUE, TOTAL };

enum { TIME_WIDTH = 8, NUMBER_WIDTH = 12, HISTORY_LEAST = 3 };

static const struct model_moment *moment_of(const struct region *region,
                                            const struct model_item *item)
{
    return model_moment(region->model, item->index);
}

static void add_number(struct region *region, size_t id, const char *title)
{
    columns_measure_width(columns_add(&region->columns, id, COLUMN_NUMBER, (unsigned)id, title),
                          NUMBER_WIDTH);
}

static void add_columns(struct region *region)
{
    bool is_counting = row_is_counting(region->model->series->stat);

    columns_measure_width(columns_add(&region->columns, TIME, COLUMN_TEXT, 0, "TIME"), TIME_WIDTH);
    add_number(region, VALUE, is_counting ? "RATE" : "VALUE");
    if (is_counting)
        add_number(region, TOTAL, "TOTAL");
}

static void fill_value(const struct region *region, const struct model_moment *moment,
                       struct cell *ret_cell)
{
    const struct vitals_stat *stat = region->model->series->stat;
    const char *per = row_is_counting(stat) ? "/s" : "";
    char text[QUANTITY_MAX];

    ret_cell->style = moment->is_reset ? STYLE_BAD : STYLE_STRONG;
    if (!moment->has_value) {
        snprintf(ret_cell->text, sizeof(ret_cell->text), moment->is_reset ? "reset" : "-");
        return;
    }
    if (!stat->unit && !stat->exponent)
        figure_count(text, moment->value);
    else
        quantity_text(text, stat, moment->value);
    snprintf(ret_cell->text, sizeof(ret_cell->text), "%s%s", text, per);
}

static void fill(const struct region *region, const struct model_item *item,
                 const struct column *column, struct cell *ret_cell)
{
    const struct model_moment *moment = moment_of(region, item);
    time_t seconds = (time_t)moment->time;
    struct tm tm;

    if (column->id == VALUE) {
        fill_value(region, moment, ret_cell);
    } else if (column->id == TOTAL) {
        struct row row = series_row(region->model->object, region->model->series);

        row.totals = &moment->total;
        row.deltas = NULL;
        row.is_reset = false;
        row_number(ret_cell->text, &row);
    } else if (localtime_r(&seconds, &tm)) {
        strftime(ret_cell->text, sizeof(ret_cell->text), "%T", &tm);
    }
}

static void put_rest(const struct region *region, size_t line, size_t begin,
                     const struct model_item *item)
{
    const struct model_moment *moment = moment_of(region, item);
    double most = 0;

    for (size_t i = 0; i < region->model->history.n; i++) {
        const struct model_moment *other = model_moment(region->model, i);

        if (other->has_value && other->value > most)
            most = other->value;
    }
    if (moment->has_value && most > 0)
        list_put_bar(region, line, begin + 2, moment->value / most);
}

const struct view history_view = {
    .add_columns = add_columns,
    .fill = fill,
    .put_rest = put_rest,
    .least_lines = HISTORY_LEAST,
};
