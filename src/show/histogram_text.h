/* SPDX-License-Identifier: MIT */
/* A histogram as text: lines with bars, and what they are made of. */
#ifndef SHOW_HISTOGRAM_TEXT_H
#define SHOW_HISTOGRAM_TEXT_H

#include "vitals/stats.h"
#include "base/buf.h"
#include "show/quantity.h"

enum {
    HISTOGRAM_WIDTH_MIN = 40,
    HISTOGRAM_PERCENTILES = 3,
    HISTOGRAM_BOUNDS_MAX = 2 * QUANTITY_MAX + 8,
    HISTOGRAM_PERCENTILE_MAX = HISTOGRAM_BOUNDS_MAX + 16,
};

/* 50, 90 and 99 of 100. */
extern const unsigned histogram_text_percents[HISTOGRAM_PERCENTILES];

/* "512 us - 1.024 ms": bucket @i of @n. The last one has no upper bound, and that of 0 needs none. */
void histogram_text_bounds(char text[HISTOGRAM_BOUNDS_MAX], const struct vitals_stat *stat,
                           size_t i, size_t n);

/* "p50 1 us - 2 us": the bucket of @n that holds percentile @which; it is not empty. */
void histogram_text_percentile(char text[HISTOGRAM_PERCENTILE_MAX], const struct vitals_stat *stat,
                               const uint64_t *values, size_t n, size_t which);

/* The same in short: "p50 <2us", the bound that the value is below; "p50 >=1.1s" in the last bucket. */
void histogram_text_short_percentile(char text[HISTOGRAM_PERCENTILE_MAX],
                                     const struct vitals_stat *stat, const uint64_t *values,
                                     size_t n, size_t which);

/* Appends "p50 <2us p90 <8.4ms ...". Nothing for an empty histogram. */
void histogram_text_put_short_percentiles(struct buf *out, const struct vitals_stat *stat,
                                          const uint64_t *values, size_t n);

/* Appends a bar of @share of @width; something is to be seen unless that is 0. */
void histogram_text_put_bar(struct buf *out, double share, size_t width, bool is_utf8);

/*
 * Appends a line for each bucket from the first to the last that is not empty: its bounds, how many
 * values it counts, in percent, and a bar. No line is wider than @width, if that is
 * HISTOGRAM_WIDTH_MIN or more. @is_utf8: the bars end in eighths of a block.
 */
void histogram_text_put(struct buf *out, const struct vitals_stat *stat, const uint64_t *values,
                        size_t n, size_t width, bool is_utf8);

/* Appends "p50 1 us - 2 us, p90 ...": the buckets that hold them. Nothing for an empty histogram. */
void histogram_text_put_percentiles(struct buf *out, const struct vitals_stat *stat,
                                    const uint64_t *values, size_t n);

#endif
