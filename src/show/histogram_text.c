/* SPDX-License-Identifier: MIT */
#include "show/histogram_text.h"

#include <stdio.h>
#include <string.h>

#include "stats/histogram.h"
#include "show/quantity.h"

void histogram_text_bounds(char text[HISTOGRAM_BOUNDS_MAX], const struct vitals_stat *stat,
                           size_t i, size_t n)
{
    char low[QUANTITY_MAX], high[QUANTITY_MAX];

    quantity_text(low, stat, (double)histogram_lower_bound(stat, i));
    if (i == 0 && stat->type == VITALS_LOG_HIST) {
        snprintf(text, HISTOGRAM_BOUNDS_MAX, "%s", low);
    } else if (i + 1 == n) {
        snprintf(text, HISTOGRAM_BOUNDS_MAX, ">= %s", low);
    } else {
        quantity_text(high, stat, (double)histogram_lower_bound(stat, i + 1));
        snprintf(text, HISTOGRAM_BOUNDS_MAX, "%s - %s", low, high);
    }
}

/* ---- percentiles ---------------------------------------------------------------------------- */

const unsigned histogram_text_percents[HISTOGRAM_PERCENTILES] = {50, 90, 99};

void histogram_text_percentile(char text[HISTOGRAM_PERCENTILE_MAX], const struct vitals_stat *stat,
                               const uint64_t *values, size_t n, size_t which)
{
    unsigned percent = histogram_text_percents[which];
    char bounds[HISTOGRAM_BOUNDS_MAX];

    histogram_text_bounds(bounds, stat, histogram_percentile(values, n, percent), n);
    snprintf(text, HISTOGRAM_PERCENTILE_MAX, "p%u %s", percent, bounds);
}

void histogram_text_put_percentiles(struct buf *out, const struct vitals_stat *stat,
                                    const uint64_t *values, size_t n)
{
    char text[HISTOGRAM_PERCENTILE_MAX];

    if (histogram_count(values, n) == 0)
        return;
    for (size_t i = 0; i < HISTOGRAM_PERCENTILES; i++) {
        histogram_text_percentile(text, stat, values, n, i);
        buf_printf(out, "%s%s", i ? ", " : "", text);
    }
}

void histogram_text_short_percentile(char text[HISTOGRAM_PERCENTILE_MAX],
                                     const struct vitals_stat *stat, const uint64_t *values,
                                     size_t n, size_t which)
{
    unsigned percent = histogram_text_percents[which];
    size_t i = histogram_percentile(values, n, percent);
    bool is_last = i + 1 == n, is_zero = i == 0 && stat->type == VITALS_LOG_HIST;
    char bound[QUANTITY_MAX];

    quantity_short(bound, stat,
                   (double)histogram_lower_bound(stat, is_last || is_zero ? i : i + 1));
    snprintf(text, HISTOGRAM_PERCENTILE_MAX, "p%u %s%s", percent,
             is_zero   ? ""
             : is_last ? ">="
                       : "<",
             bound);
}

void histogram_text_put_short_percentiles(struct buf *out, const struct vitals_stat *stat,
                                          const uint64_t *values, size_t n)
{
    char text[HISTOGRAM_PERCENTILE_MAX];

    for (size_t i = 0; histogram_count(values, n) && i < HISTOGRAM_PERCENTILES; i++) {
        histogram_text_short_percentile(text, stat, values, n, i);
        buf_printf(out, "%s%s", i ? " " : "", text);
    }
}

/* ---- bars ----------------------------------------------------------------------------------- */

void histogram_text_put_bar(struct buf *out, double share, size_t width, bool is_utf8)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    size_t steps = (size_t)(share * (double)width * 8 + 0.5);

    if (share > 0 && steps == 0)
        steps = 1; /* something is there */
    if (!is_utf8)
        steps = (steps + 7) / 8 * 8;
    for (size_t i = 0; i < steps / 8; i++)
        buf_puts(out, is_utf8 ? "█" : "#");
    buf_puts(out, eighths[steps % 8]);
}

struct layout {
    size_t first, end;                /* of the buckets */
    size_t bounds_width, count_width; /* of the columns */
    uint64_t count, largest;
};

static void lay_out(const struct vitals_stat *stat, const uint64_t *values, size_t n,
                    struct layout *ret_layout)
{
    struct layout layout = {.count = histogram_count(values, n)};
    char text[HISTOGRAM_BOUNDS_MAX];

    while (layout.first < n && values[layout.first] == 0)
        layout.first++;
    for (size_t i = layout.first; i < n; i++) {
        size_t len = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)values[i]);

        if (values[i])
            layout.end = i + 1;
        if (values[i] > layout.largest)
            layout.largest = values[i];
        if (len > layout.count_width)
            layout.count_width = len;
    }
    for (size_t i = layout.first; i < layout.end; i++) {
        histogram_text_bounds(text, stat, i, n);
        if (strlen(text) > layout.bounds_width)
            layout.bounds_width = strlen(text);
    }
    *ret_layout = layout;
}

void histogram_text_put(struct buf *out, const struct vitals_stat *stat, const uint64_t *values,
                        size_t n, size_t width, bool is_utf8)
{
    struct layout layout;
    size_t used;

    lay_out(stat, values, n, &layout);
    used = 2 + layout.bounds_width + 2 + layout.count_width + 2 + strlen("100.0 %") + 2;
    for (size_t i = layout.first; i < layout.end; i++) {
        char bounds[HISTOGRAM_BOUNDS_MAX];

        histogram_text_bounds(bounds, stat, i, n);
        buf_printf(out, "  %*s  %*llu  %5.1f %%", (int)layout.bounds_width, bounds,
                   (int)layout.count_width, (unsigned long long)values[i],
                   100 * (double)values[i] / (double)layout.count);
        if (values[i] && width > used) {
            buf_puts(out, "  ");
            histogram_text_put_bar(out, (double)values[i] / (double)layout.largest, width - used,
                                   is_utf8);
        }
        buf_puts(out, "\n");
    }
}
