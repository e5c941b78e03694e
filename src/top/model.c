/* SPDX-License-Identifier: MIT */
#include "top/model.h"

#include <stdlib.h>
#include <string.h>

/* ---- VMs ------------------------------------------------------------------------------------ */

/* What the screen shows must not lead to what is freed. */
static void forget(void *opaque, const void *gone)
{
    struct model *model = opaque;

    if (gone == model->object && model->level > MODEL_OBJECTS) {
        model->level = MODEL_OBJECTS;
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

bool model_init(struct model *model, size_t n_vms, double interval)
{
    *model = (struct model){.n_vms = n_vms, .interval = interval, .page = 1};
    model->cursors[MODEL_VMS].column = 1;
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
        free(model->vms[i].socket);
        free(model->vms[i].error);
    }
    free(model->vms);
    free(model->items);
}

/* ---- samples -------------------------------------------------------------------------------- */

void model_take(struct model *model, size_t index, const struct client_snapshot *of_vm,
                const struct client_snapshot *of_vcpus, double time)
{
    struct series_vm *values = &model->vms[index].values;

    series_take(values, of_vm, of_vcpus);
    model->has_failed |= values->has_failed;
    model->time = time;
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

size_t model_count_gone(const struct model *model)
{
    size_t n = 0;

    for (size_t i = 0; i < model->n_vms; i++)
        n += model->vms[i].error != NULL;
    return n;
}
