/* SPDX-License-Identifier: MIT */
#include "top/screen.h"

#include "top/frame.h"
#include "top/help.h"
#include "top/list.h"

/* A low screen keeps the list longest. */
static struct region choose_region(struct screen *screen, struct model *model)
{
    size_t above = screen->height >= 6 ? 2 : screen->height >= 3 ? 1 : 0;
    size_t below = screen->height >= 4 ? 1 : 0;
    bool has_titles = screen->height >= 5;

    return (struct region){
        .screen = screen,
        .model = model,
        .titles = has_titles ? above : SIZE_MAX,
        .line = above + has_titles,
        .n = screen->height - above - has_titles - below,
    };
}

static void select_line(struct screen *screen, const struct region *region)
{
    const struct model_cursor *cursor = &region->model->cursors[region->model->level];

    if (region->model->n_items && region->model->level < MODEL_BUCKETS && region->n)
        screen_paint(screen, region->line + cursor->index - cursor->top, STYLE_SELECTED);
}

void screen_draw(struct screen *screen, struct model *model)
{
    struct region region;

    screen_clear(screen);
    if (!screen->width || !screen->height)
        return;
    if (model->has_help) {
        help_draw(screen, model);
        return;
    }
    region = choose_region(screen, model);
    list_draw(&region);
    select_line(screen, &region);
    if (screen->height >= 3)
        frame_put_header(screen, model, list_hidden_order(&region));
    if (screen->height >= 6)
        frame_put_path(screen, model);
    if (screen->height >= 4 || model->prompt)
        frame_put_footer(screen, model);
}
