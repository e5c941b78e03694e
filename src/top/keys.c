/* SPDX-License-Identifier: MIT */
/* What the keys do. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats/histogram.h"
#include "base/count.h"
#include "top/keys.h"

static struct model_cursor *current(struct model *model)
{
    return &model->cursors[model->level];
}

/* ---- moving --------------------------------------------------------------------------------- */

/* The first line of a list is just that; any other is meant itself. */
static void move_to(struct model *model, size_t index)
{
    struct model_cursor *cursor = current(model);

    if (!model->n_items)
        return;
    cursor->index = index < model->n_items ? index : model->n_items - 1;
    cursor->key = cursor->index && model->level < MODEL_BUCKETS
                      ? model_key_of(&model->items[cursor->index])
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

static void press_move(struct model *model, int key)
{
    size_t index;

    if (find_line(key, current(model)->index, model->page ? model->page : 1, &index))
        move_to(model, index);
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

static enum model_level level_below(const struct model *model, const struct model_item *item)
{
    if (model->level == MODEL_VMS)
        return MODEL_OBJECTS;
    if (model->level < MODEL_STATS)
        return MODEL_STATS;
    return histogram_is(item->series->stat) ? MODEL_BUCKETS : MODEL_HISTORY;
}

static void drill_down(struct model *model, int key)
{
    const struct model_item *item = model_selected(model);

    (void)key;
    if (!item || model->level > MODEL_STATS)
        return;
    current(model)->key = model_key_of(item); /* coming back finds it */
    if (model->level < MODEL_STATS)
        model->is_flat = model->level == MODEL_VCPUS;
    model->vm = item->vm;
    model->object = item->object;
    model->series = item->series;
    enter(model, level_below(model, item));
    if (model->level == MODEL_HISTORY)
        model_begin_history(model);
}

static void go_back(struct model *model, int key)
{
    (void)key;
    if (model->level > MODEL_VMS)
        model->level = model_level_above(model);
    else
        current(model)->filter[0] = '\0';
}

static void toggle_vcpus(struct model *model, int key)
{
    (void)key;
    if (model->level == MODEL_VCPUS)
        model->level = MODEL_VMS;
    else
        enter(model, MODEL_VCPUS);
}

/* ---- choices -------------------------------------------------------------------------------- */

static bool has_order(struct model *model)
{
    if (model->level < MODEL_BUCKETS)
        return true;
    say(model, model->level == MODEL_BUCKETS ? "buckets have their own order"
                                             : "samples have their own order");
    return false;
}

/* The next column that there is, behind the last one perhaps the first; SIZE_MAX: there is none. */
static size_t next_column(const struct model *model, size_t column, size_t step, bool is_round)
{
    size_t n = model_count_columns(model->level);

    for (size_t i = 0; i < n; i++) {
        size_t next = column + step;

        if (next >= n && !is_round)
            return SIZE_MAX;
        column = next % n;
        if (model_has_column(model, model->level, column))
            return column;
    }
    return SIZE_MAX;
}

static void sort_by_next(struct model *model, int key)
{
    struct model_cursor *cursor = current(model);
    size_t column = next_column(model, cursor->column, key == '<' ? SIZE_MAX : 1, key == 'o');

    if (column != SIZE_MAX)
        cursor->column = column;
    cursor->is_reversed = false;
}

static void press_sort(struct model *model, int key)
{
    if (!has_order(model))
        return;
    if (key == 'R')
        current(model)->is_reversed = !current(model)->is_reversed;
    else
        sort_by_next(model, key);
}

/* The statistics of the column that is big are the ones to sort by. */
static void toggle_totals(struct model *model, int key)
{
    struct model_cursor *stats = &model->cursors[MODEL_STATS];

    (void)key;
    model->is_totals = !model->is_totals;
    if (stats->column)
        stats->column = model->is_totals ? 2 : 1;
}

/* ---- the prompt ----------------------------------------------------------------------------- */

static void ask(struct model *model, enum model_prompt prompt)
{
    if (prompt == MODEL_PROMPT_FILTER && model->level >= MODEL_BUCKETS) {
        say(model, model->level == MODEL_BUCKETS ? "buckets can't be filtered"
                                                 : "samples can't be filtered");
        return;
    }
    model->prompt = prompt;
    model->prompt_level = model->level;
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
        strcpy(model->cursors[model->prompt_level].filter, model->text);
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

static void ask_filter(struct model *model, int key)
{
    if (key == 'g')
        model->level = MODEL_VMS;
    ask(model, MODEL_PROMPT_FILTER);
}

static void clear_filter(struct model *model, int key)
{
    (void)key;
    current(model)->filter[0] = '\0';
}

static void toggle_zeros(struct model *model, int key)
{
    (void)key;
    model->is_nonzero = !model->is_nonzero;
}

static void ask_interval(struct model *model, int key)
{
    (void)key;
    ask(model, MODEL_PROMPT_INTERVAL);
}

static void rebase(struct model *model, int key)
{
    (void)key;
    model_rebase(model);
    say(model, "totals count from now on");
}

static void toggle_pause(struct model *model, int key)
{
    (void)key;
    model->is_paused = !model->is_paused;
}

static void open_help(struct model *model, int key)
{
    (void)key;
    model->has_help = true;
    model->help_top = 0;
}

static void quit(struct model *model, int key)
{
    (void)key;
    model->is_done = true;
}

#define AT_ALL(hint)                                                                               \
    {                                                                                              \
        hint, hint, hint, hint, hint, hint                                                         \
    }
#define AT_LISTS(hint)                                                                             \
    {                                                                                              \
        hint, hint, hint, hint                                                                     \
    }

const struct key keys[] = {
    {{MODEL_KEY_ENTER, 'x', MODEL_KEY_RIGHT},
     "Enter, x, Right",
     "drill down: VM, vCPU, statistic",
     {"vCPUs", "statistics", "statistics", "statistic"},
     drill_down},
    {{MODEL_KEY_ESCAPE, MODEL_KEY_BACKSPACE, MODEL_KEY_LEFT},
     "Esc, Backspace, Left",
     "back",
     {NULL, "back", "back", "back", "back", "back"},
     go_back},
    {{'v'}, "v", "all vCPUs of all VMs in one list; again: back", {"all vCPUs"}, toggle_vcpus},
    {{MODEL_KEY_UP, MODEL_KEY_DOWN, 'k', 'j'},
     "Up, Down, k, j",
     "the line before, the next line",
     {NULL},
     press_move},
    {{MODEL_KEY_PAGE_UP, MODEL_KEY_PAGE_DOWN, MODEL_KEY_HOME, MODEL_KEY_END},
     "PgUp, PgDn, Home, End",
     "a page, the first line, the last line",
     {NULL},
     press_move},
    {{'o', '<', '>'},
     "o, <, >",
     "sort by the next column; by the one left, right",
     AT_LISTS("sort"),
     press_sort},
    {{'R'}, "R", "the other way round", {NULL}, press_sort},
    {{'f', '/'},
     "f, /",
     "filter by a name, a part of it, or a glob",
     AT_LISTS("filter"),
     ask_filter},
    {{'g'}, "g", "filter the VMs", {NULL}, ask_filter},
    {{'c'}, "c", "clear the filter", {NULL}, clear_filter},
    {{'t'}, "t", "totals instead of rates", AT_ALL("totals"), toggle_totals},
    {{'z'}, "z", "leave out statistics that are 0", {[MODEL_STATS] = "zeros"}, toggle_zeros},
    {{'r'},
     "r",
     "reset the baseline: totals count from now on",
     {[MODEL_BUCKETS] = "reset", [MODEL_HISTORY] = "reset"},
     rebase},
    {{'s'},
     "s",
     "set the interval in seconds",
     {[MODEL_BUCKETS] = "interval", [MODEL_HISTORY] = "interval"},
     ask_interval},
    {{'p', ' '},
     "p, Space",
     "pause, go on",
     {[MODEL_BUCKETS] = "pause", [MODEL_HISTORY] = "pause"},
     toggle_pause},
    {{'h', '?'}, "h, ?", "this help", AT_ALL("help"), open_help},
    {{'q'}, "q", "quit", AT_ALL("quit"), quit},
};

const size_t n_keys = COUNT(keys);

static void press(struct model *model, int code)
{
    for (size_t i = 0; i < n_keys; i++)
        for (size_t j = 0; j < KEY_CODES_MAX && keys[i].codes[j]; j++)
            if (keys[i].codes[j] == code) {
                keys[i].press(model, code);
                return;
            }
}

void model_press(struct model *model, int key)
{
    model->message[0] = '\0';
    if (model->prompt)
        press_at_prompt(model, key);
    else if (model->has_help)
        press_in_help(model, key);
    else
        press(model, key);
    model_arrange(model);
}
