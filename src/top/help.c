/* SPDX-License-Identifier: MIT */
#include "top/help.h"

#include <stdio.h>

#include "top/keys.h"

enum { MARGIN = 2, KEY_WIDTH = 23, COLUMN_WIDTH = 75 };

struct layout {
    size_t columns, rows;
    size_t above, below; /* lines for what is not keys */
};

/* A low screen has no empty lines, and two columns if it is wide. */
static struct layout choose_layout(const struct screen *screen)
{
    bool is_high = screen->height >= n_keys + 4;
    size_t around = is_high ? 2 : 1;
    struct layout layout = {
        .columns = !is_high && screen->width >= 2 * COLUMN_WIDTH ? 2 : 1,
        .above = screen->height > 2 ? around : 0,
        .below = screen->height > 1 ? around : 0,
    };

    layout.rows = (n_keys + layout.columns - 1) / layout.columns;
    return layout;
}

static void put_key(struct screen *screen, size_t line, size_t column, size_t key)
{
    size_t text = column + MARGIN + KEY_WIDTH;

    screen_put(screen, line, column + MARGIN, text, STYLE_GOOD, keys[key].names);
    screen_put(screen, line, text, column + COLUMN_WIDTH, STYLE_NORMAL, keys[key].help);
}

static void put_keys(struct screen *screen, const struct model *model, const struct layout *layout)
{
    for (size_t i = 0; i < layout->rows && i < model->help_page; i++)
        for (size_t j = 0; j < layout->columns; j++) {
            size_t key = model->help_top + i + j * layout->rows;

            if (key < n_keys)
                put_key(screen, layout->above + i, j * COLUMN_WIDTH, key);
        }
}

static void put_end(struct screen *screen, const struct model *model, const struct layout *layout)
{
    bool is_all = !model->help_last;
    size_t shown = is_all ? layout->rows : model->help_page;

    screen_put(screen, layout->above + shown + layout->below - 1, 0, SIZE_MAX, STYLE_DIM,
               is_all ? "Any key goes back." : "Up, Down: more. Any other key goes back.");
}

void help_draw(struct screen *screen, struct model *model)
{
    const struct layout layout = choose_layout(screen);

    model->help_page = screen->height - layout.above - layout.below;
    model->help_last = layout.rows > model->help_page ? layout.rows - model->help_page : 0;
    if (model->help_top > model->help_last)
        model->help_top = model->help_last;
    if (layout.above)
        screen_put(screen, 0, 0, SIZE_MAX, STYLE_STRONG, "vitals top: keys");
    put_keys(screen, model, &layout);
    if (layout.below)
        put_end(screen, model, &layout);
}
