/* SPDX-License-Identifier: MIT */
/* What the keys do, and which lines the list of a level has. */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/histogram.h"
#include "top/figure.h"
#include "top/model.h"

static struct model_cursor *current(struct model *model)
{
    return &model->cursors[model->level];
}

/* ---- the list of a level -------------------------------------------------------------------- */

static void add_item(struct model *model, struct model_item item)
{
    if (model->n_items == model->cap) {
        size_t cap = model->cap ? 2 * model->cap : 64;
        struct model_item *grown = reallocarray(model->items, cap, sizeof(*grown));

        if (!grown) {
            model->has_failed = true;
            return;
        }
        model->items = grown;
        model->cap = cap;
    }
    item.index = model->n_items;
    model->items[model->n_items++] = item;
}

/* Without any of *?[ the filter may stand anywhere in the name. */
static bool passes(struct model *model, const char *name)
{
    const char *filter = current(model)->filter;

    if (!*filter)
        return true;
    return strpbrk(filter, "*?[") ? fnmatch(filter, name, 0) == 0 : strstr(name, filter) != NULL;
}

static void list_vms(struct model *model)
{
    for (size_t i = 0; i < model->n_vms; i++)
        if (passes(model, model->vms[i].name))
            add_item(model, (struct model_item){.vm = &model->vms[i]});
}

static void list_objects(struct model *model)
{
    for (size_t i = 0; i < model->vm->n_objects; i++) {
        struct model_object *object = model->vm->objects[i];
        const struct row row = {.path = object->path, .vcpu = object->vcpu};
        char name[QUANTITY_MAX];

        if (passes(model, row_object(name, &row)))
            add_item(model, (struct model_item){.vm = model->vm, .object = object});
    }
}

/* Nothing since the baseline, and no reset to tell of. */
static bool is_zero(const struct model *model, const struct model_series *series)
{
    for (size_t i = 0; i < series->n; i++)
        if (model_total(model, series, i))
            return false;
    return !series->is_reset;
}

static void list_stats(struct model *model)
{
    for (size_t i = 0; i < model->object->n_series; i++) {
        struct model_series *series = model->object->series[i];

        if (passes(model, series->stat->name) && !(model->is_nonzero && is_zero(model, series)))
            add_item(model, (struct model_item){
                                .vm = model->vm, .object = model->object, .series = series});
    }
}

/* From the first bucket that ever counted something to the last. */
static void list_buckets(struct model *model)
{
    const struct model_series *series = model->series;
    size_t first = series->n, end = 0;

    for (size_t i = 0; i < series->n; i++) {
        if (series->totals[i] && first == series->n)
            first = i;
        if (series->totals[i])
            end = i + 1;
    }
    for (size_t i = first; i < end; i++) {
        add_item(model, (struct model_item){
                            .vm = model->vm, .object = model->object, .series = model->series});
        if (!model->has_failed)
            model->items[model->n_items - 1].index = i;
    }
}

/* ---- order ---------------------------------------------------------------------------------- */

size_t model_count_columns(enum model_level level)
{
    static const size_t columns[MODEL_LEVELS] = {1 + FIGURES, 1 + FIGURES, 3, 0};

    return columns[level];
}

/* Descending; what has no value comes last. */
static double order_of_figure(const struct model *model, const struct model_item *item,
                              size_t column)
{
    double value;

    if (!figure_value(model, item->vm, item->object, &figures[column - 1], &value))
        return INFINITY;
    return -value;
}

static double order_of_stat(const struct model *model, const struct model_item *item, bool is_total)
{
    const struct model_series *series = item->series;
    double scale = histogram_is(series->stat) ? 1 : pow(series->stat->base, series->stat->exponent);
    double sum = 0;

    if (!is_total && !series->has_deltas)
        return INFINITY;
    for (size_t i = 0; i < series->n; i++)
        sum += is_total ? (double)model_total(model, series, i)
                        : (double)series->deltas[i] / series->seconds;
    return -sum * scale;
}

static double order_of(const struct model *model, const struct model_item *item, size_t column)
{
    if (column == 0 || model->level == MODEL_BUCKETS)
        return 0;
    if (model->level == MODEL_STATS)
        return order_of_stat(model, item, column == 2);
    return order_of_figure(model, item, column);
}

static int compare_names(const struct model_item *a, const struct model_item *b)
{
    if (a->series)
        return strcmp(a->series->stat->name, b->series->stat->name);
    return a->object ? 0 : strcmp(a->vm->name, b->vm->name);
}

static int compare(const void *left, const void *right, void *opaque)
{
    const struct model_item *a = left, *b = right;
    const struct model *model = opaque;
    const struct model_cursor *cursor = &model->cursors[model->level];
    int order = (a->order > b->order) - (a->order < b->order);

    if (order == 0 && cursor->column == 0)
        order = compare_names(a, b);
    if (order == 0)
        order = a->index < b->index ? -1 : 1;
    return cursor->is_reversed ? -order : order;
}

static const void *key_of(const struct model_item *item)
{
    if (item->series)
        return item->series;
    return item->object ? (const void *)item->object : item->vm;
}

/* What was selected stays so wherever it has moved. */
static void follow(struct model *model)
{
    struct model_cursor *cursor = current(model);

    for (size_t i = 0; cursor->key && i < model->n_items; i++) {
        if (key_of(&model->items[i]) == cursor->key) {
            cursor->index = i;
            return;
        }
    }
    if (cursor->index >= model->n_items)
        cursor->index = model->n_items ? model->n_items - 1 : 0;
}

void model_arrange(struct model *model)
{
    static void (*const lists[MODEL_LEVELS])(struct model *) = {list_vms, list_objects, list_stats,
                                                                list_buckets};

    model->n_items = 0;
    lists[model->level](model);
    if (model->level != MODEL_BUCKETS && model->n_items) {
        for (size_t i = 0; i < model->n_items; i++)
            model->items[i].order = order_of(model, &model->items[i], current(model)->column);
        qsort_r(model->items, model->n_items, sizeof(*model->items), compare, model);
    }
    follow(model);
}

const struct model_item *model_selected(const struct model *model)
{
    return model->n_items ? &model->items[model->cursors[model->level].index] : NULL;
}

/* ---- moving --------------------------------------------------------------------------------- */

/* The first line of a list is just that; any other is meant itself. */
static void move_to(struct model *model, size_t index)
{
    struct model_cursor *cursor = current(model);

    if (!model->n_items)
        return;
    cursor->index = index < model->n_items ? index : model->n_items - 1;
    cursor->key = cursor->index && model->level != MODEL_BUCKETS
                      ? key_of(&model->items[cursor->index])
                      : NULL;
}

/* Where a key leads from line @index, perhaps behind the last one. False: it does not move. */
static bool find_line(int key, size_t index, size_t page, size_t *ret_index)
{
    switch (key) {
    case MODEL_KEY_UP:
    case 'k':
        *ret_index = index ? index - 1 : 0;
        return true;
    case MODEL_KEY_DOWN:
    case 'j':
        *ret_index = index + 1;
        return true;
    case MODEL_KEY_PAGE_UP:
        *ret_index = index > page ? index - page : 0;
        return true;
    case MODEL_KEY_PAGE_DOWN:
        *ret_index = index + page;
        return true;
    case MODEL_KEY_HOME:
        *ret_index = 0;
        return true;
    case MODEL_KEY_END:
        *ret_index = SIZE_MAX;
        return true;
    default:
        return false;
    }
}

static bool press_move(struct model *model, int key)
{
    size_t index;

    if (!find_line(key, current(model)->index, model->page ? model->page : 1, &index))
        return false;
    move_to(model, index);
    return true;
}

/* If all of it is shown, any key goes back. */
static void press_in_help(struct model *model, int key)
{
    size_t line;

    if (!model->help_last || !find_line(key, model->help_top, model->help_page, &line))
        model->has_help = false;
    else
        model->help_top = line < model->help_last ? line : model->help_last;
}

/* ---- levels --------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void say(struct model *model, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(model->message, sizeof(model->message), format, args);
    va_end(args);
}

/* A level below begins at its first line; how it is sorted and filtered stays. */
static void enter(struct model *model, enum model_level level)
{
    struct model_cursor *cursor = &model->cursors[level];

    model->level = level;
    cursor->key = NULL;
    cursor->index = cursor->top = 0;
}

static void drill_down(struct model *model)
{
    const struct model_item *item = model_selected(model);

    if (!item || model->level == MODEL_BUCKETS)
        return;
    if (item->series && !histogram_is(item->series->stat)) {
        say(model, "only a histogram has more to show");
        return;
    }
    current(model)->key = key_of(item); /* coming back finds it */
    model->vm = item->vm;
    model->object = item->object;
    model->series = item->series;
    enter(model, model->level + 1);
}

static void go_back(struct model *model)
{
    if (model->level > MODEL_VMS)
        model->level--;
    else
        current(model)->filter[0] = '\0';
}

/* ---- choices -------------------------------------------------------------------------------- */

static void sort_by(struct model *model, size_t column)
{
    if (model->level == MODEL_BUCKETS) {
        say(model, "buckets have their own order");
        return;
    }
    current(model)->column = column;
    current(model)->is_reversed = false;
}

static void press_sort(struct model *model, int key)
{
    size_t n = model_count_columns(model->level), column = current(model)->column;

    if (key == 'o')
        sort_by(model, n ? (column + 1) % n : 0);
    else if (key == '>')
        sort_by(model, column + 1 < n ? column + 1 : column);
    else if (key == '<')
        sort_by(model, column ? column - 1 : 0);
    else
        current(model)->is_reversed = !current(model)->is_reversed;
}

static void rebase(struct model *model)
{
    for (size_t i = 0; i < model->n_vms; i++)
        for (size_t j = 0; j < model->vms[i].n_objects; j++)
            for (size_t k = 0; k < model->vms[i].objects[j]->n_series; k++) {
                struct model_series *series = model->vms[i].objects[j]->series[k];
                memcpy(series->baseline, series->totals, series->n * sizeof(uint64_t));
            }
    model->is_rebased = true;
    model->base_time = model->time;
    say(model, "totals count from now on");
}

/* The statistics of the column that is big are the ones to sort by. */
static void toggle_totals(struct model *model)
{
    struct model_cursor *stats = &model->cursors[MODEL_STATS];

    model->is_totals = !model->is_totals;
    if (stats->column)
        stats->column = model->is_totals ? 2 : 1;
}

/* ---- the prompt ----------------------------------------------------------------------------- */

static void ask(struct model *model, enum model_prompt prompt)
{
    if (prompt == MODEL_PROMPT_FILTER && model->level == MODEL_BUCKETS) {
        say(model, "buckets can't be filtered");
        return;
    }
    model->prompt = prompt;
    model->text[0] = '\0';
    if (prompt == MODEL_PROMPT_FILTER)
        strcpy(model->text, current(model)->filter);
}

static void set_interval(struct model *model)
{
    char *end;
    double seconds = strtod(model->text, &end);

    if (end == model->text || *end ||
        !(seconds >= MODEL_INTERVAL_MIN && seconds <= MODEL_INTERVAL_MAX))
        say(model, "no number of seconds from %g to %g", MODEL_INTERVAL_MIN, MODEL_INTERVAL_MAX);
    else
        model->interval = seconds;
}

static void answer(struct model *model)
{
    if (model->prompt == MODEL_PROMPT_INTERVAL && model->text[0])
        set_interval(model);
    if (model->prompt == MODEL_PROMPT_FILTER)
        strcpy(current(model)->filter, model->text);
    model->prompt = MODEL_NO_PROMPT;
}

/* A character can have several bytes. */
static void rub_out(char *text)
{
    size_t len = strlen(text);

    while (len && (text[len - 1] & 0xc0) == 0x80)
        len--;
    text[len ? len - 1 : 0] = '\0';
}

static void press_at_prompt(struct model *model, int key)
{
    size_t len = strlen(model->text);

    if (key == MODEL_KEY_ENTER)
        answer(model);
    else if (key == MODEL_KEY_ESCAPE)
        model->prompt = MODEL_NO_PROMPT;
    else if (key == MODEL_KEY_BACKSPACE)
        rub_out(model->text);
    else if (key == 'u' - '`') /* ^U */
        model->text[0] = '\0';
    else if (key >= ' ' && key <= 0xff && key != 0x7f && len + 1 < sizeof(model->text)) {
        model->text[len] = (char)key;
        model->text[len + 1] = '\0';
    }
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void press_choice(struct model *model, int key)
{
    switch (key) {
    case 'q':
        model->is_done = true;
        break;
    case 'h':
    case '?':
        model->has_help = true;
        model->help_top = 0;
        break;
    case 'p':
    case ' ':
        model->is_paused = !model->is_paused;
        break;
    case 'r':
        rebase(model);
        break;
    case 't':
        toggle_totals(model);
        break;
    case 'z':
        model->is_nonzero = !model->is_nonzero;
        break;
    case 'c':
        current(model)->filter[0] = '\0';
        break;
    case 's':
        ask(model, MODEL_PROMPT_INTERVAL);
        break;
    case 'g':
        model->level = MODEL_VMS;
        ask(model, MODEL_PROMPT_FILTER);
        break;
    case 'f':
    case '/':
        ask(model, MODEL_PROMPT_FILTER);
        break;
    default:
        break;
    }
}

static void press(struct model *model, int key)
{
    switch (key) {
    case MODEL_KEY_ENTER:
    case MODEL_KEY_RIGHT:
    case 'x':
        drill_down(model);
        break;
    case MODEL_KEY_ESCAPE:
    case MODEL_KEY_BACKSPACE:
    case MODEL_KEY_LEFT:
        go_back(model);
        break;
    case 'o':
    case '<':
    case '>':
    case 'R':
        press_sort(model, key);
        break;
    default:
        press_choice(model, key);
        break;
    }
}

void model_press(struct model *model, int key)
{
    model->message[0] = '\0';
    if (model->prompt)
        press_at_prompt(model, key);
    else if (model->has_help)
        press_in_help(model, key);
    else if (!press_move(model, key))
        press(model, key);
    model_arrange(model);
}
