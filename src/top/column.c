/* SPDX-License-Identifier: MIT */
#include "top/column.h"

#include <stdio.h>
#include <string.h>

enum {
    NAME_LEAST = 20,  /* of the first column, or a quarter of the screen */
    TEXT_LEAST = 16,  /* of other names */
    NUMBER_LEAST = 4, /* "100%" */
    GAP = 2,
    GAP_LEAST = 1,
};

void columns_measure_width(struct column *column, size_t width)
{
    if (width > column->most)
        column->most = width;
    if (width > column->least)
        column->least = width;
}

struct column *columns_add(struct columns *columns, size_t id, enum column_form form, unsigned rank,
                           const char *title)
{
    struct column *column = &columns->all[columns->n];
    size_t width = screen_text_width(title);

    if (columns->n + 1 < COLUMNS_MAX)
        columns->n++;
    *column = (struct column){.form = form, .id = id, .rank = rank, .least = width, .most = width};
    snprintf(column->title, sizeof(column->title), "%s", title);
    if (form == COLUMN_NUMBER)
        columns_measure_width(column, NUMBER_LEAST);
    return column;
}

void columns_measure(struct column *column, const char *text)
{
    size_t width = screen_text_width(text);
    size_t least = column->form == COLUMN_NAME && width > TEXT_LEAST ? TEXT_LEAST : width;

    columns_measure_width(column, least);
    if (width > column->most)
        column->most = width;
}

/* ---- room ----------------------------------------------------------------------------------- */

static size_t least_of_first(const struct column *first, size_t width)
{
    size_t least = width / 4 < NAME_LEAST ? width / 4 : NAME_LEAST;

    if (first->form == COLUMN_NUMBER || first->most < least)
        return first->most < width ? first->most : width;
    return least ? least : 1;
}

/* Names that nobody can tell apart are worth less than a column that says little. */
static size_t widen_first(struct column *first, size_t left)
{
    size_t more = first->most > first->end ? list_least(first->most - first->end, left) : 0;

    first->end += more;
    return more;
}

/* Until they are placed, @end is how wide those are that have room. Returns how many have it, of those that count most. */
static size_t choose(struct columns *columns, size_t width, size_t gap, size_t *ret_used)
{
    size_t n = 1, used = least_of_first(&columns->all[0], width);
    unsigned rank = 0, highest = 0;

    columns->all[0].end = used;
    for (size_t i = 1; i < columns->n; i++) {
        columns->all[i].end = 0;
        highest = columns->all[i].rank > highest ? columns->all[i].rank : highest;
    }
    for (; rank <= highest; rank++) {
        if (rank == COLUMN_EXTRA)
            used += widen_first(&columns->all[0], width - used);
        for (size_t i = 1; i < columns->n; i++) {
            struct column *column = &columns->all[i];

            if (column->rank != rank || used + gap + column->least > width)
                continue;
            column->end = column->least;
            used += gap + column->least;
            n += rank < COLUMN_EXTRA;
        }
    }
    *ret_used = used;
    return n;
}

/* What is left goes to texts, from the first on. */
static void widen(struct columns *columns, size_t left)
{
    for (size_t i = 0; i < columns->n; i++) {
        struct column *column = &columns->all[i];
        size_t more = column->end && column->most > column->end ? column->most - column->end : 0;

        more = list_least(more, left);
        column->end += more;
        left -= more;
    }
}

void columns_place(struct columns *columns, size_t width)
{
    size_t gap = GAP, used = 0, at = 0;

    if (!columns->n)
        return;
    if (choose(columns, width, GAP, &used) < choose(columns, width, GAP_LEAST, &used))
        gap = GAP_LEAST;
    choose(columns, width, gap, &used);
    widen(columns, width > used ? width - used : 0);
    for (size_t i = 0; i < columns->n; i++) {
        struct column *column = &columns->all[i];
        size_t needs = column->end;

        column->begin = at + (i && needs ? gap : 0);
        column->end = column->begin + needs;
        at = column->end;
    }
}

size_t columns_end(const struct columns *columns)
{
    return columns->n ? columns->all[columns->n - 1].end : 0;
}

/* ---- drawing -------------------------------------------------------------------------------- */

void columns_put_titles(const struct region *region)
{
    for (size_t i = 0; i < region->columns.n; i++) {
        const struct column *column = &region->columns.all[i];
        enum screen_style style = column->is_sorted ? STYLE_SORTED : STYLE_TITLE;

        column_put(region, column, region->titles, style, column->title);
    }
}

void column_put(const struct region *region, const struct column *column, size_t line,
                enum screen_style style, const char *text)
{
    if (!column_is_shown(column))
        return;
    if (column->form == COLUMN_NUMBER)
        screen_put_right(region->screen, line, column->begin, column->end, style, text);
    else
        screen_put_name(region->screen, line, column->begin, column->end, style, text);
}
