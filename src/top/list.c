/* SPDX-License-Identifier: MIT */
#include "top/list.h"

#include "base/count.h"
#include "show/description.h"

enum { DESCRIPTION_WIDTH_MAX = 100 };

static const struct view *const views[] = {
    [MODEL_VMS] = &vms_view,     [MODEL_VCPUS] = &vcpus_view,     [MODEL_OBJECTS] = &vms_view,
    [MODEL_STATS] = &stats_view, [MODEL_BUCKETS] = &buckets_view, [MODEL_HISTORY] = &history_view,
};
ASSERT_COUNT(views, MODEL_LEVELS);

bool list_has_line_for_all(const struct model *model)
{
    return views[model->level]->has_line_for_all && model->level != MODEL_OBJECTS &&
           model->n_items > 1;
}

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

/* ---- what stands below ---------------------------------------------------------------------- */

static size_t put_lines(const struct region *region, size_t line, size_t n, char *text)
{
    size_t i = 0;

    for (char *end; i < n && (end = strchr(text, '\n')); text = end + 1, i++) {
        *end = '\0';
        screen_put(region->screen, line + i, 0, SIZE_MAX, STYLE_NORMAL, text);
    }
    return i;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

/* As much as there is room for below an empty line; the first lines are the ones that count. */
static void put_description(struct region *region, const struct view *view)
{
    const struct series *series = region->model->series;
    const struct description description = {
        series->provider, series->target, series->stat->name, series->stat,
        explanation_find(series->provider, series->target, series->stat->name)};
    size_t width = region->screen->width, n, least = view->least_lines;
    struct buf out = {0};

    if (region->model->level == MODEL_BUCKETS && region->model->n_items > least)
        least = region->model->n_items;
    if (region->n < least + 2)
        return;
    description_put_advice(&out, &description,
                           width < DESCRIPTION_WIDTH_MAX ? width : DESCRIPTION_WIDTH_MAX);
    buf_append(&out, "", 1);
    if (out.failed) {
        region->model->has_failed = true;
    } else {
        n = list_least(count_lines(out.data), region->n - least - 1);
        put_lines(region, region->line + region->n - n, n, out.data);
        region->n -= n + 1;
    }
    buf_free(&out);
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

void list_put_bar(const struct region *region, size_t line, size_t column, double share)
{
    size_t width = region->screen->width;
    struct buf bar = {0};

    histogram_text_put_bar(&bar, share, width > column ? width - column : 0,
                           region->screen->is_unicode);
    buf_append(&bar, "", 1);
    if (bar.failed)
        region->model->has_failed = true;
    else
        screen_put(region->screen, line, column, SIZE_MAX, STYLE_BAR, bar.data);
    buf_free(&bar);
}

/* ---- columns -------------------------------------------------------------------------------- */

static size_t count_shown(const struct region *region)
{
    const struct model *model = region->model;

    return list_least(region->n, model->n_items - model->cursors[model->level].top);
}

static const struct model_item *item_at(const struct region *region, size_t i)
{
    return &region->model->items[region->model->cursors[region->model->level].top + i];
}

/*
 * Of each line, what stands in its cells: a byte for the style, and the text with its NUL. Columns are
 * as wide as what stands in them, so all of it is needed before any of it is drawn, and texts of
 * numbers are what costs most here.
 */
static void keep(const struct region *region, const struct cell *cell)
{
    char style = (char)cell->style;

    buf_append(&region->screen->texts, &style, 1);
    buf_append(&region->screen->texts, cell->text, strlen(cell->text) + 1);
}

static void measure(struct region *region, const struct view *view, const struct model_item *item)
{
    struct cell cell;

    for (size_t i = 0; i < region->columns.n; i++) {
        bool is_last = i && item && view->replace && view->replace(region, item, &cell);

        if (!is_last) {
            cell.text[0] = '\0'; /* there is much more of it */
            cell.style = STYLE_NORMAL;
            view->fill(region, item, &region->columns.all[i], &cell);
            columns_measure(&region->columns.all[i], cell.text);
        }
        keep(region, &cell);
        if (is_last)
            return;
    }
}

static void lay_out(struct region *region, const struct view *view, bool has_line_for_all)
{
    const struct model *model = region->model;

    region->columns.n = 0;
    view->add_columns(region);
    for (size_t i = 0; model_count_columns(model->level) && i < region->columns.n; i++)
        region->columns.all[i].is_sorted =
            region->columns.all[i].id == model->cursors[model->level].column;
    buf_reset(&region->screen->texts);
    if (has_line_for_all)
        measure(region, view, NULL);
    for (size_t i = 0; i < count_shown(region); i++)
        measure(region, view, item_at(region, i));
    columns_place(&region->columns, region->screen->width);
}

const char *list_hidden_order(const struct region *region)
{
    for (size_t i = 0; i < region->columns.n; i++)
        if (region->columns.all[i].is_sorted && !column_is_shown(&region->columns.all[i]))
            return region->columns.all[i].title;
    return NULL;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* @kept: of this line; moved to the next one. */
static void put_line(const struct region *region, const struct view *view, size_t line,
                     const struct model_item *item, const char **kept)
{
    struct cell cell;

    for (size_t i = 0; i < region->columns.n; i++) {
        const struct column *column = &region->columns.all[i];
        enum screen_style style = (unsigned char)**kept;
        const char *text = *kept + 1;

        *kept = text + strlen(text) + 1;
        if (i == 1 && item && view->replace && view->replace(region, item, &cell)) {
            screen_put(region->screen, line, region->columns.all[0].end + 1, SIZE_MAX, style, text);
            return;
        }
        column_put(region, column, line, item ? style : STYLE_STRONG, text);
    }
    if (view->put_rest && item)
        view->put_rest(region, line, columns_end(&region->columns), item);
}

static void put_lines_of_items(struct region *region, const struct view *view,
                               bool has_line_for_all)
{
    const char *kept = region->screen->texts.data;

    if (region->screen->texts.failed) {
        region->model->has_failed = true;
        return;
    }
    if (has_line_for_all)
        put_line(region, view, region->line++, NULL, &kept);
    for (size_t i = 0; i < count_shown(region); i++)
        put_line(region, view, region->line + i, item_at(region, i), &kept);
}

void list_draw(struct region *region)
{
    const struct view *view = views[region->model->level];
    bool has_line_for_all = list_has_line_for_all(region->model) &&
                            (region->n > region->model->n_items || region->n > 3);

    if (view->begin && !view->begin(region))
        return;
    if (has_line_for_all)
        region->n--;
    if (view->least_lines)
        put_description(region, view);
    scroll(region->model, region->n);
    lay_out(region, view, has_line_for_all);
    if (region->titles != SIZE_MAX) {
        screen_paint(region->screen, region->titles, STYLE_TITLE);
        columns_put_titles(region);
    }
    put_lines_of_items(region, view, has_line_for_all);
    put_explanation(region, view);
    if (view->end)
        view->end(region);
}
