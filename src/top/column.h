/* SPDX-License-Identifier: MIT */
/* The columns of a list: which of them have room, and where they stand on the screen. */
#ifndef TOP_COLUMN_H
#define TOP_COLUMN_H

#include "show/histogram_text.h"
#include "top/cells.h"
#include "top/model.h"

/* From rank COLUMN_EXTRA on, columns come after the whole names. */
enum { COLUMNS_MAX = 32, TITLE_MAX = 32, COLUMN_EXTRA = 8 };

static inline size_t list_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum column_form {
    COLUMN_NUMBER, /* to the right, and never cut */
    COLUMN_NAME,   /* loses its middle where there is no room */
    COLUMN_TEXT,   /* never cut, either */
};

struct column {
    char title[TITLE_MAX];
    enum column_form form;
    size_t id;         /* what the view calls it */
    unsigned rank;     /* where there is no room, the highest goes; the first column always stays */
    size_t least;      /* columns without which it goes */
    size_t most;       /* that it can use */
    size_t begin, end; /* where it stands; the same: there is no room */
    bool is_sorted;
};

struct columns {
    struct column all[COLUMNS_MAX];
    size_t n;
};

/* What the lines of a histogram have in common. */
struct histogram {
    uint64_t *space;
    struct row row;
    const uint64_t *values; /* NULL: nothing is known yet */
    uint64_t count, most;
    size_t percentiles[HISTOGRAM_PERCENTILES];
};

/* The lines that a list has: one with titles, if there is room, and below it the items. */
struct region {
    struct screen *screen;
    struct model *model;
    size_t titles; /* the line of them; SIZE_MAX: none */
    size_t line;   /* of the first item */
    size_t n;      /* lines for items */
    struct columns columns;
    struct histogram histogram; /* at the level of buckets */
};

/*
 * Adds a column behind the others. It is as wide as its title, and as what columns_measure() is told
 * of; a name has the right to NAME_LEAST columns.
 */
struct column *columns_add(struct columns *columns, size_t id, enum column_form form, unsigned rank,
                           const char *title);

/* There is this text in the column. */
void columns_measure(struct column *column, const char *text);

/* It has this width at least, so that columns do not move at each sample. */
void columns_measure_width(struct column *column, size_t width);

/* Gives each its place. */
void columns_place(struct columns *columns, size_t width);

static inline bool column_is_shown(const struct column *column)
{
    return column->begin < column->end;
}

/* Where the last one that is shown ends. */
size_t columns_end(const struct columns *columns);

void columns_put_titles(const struct region *region);

void column_put(const struct region *region, const struct column *column, size_t line,
                enum screen_style style, const char *text);

#endif
