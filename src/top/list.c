/* SPDX-License-Identifier: MIT */
#include "top/list.h"

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

static void put_items(const struct region *region, const struct histogram *histogram)
{
    const struct model *model = region->model;
    size_t top = model->cursors[model->level].top;

    for (size_t i = 0; i < region->n && top + i < model->n_items; i++) {
        const struct model_item *item = &model->items[top + i];
        size_t line = region->line + i;

        if (model->level == MODEL_BUCKETS)
            buckets_put_item(region, histogram, line, item->index);
        else if (model->level == MODEL_STATS)
            stats_put_item(region, line, item);
        else
            vms_put_item(region, line, item);
    }
}

static void put_titles(const struct region *region)
{
    if (region->model->level == MODEL_BUCKETS)
        buckets_put_titles(region);
    else if (region->model->level == MODEL_STATS)
        stats_put_titles(region);
    else
        vms_put_titles(region);
}

void list_draw(struct region *region)
{
    struct model *model = region->model;
    struct histogram histogram = {0};

    if (model->level == MODEL_BUCKETS && !buckets_read(region, &histogram))
        return;
    scroll(model, region->n);
    put_titles(region);
    put_items(region, &histogram);
    if (model->level == MODEL_BUCKETS && !histogram.count && model->n_items < region->n)
        screen_put(region->screen, region->line + model->n_items, 1, SIZE_MAX, STYLE_DIM,
                   buckets_explain_empty(model, &histogram));
    else if (!model->n_items && region->n)
        screen_put(region->screen, region->line, 1, SIZE_MAX, STYLE_DIM,
                   model->cursors[model->level].filter[0]
                       ? "nothing matches the filter; c clears it"
                       : "nothing yet");
    buckets_free(&histogram);
}
