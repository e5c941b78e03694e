/* SPDX-License-Identifier: MIT */
/* What the keys do. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats/histogram.h"
#include "top/model.h"

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
    cursor->key = cursor->index && model->level != MODEL_BUCKETS
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
    current(model)->key = model_key_of(item); /* coming back finds it */
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
        model_rebase(model);
        say(model, "totals count from now on");
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
