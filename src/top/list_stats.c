/* SPDX-License-Identifier: MIT */
/* The list of the statistics of an object. */
#include <stdio.h>
#include <stdlib.h>

#include "stats/histogram.h"
#include "top/figure.h"
#include "top/list.h"

enum { NUMBER_WIDTH = 15, PROVIDER_WIDTH = 12, PROVIDER_FROM = 100 };

struct layout {
    size_t name, provider, rest; /* columns where each begins or ends */
};

static struct layout choose_layout(const struct region *region)
{
    size_t width = region->screen->width;
    struct layout layout = {.name = width < 30 ? width / 2 : list_clamp(width / 3, 10, 36)};

    layout.provider = layout.name + (width >= PROVIDER_FROM ? PROVIDER_WIDTH : 0);
    layout.rest = layout.provider + 2 * NUMBER_WIDTH + 2;
    return layout;
}

static void put_titles(const struct region *region)
{
    const struct layout layout = choose_layout(region);
    bool is_totals = region->model->is_totals;
    static const char *const titles[] = {"RATE", "TOTAL"};

    list_put_title(region, &(struct column){.title = "STAT",
                                            .end = layout.name,
                                            .is_sorted = list_is_sorted_by(region, 0)});
    if (layout.provider > layout.name)
        list_put_title(
            region,
            &(struct column){.title = "PROVIDER", .begin = layout.name, .end = layout.provider});
    for (size_t i = 0; i < 2; i++) {
        size_t which = is_totals ? 1 - i : i;

        list_put_title(region, &(struct column){.title = titles[which],
                                                .begin = layout.provider + i * NUMBER_WIDTH,
                                                .end = layout.provider + (i + 1) * NUMBER_WIDTH,
                                                .is_right = true,
                                                .is_sorted = list_is_sorted_by(region, which + 1)});
    }
    list_put_title(
        region, &(struct column){.title = "DISTRIBUTION", .begin = layout.rest, .end = SIZE_MAX});
}

/* Only whole ranges: half of one would be another. */
static void put_distribution(const struct region *region, size_t line, size_t column,
                             const struct row *row)
{
    for (size_t i = 0; i < HISTOGRAM_PERCENTILES; i++) {
        char text[HISTOGRAM_PERCENTILE_MAX];
        size_t begin = i ? column + 2 : column;

        histogram_text_percentile(text, row->stat, row_values(row), row->n, i);
        if (begin + screen_text_width(text) > region->screen->width)
            return;
        if (i)
            screen_put(region->screen, line, column, SIZE_MAX, STYLE_NORMAL, ", ");
        column = screen_put(region->screen, line, begin, SIZE_MAX, STYLE_NORMAL, text);
    }
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

static void put_item(const struct region *region, size_t line, const struct model_item *item)
{
    const struct layout layout = choose_layout(region);
    const struct model *model = region->model;
    uint64_t *space = calloc(item->series->n + 1, sizeof(*space));

    if (!space) {
        region->model->has_failed = true;
        return;
    }
    screen_put(region->screen, line, 0, layout.name - 1, STYLE_STRONG, item->series->stat->name);
    if (layout.provider > layout.name)
        screen_put(region->screen, line, layout.name, layout.provider - 1, STYLE_DIM,
                   item->series->provider);
    for (size_t i = 0; i < 2; i++) {
        bool is_total = model->is_totals == (i == 0);
        const struct row row = model_row(model, item->object, item->series, is_total, space);
        size_t begin = layout.provider + i * NUMBER_WIDTH;
        char text[2 * QUANTITY_MAX];

        number_text(text, &row, !is_total);
        screen_put_right(region->screen, line, begin + 1, begin + NUMBER_WIDTH,
                         row.is_reset ? STYLE_BAD : STYLE_NORMAL, text);
        if (i == 0 && histogram_is(row.stat) && (is_total || row.deltas) &&
            histogram_count(row_values(&row), row.n))
            put_distribution(region, line, layout.rest, &row);
    }
    free(space);
}

const struct view stats_view = {
    .put_titles = put_titles,
    .put_item = put_item,
};
