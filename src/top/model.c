/* SPDX-License-Identifier: MIT */
#include "top/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static void free_vm(struct model_vm *vm)
{
    if (!vm)
        return;
    series_free(&vm->values);
    free(vm->name);
    free(vm->label);
    free(vm->socket);
    free(vm->error);
    free(vm);
}

static bool make_room(struct model *model, size_t n)
{
    struct model_vm **grown;

    if (n <= model->n_vms)
        return true;
    grown = reallocarray(model->vms, n, sizeof(*grown));
    if (!grown)
        return false;
    model->vms = grown;
    while (model->n_vms < n)
        grown[model->n_vms++] = NULL;
    return true;
}

bool model_init(struct model *model, double interval)
{
    *model = (struct model){.interval = interval, .page = 1};
    model->cursors[MODEL_VMS].column = model->cursors[MODEL_VCPUS].column = column_of_exits();
    model->cursors[MODEL_STATS].column = 1;
    return make_room(model, 1);
}

static struct model_vm *find_or_make(struct model *model, size_t number)
{
    struct model_vm *vm;

    if (!make_room(model, number + 1))
        return NULL;
    if (model->vms[number])
        return model->vms[number];
    vm = model->vms[number] = calloc(1, sizeof(*vm));
    if (vm)
        vm->values = (struct series_vm){.forget = forget, .opaque = model};
    return vm;
}

bool model_name_vm(struct model *model, size_t number, const char *name, const char *socket)
{
    struct model_vm *vm = find_or_make(model, number);
    char *name_copy = strdup(name), *socket_copy = strdup(socket);

    if (!vm || !name_copy || !socket_copy) {
        free(name_copy);
        free(socket_copy);
        return false;
    }
    if (!vm->name || strcmp(vm->name, name) != 0)
        model->has_labels = false;
    free(vm->name);
    free(vm->socket);
    vm->name = name_copy;
    vm->socket = socket_copy;
    return true;
}

void model_drop_vm(struct model *model, size_t number)
{
    struct model_vm *vm = model->vms[number];

    model->vms[number] = NULL;
    if (!vm)
        return;
    if (model->level > MODEL_VMS && model->vm == vm) {
        model->level = MODEL_VMS;
        model->object = NULL;
        model->series = NULL;
    }
    for (size_t i = 0; i < vm->values.n_objects; i++) {
        for (size_t j = 0; j < vm->values.objects[i]->n_series; j++)
            forget(model, vm->values.objects[i]->series[j]);
        forget(model, vm->values.objects[i]);
    }
    forget(model, vm);
    free_vm(vm);
}

void model_free(struct model *model)
{
    for (size_t i = 0; i < model->n_vms; i++)
        free_vm(model->vms[i]);
    free(model->vms);
    free(model->items);
}

/* ---- samples -------------------------------------------------------------------------------- */

/* The VM itself comes first, where it has statistics; the first vCPU stands for all. */
static void find_figures(struct model_vm *vm)
{
    uint64_t cpu;

    vm->figures = figures_known(&vm->values);
    for (size_t i = 0; i < vm->values.n_objects && i < 2; i++)
        if (model_last_cpu(vm->values.objects[i], &cpu))
            vm->figures |= UINT64_C(1) << n_figures;
    for (size_t i = 0; i < vm->values.n_objects; i++)
        if (vm->values.objects[i]->thread > 0)
            vm->figures |= UINT64_C(2) << n_figures;
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
    struct model_vm *vm = model->vms[index];
    struct series_vm *values = &vm->values;

    vm->has_answered = true;
    vm->silence = 0;
    series_take(values, sample);
    model->has_failed |= values->has_failed;
    model->time = time;
    find_figures(vm);
    find_rest(vm);
    if (model->level == MODEL_HISTORY && model->vm == vm)
        add_moment(model);
    if (!model->base_time)
        model->base_time = time;
}

void model_await(struct model *model, size_t index, double seconds)
{
    model->vms[index]->silence = seconds;
}

void model_lose(struct model *model, size_t index, const char *error, double since)
{
    struct model_vm *vm = model->vms[index];

    free(vm->error);
    vm->error = strdup(error);
    vm->since = since;
    vm->silence = 0;
    if (!vm->error)
        model->has_failed = true;
    series_stop(&vm->values);
}

void model_return(struct model *model, size_t index, const char *name)
{
    struct model_vm *vm = model->vms[index];
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

void model_renew(struct model *model, size_t index)
{
    series_renew(&model->vms[index]->values);
}

void model_rebase(struct model *model)
{
    for (size_t i = 0; i < model->n_vms; i++)
        if (model->vms[i])
            series_rebase(&model->vms[i]->values);
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

size_t model_count_vms(const struct model *model)
{
    size_t n = 0;

    for (size_t i = 0; i < model->n_vms; i++)
        n += model->vms[i] != NULL;
    return n;
}

size_t model_count_gone(const struct model *model)
{
    size_t n = 0;

    for (size_t i = 0; i < model->n_vms; i++)
        n += model->vms[i] && model->vms[i]->error;
    return n;
}

/* "no reply to query-stats within 5 s, since 10:42:31": the reason is shortened, not the time. */
bool model_trouble(char text[MODEL_TROUBLE_MAX], const struct model_vm *vm, size_t width)
{
    time_t seconds = (time_t)vm->since;
    char since[32] = "";
    struct tm tm;
    size_t room;

    if (!vm->error && vm->silence > 0)
        snprintf(text, MODEL_TROUBLE_MAX, "no answer for %.0f s", vm->silence);
    else if (!vm->error && !vm->has_answered)
        snprintf(text, MODEL_TROUBLE_MAX, "no answer yet");
    if (!vm->error)
        return vm->silence > 0 || !vm->has_answered;
    if (localtime_r(&seconds, &tm))
        strftime(since, sizeof(since), ", since %T", &tm);
    room = width > strlen(since) ? width - strlen(since) : 0;
    if (strlen(vm->error) <= room)
        snprintf(text, MODEL_TROUBLE_MAX, "%.400s%s", vm->error, since);
    else
        snprintf(text, MODEL_TROUBLE_MAX, "%.*s…%s", (int)(room ? room - 1 : 0), vm->error, since);
    return true;
}
