/* SPDX-License-Identifier: MIT */
#include "top/column.h"

void list_put_title(const struct region *region, const struct column *column)
{
    enum screen_style style = column->is_sorted ? STYLE_SORTED : STYLE_TITLE;

    if (column->is_right)
        screen_put_right(region->screen, region->titles, column->begin, column->end, style,
                         column->title);
    else
        screen_put(region->screen, region->titles, column->begin, column->end, style,
                   column->title);
}

bool list_is_sorted_by(const struct region *region, size_t column)
{
    return region->model->cursors[region->model->level].column == column;
}
