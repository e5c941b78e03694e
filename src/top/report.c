/* SPDX-License-Identifier: MIT */
/* The screen of a batch: as high as it takes. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "top/frame.h"
#include "top/list.h"
#include "top/screen.h"

static void report_list(struct screen *screen, struct model *model, size_t *line)
{
    struct region region = {.screen = screen, .model = model, .titles = *line, .line = *line + 1};

    model_arrange(model);
    region.n = model->n_items + list_has_line_for_all(model);
    list_draw(&region);
    *line = region.line + region.n;
}

static void report_head(struct screen *screen, const struct model *model)
{
    size_t gone = model_count_gone(model), column;
    time_t seconds = (time_t)(model->time > 0 ? model->time : clock_unix_time());
    char text[SCREEN_TEXT_MAX], size[FRAME_SIZE_MAX], time[64] = "";
    struct tm tm;

    if (localtime_r(&seconds, &tm))
        strftime(time, sizeof(time), "%FT%T%z", &tm);
    frame_size_text(size, model);
    snprintf(text, sizeof(text), "vitals top: %s, %s", time, size);
    column = screen_put(screen, 0, 0, SIZE_MAX, STYLE_STRONG, text);
    snprintf(text, sizeof(text), ", %zu gone", gone);
    if (gone)
        screen_put(screen, 0, column, SIZE_MAX, STYLE_BAD, text);
}

/* How many lines it can have. */
static size_t count_report(const struct model *model)
{
    size_t n = 4 + model->n_vms;

    for (size_t i = 0; i < model->n_vms; i++)
        if (model->vms[i])
            n += 3 + model->vms[i]->values.n_objects;
    return n;
}

bool screen_report(struct screen *screen, struct model *model, size_t width)
{
    size_t line = 1;

    if (!screen_resize(screen, width, count_report(model)))
        return false;
    screen_clear(screen);
    report_head(screen, model);
    model->level = MODEL_VMS;
    report_list(screen, model, &line);
    for (size_t i = 0; i < model->n_vms; i++) {
        struct model_vm *vm = model->vms[i];
        char trouble[MODEL_TROUBLE_MAX];

        if (!vm || model_trouble(trouble, vm, width))
            continue;
        screen_put(screen, ++line, 0, SIZE_MAX, STYLE_STRONG, vm->label);
        line++;
        model->level = MODEL_OBJECTS;
        model->vm = vm;
        report_list(screen, model, &line);
    }
    model->level = MODEL_VMS;
    screen->height = line < screen->height ? line : screen->height;
    return !model->has_failed;
}
