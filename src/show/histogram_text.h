/* SPDX-License-Identifier: MIT */
/* A histogram as lines of text, with bars. */
#ifndef SHOW_HISTOGRAM_TEXT_H
#define SHOW_HISTOGRAM_TEXT_H

#include "client/client.h"
#include "qmp/buf.h"

enum { HISTOGRAM_WIDTH_MIN = 40 };

/*
 * Appends a line for each bucket from the first to the last that is not empty: its bounds, how many
 * values it counts, in percent, and a bar. No line is wider than @width, if that is
 * HISTOGRAM_WIDTH_MIN or more. @is_utf8: the bars end in eighths of a block.
 */
void histogram_text_put(struct buf *out, const struct client_stat *stat, const uint64_t *values,
                        size_t n, size_t width, bool is_utf8);

/* Appends "p50 1 us - 2 us, p90 ...": the buckets that hold them. Nothing for an empty histogram. */
void histogram_text_put_percentiles(struct buf *out, const struct client_stat *stat,
                                    const uint64_t *values, size_t n);

#endif
