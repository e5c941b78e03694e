/* SPDX-License-Identifier: MIT */
#include "top/list.h"

#include "base/count.h"

static const struct view *const views[] = {
    [MODEL_VMS] = &vms_view,
    [MODEL_OBJECTS] = &vms_view,
    [MODEL_STATS] = &stats_view,
    [MODEL_BUCKETS] = &buckets_view,
};
ASSERT_COUNT(views, MODEL_LEVELS);

/* The line of the cursor is in sight. */
static void scroll(struct model *model, size_t page)
{
    struct model_cursor *cursor = &model->cursors[model->level];

    model->page = page;
    if (cursor->top > cursor->index)
        cursor->top = cursor->index;
    if (page && cursor->index - cursor->top >= page)
        cursor->top = cursor->index - page + 1;
    if (cursor->top + page > model->n_items)
        cursor->top = model->n_items > page ? model->n_items - page : 0;
}

static void put_titles(const struct region *region, const struct view *view)
{
    if (region->titles == SIZE_MAX)
        return;
    screen_paint(region->screen, region->titles, STYLE_TITLE);
    view->put_titles(region);
}

static void put_items(const struct region *region, const struct view *view)
{
    const struct model *model = region->model;
    size_t top = model->cursors[model->level].top;

    for (size_t i = 0; i < region->n && top + i < model->n_items; i++)
        view->put_item(region, region->line + i, &model->items[top + i]);
}

static const char *explain_empty(const struct region *region)
{
    const struct model *model = region->model;

    if (model->n_items)
        return NULL;
    return model->cursors[model->level].filter[0] ? "nothing matches the filter; c clears it"
                                                  : "nothing yet";
}

static void put_explanation(const struct region *region, const struct view *view)
{
    const char *text = view->explain_empty ? view->explain_empty(region) : explain_empty(region);

    if (text && region->model->n_items < region->n)
        screen_put(region->screen, region->line + region->model->n_items, 1, SIZE_MAX, STYLE_DIM,
                   text);
}

void list_draw(struct region *region)
{
    const struct view *view = views[region->model->level];

    if (view->begin && !view->begin(region))
        return;
    scroll(region->model, region->n);
    put_titles(region, view);
    put_items(region, view);
    put_explanation(region, view);
    if (view->end)
        view->end(region);
}
