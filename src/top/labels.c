/* SPDX-License-Identifier: MIT */
/* What VMs are called in lists, where several may have one name. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top/model.h"

static int by_name(const void *left, const void *right)
{
    const struct model_vm *const *a = left, *const *b = right;

    return strcmp((*a)->name, (*b)->name);
}

static char *make_label(const struct model_vm *vm, bool is_alone)
{
    char *label;

    if (is_alone || !vm->socket)
        return strdup(vm->name);
    return asprintf(&label, "%s %s", vm->name, vm->socket) < 0 ? NULL : label;
}

static bool has_name_of(struct model_vm *const *sorted, size_t n, size_t i, size_t other)
{
    return other < n && !strcmp(sorted[i]->name, sorted[other]->name);
}

void model_make_labels(struct model *model)
{
    struct model_vm **sorted = calloc(model->n_vms + 1, sizeof(struct model_vm *));
    size_t n = 0;

    for (size_t i = 0; sorted && i < model->n_vms; i++)
        if (model->vms[i])
            sorted[n++] = model->vms[i];
    if (sorted)
        qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; sorted && i < n; i++) {
        bool is_alone =
            !has_name_of(sorted, n, i, i + 1) && !(i && has_name_of(sorted, n, i, i - 1));

        free(sorted[i]->label);
        sorted[i]->label = make_label(sorted[i], is_alone);
        model->has_failed |= !sorted[i]->label;
    }
    model->has_failed |= !sorted;
    model->has_labels = sorted != NULL;
    free(sorted);
}
