/* SPDX-License-Identifier: MIT */
#include "top/frame.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "top/keys.h"

static size_t count_vcpus(const struct model *model)
{
    size_t n = 0;

    for (size_t i = 0; i < model->n_vms; i++)
        if (model->vms[i] && !model->vms[i]->error)
            n += series_count_vcpus(&model->vms[i]->values);
    return n;
}

void frame_size_text(char text[FRAME_SIZE_MAX], const struct model *model)
{
    size_t n_vms = model_count_vms(model), n_vcpus = count_vcpus(model);
    int len = snprintf(text, FRAME_SIZE_MAX, "%zu %s", n_vms, n_vms == 1 ? "VM" : "VMs");

    if (model->n_cpus)
        snprintf(text + len, FRAME_SIZE_MAX - (size_t)len, ", %zu %s (%.1f per CPU)", n_vcpus,
                 n_vcpus == 1 ? "vCPU" : "vCPUs", (double)n_vcpus / model->n_cpus);
}

void frame_put_header(struct screen *screen, const struct model *model, const char *hidden_order)
{
    size_t n_vms = model_count_vms(model), gone = model_count_gone(model), column;
    char text[SCREEN_TEXT_MAX], size[FRAME_SIZE_MAX], time[32] = "";
    time_t seconds = (time_t)model->time;
    struct tm tm;

    frame_size_text(size, model);
    snprintf(text, sizeof(text), "vitals top: %s%s%s, every %g s, %s", size,
             hidden_order ? ", by " : "", hidden_order ? hidden_order : "", model->interval,
             model->is_totals ? "totals" : "rates");
    column = screen_put(screen, 0, 0, SIZE_MAX, STYLE_STRONG, text);
    if (model->is_paused)
        column = screen_put(screen, 0, column, SIZE_MAX, STYLE_BAD, "  PAUSED");
    if (gone && gone == n_vms)
        column = screen_put(screen, 0, column, SIZE_MAX, STYLE_BAD, "  all VMs are gone");
    else if (gone) {
        snprintf(text, sizeof(text), "  %zu gone", gone);
        column = screen_put(screen, 0, column, SIZE_MAX, STYLE_BAD, text);
    }
    if (model->time && localtime_r(&seconds, &tm) && strftime(time, sizeof(time), "%T", &tm) &&
        column + 2 + strlen(time) <= screen->width)
        screen_put(screen, 0, screen->width - strlen(time), SIZE_MAX, STYLE_DIM, time);
}

static size_t put_step(struct screen *screen, size_t column, const char *text)
{
    size_t most = screen->width / 2; /* what comes behind a long name is to be seen, too */

    column = screen_put(screen, 1, column, SIZE_MAX, STYLE_DIM, " > ");
    return screen_put_name(screen, 1, column, column + most, STYLE_GOOD, text);
}

static void put_choices(struct screen *screen, const struct model *model, size_t column)
{
    const struct model_cursor *cursor = &model->cursors[model->level];
    time_t seconds = (time_t)model->base_time;
    char text[SCREEN_TEXT_MAX];
    struct tm tm;

    if (cursor->filter[0]) {
        snprintf(text, sizeof(text), "  filter: %s", cursor->filter);
        column = screen_put(screen, 1, column, SIZE_MAX, STYLE_BAD, text);
    }
    if (model->is_nonzero && model->level == MODEL_STATS)
        column = screen_put(screen, 1, column, SIZE_MAX, STYLE_DIM, "  without zeros");
    if (model->is_rebased && model->base_time > 0 && localtime_r(&seconds, &tm) &&
        strftime(text, sizeof(text), "  totals since %T", &tm))
        screen_put(screen, 1, column, SIZE_MAX, STYLE_DIM, text);
}

void frame_put_path(struct screen *screen, const struct model *model)
{
    char name[QUANTITY_MAX];
    size_t column = screen_put(screen, 1, 0, SIZE_MAX, STYLE_GOOD, "VMs");

    if (model->level == MODEL_VCPUS)
        column = put_step(screen, column, "all vCPUs");
    if (model->level >= MODEL_OBJECTS)
        column = put_step(screen, column, model->vm->label);
    if (model->level >= MODEL_STATS) {
        const struct row row = {.path = model->object->path, .vcpu = model->object->vcpu};
        column = put_step(screen, column, row_object(name, &row));
    }
    if (model->level >= MODEL_BUCKETS)
        column = put_step(screen, column, model->series->stat->name);
    put_choices(screen, model, column);
}

static bool trouble_here(char text[MODEL_TROUBLE_MAX], const struct model *model, size_t width)
{
    const struct model_item *item = model_selected(model);
    const struct model_vm *vm = model->level >= MODEL_OBJECTS ? model->vm : item ? item->vm : NULL;

    return vm && model_trouble(text, vm, width);
}

/* "Enter vCPUs  o sort ..." */
static void put_hints(struct screen *screen, enum model_level level, size_t line)
{
    char text[SCREEN_TEXT_MAX] = "";
    size_t len = 0;

    for (size_t i = 0; i < n_keys && len < sizeof(text); i++)
        if (keys[i].hints[level])
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s %s", len ? "  " : "",
                                    (int)strcspn(keys[i].names, ","), keys[i].names,
                                    keys[i].hints[level]);
    screen_put(screen, line, 0, SIZE_MAX, STYLE_DIM, text);
}

void frame_put_footer(struct screen *screen, const struct model *model)
{
    size_t line = screen->height - 1;
    char text[MODEL_TROUBLE_MAX];

    if (model->prompt) {
        snprintf(text, sizeof(text), "%s: %s_",
                 model->prompt == MODEL_PROMPT_FILTER ? "Filter" : "Interval in seconds",
                 model->text);
        screen_put(screen, line, 0, SIZE_MAX, STYLE_STRONG, text);
    } else if (model->message[0]) {
        screen_put(screen, line, 0, SIZE_MAX, STYLE_STRONG, model->message);
    } else if (trouble_here(text, model, screen->width)) {
        screen_put(screen, line, 0, SIZE_MAX, STYLE_BAD, text);
    } else {
        put_hints(screen, model->level, line);
    }
}
