/* SPDX-License-Identifier: MIT */
#include "top/model.h"

#include <stdlib.h>
#include <string.h>

#include "top/figure.h"

/* ---- VMs ------------------------------------------------------------------------------------ */

/* What the screen shows must not lead to what is freed. */
static void forget(void *opaque, const void *gone)
{
    struct model *model = opaque;

    if (gone == model->object && model->level >= MODEL_STATS) {
        model->level = model->is_flat ? MODEL_VCPUS : MODEL_OBJECTS;
        model->object = NULL;
    }
    if (gone == model->series && model->level > MODEL_STATS) {
        model->level = MODEL_STATS;
        model->series = NULL;
    }
    for (size_t i = 0; i < MODEL_LEVELS; i++)
        if (model->cursors[i].key == gone)
            model->cursors[i].key = NULL;
}

static size_t column_of_exits(void)
{
    size_t i = 0;

    while (i + 1 < n_figures && strcmp(figures[i].title, "EXITS"))
        i++;
    return MODEL_COLUMN_FIGURES + i;
}

bool model_init(struct model *model, size_t n_vms, double interval)
{
    *model = (struct model){.n_vms = n_vms, .interval = interval, .page = 1};
    model->cursors[MODEL_VMS].column = model->cursors[MODEL_VCPUS].column = column_of_exits();
    model->cursors[MODEL_STATS].column = 1;
    model->vms = calloc(n_vms + 1, sizeof(*model->vms));
    for (size_t i = 0; model->vms && i < n_vms; i++)
        model->vms[i].values = (struct series_vm){.forget = forget, .opaque = model};
    return model->vms;
}

bool model_name_vm(struct model *model, size_t vm, const char *name, const char *socket)
{
    model->vms[vm].name = strdup(name);
    model->vms[vm].socket = strdup(socket);
    return model->vms[vm].name && model->vms[vm].socket;
}

void model_free(struct model *model)
{
    for (size_t i = 0; model->vms && i < model->n_vms; i++) {
        series_free(&model->vms[i].values);
        free(model->vms[i].name);
        free(model->vms[i].label);
        free(model->vms[i].socket);
        free(model->vms[i].error);
    }
    free(model->vms);
    free(model->items);
}

/* ---- samples -------------------------------------------------------------------------------- */

/* The VM itself comes first, where it has statistics; the first vCPU stands for all. */
static void find_figures(struct model_vm *vm)
{
    uint64_t cpu;

    vm->figures = 0;
    for (size_t i = 0; i < n_figures; i++)
        if (figure_is_known(i, &vm->values))
            vm->figures |= UINT64_C(1) << i;
    for (size_t i = 0; i < vm->values.n_objects && i < 2; i++)
        if (model_last_cpu(vm->values.objects[i], &cpu))
            vm->figures |= UINT64_C(1) << n_figures;
}

static void find_rest(struct model_vm *vm)
{
    vm->is_at_rest = figure_state(&vm->values, NULL);
    vm->has_vcpu_at_rest = false;
    for (size_t i = 0; i < vm->values.n_objects && !vm->has_vcpu_at_rest; i++)
        vm->has_vcpu_at_rest = figure_state(&vm->values, vm->values.objects[i]);
}

static void add_moment(struct model *model)
{
    const struct series *series = model->series;
    struct model_history *history = &model->history;
    bool is_counting = row_is_counting(series->stat);

    history->moments[history->next] = (struct model_moment){
        .time = model->time,
        .value = is_counting && series->has_deltas ? (double)series->deltas[0] / series->seconds
                                                   : (double)series->totals[0],
        .total = series->totals[0],
        .has_value = !is_counting || series->has_deltas,
        .is_reset = series->is_reset,
    };
    history->next = (history->next + 1) % MODEL_MOMENTS;
    if (history->n < MODEL_MOMENTS)
        history->n++;
}

void model_begin_history(struct model *model)
{
    model->history.n = model->history.next = 0;
    add_moment(model);
}

const struct model_moment *model_moment(const struct model *model, size_t i)
{
    const struct model_history *history = &model->history;

    return &history->moments[(history->next + MODEL_MOMENTS - 1 - i) % MODEL_MOMENTS];
}

void model_take(struct model *model, size_t index, const struct sample *sample, double time)
{
    struct series_vm *values = &model->vms[index].values;

    series_take(values, sample);
    model->has_failed |= values->has_failed;
    model->time = time;
    find_figures(&model->vms[index]);
    find_rest(&model->vms[index]);
    if (model->level == MODEL_HISTORY && model->vm == &model->vms[index])
        add_moment(model);
    if (!model->base_time)
        model->base_time = time;
    model_arrange(model);
}

void model_lose(struct model *model, size_t index, const char *error)
{
    struct model_vm *vm = &model->vms[index];

    free(vm->error);
    vm->error = strdup(error);
    if (!vm->error)
        model->has_failed = true;
    series_stop(&vm->values);
    model_arrange(model);
}

void model_return(struct model *model, size_t index, const char *name)
{
    struct model_vm *vm = &model->vms[index];
    char *copy = strdup(name);

    if (copy) {
        free(vm->name);
        vm->name = copy;
        model->has_labels = false;
    } else {
        model->has_failed = true;
    }
    free(vm->error);
    vm->error = NULL;
    series_break(&vm->values);
}

void model_rebase(struct model *model)
{
    for (size_t i = 0; i < model->n_vms; i++)
        series_rebase(&model->vms[i].values);
    model->is_rebased = true;
    model->base_time = model->time;
}

/* ---- questions ------------------------------------------------------------------------------ */

enum model_level model_level_above(const struct model *model)
{
    if (model->level > MODEL_STATS)
        return MODEL_STATS;
    if (model->level == MODEL_STATS)
        return model->is_flat ? MODEL_VCPUS : MODEL_OBJECTS;
    return MODEL_VMS;
}

size_t model_count_gone(const struct model *model)
{
    size_t n = 0;

    for (size_t i = 0; i < model->n_vms; i++)
        n += model->vms[i].error != NULL;
    return n;
}
