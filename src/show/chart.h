/* SPDX-License-Identifier: MIT */
/* A histogram of one object, or of several together: drawn, and as records. */
#ifndef SHOW_CHART_H
#define SHOW_CHART_H

#include "show/record.h"
#include "show/row.h"

struct chart {
    struct row row;   /* of the first object */
    uint64_t *values; /* as many as the row has */
    size_t n_objects;
    bool has_namesake; /* another provider has a statistic of its name, too */
};

/* Adds the values of an object. */
void chart_add(struct chart *chart, const struct row *row);

uint64_t chart_count(const struct chart *chart);

/* Appends lines: a title, and what histogram_text.h has. */
void chart_draw(struct buf *out, const struct chart *chart, size_t width, bool is_utf8);

/* A record; in CSV one for each bucket. @time: of the sample. */
void chart_put(struct record_writer *to, double time, const struct chart *chart);

/* For an output without any chart. */
void chart_put_titles(struct record_writer *to);

#endif
