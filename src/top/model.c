/* SPDX-License-Identifier: MIT */
/* The values: what comes in, and what is dropped. */
#include "top/model.h"

#include <stdlib.h>
#include <string.h>

#include "client/histogram.h"

bool model_init(struct model *model, size_t n_vms, double interval)
{
    *model = (struct model){.n_vms = n_vms, .interval = interval, .page = 1};
    model->cursors[MODEL_VMS].column = 1;
    model->cursors[MODEL_STATS].column = 1;
    model->vms = calloc(n_vms + 1, sizeof(*model->vms));
    return model->vms;
}

bool model_name_vm(struct model *model, size_t vm, const char *name, const char *socket)
{
    model->vms[vm].name = strdup(name);
    model->vms[vm].socket = strdup(socket);
    return model->vms[vm].name && model->vms[vm].socket;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void free_series(struct model_series *series)
{
    free(series->totals);
    free(series);
}

static void free_object(struct model_object *object)
{
    for (size_t i = 0; i < object->n_series; i++)
        free_series(object->series[i]);
    free(object->series);
    free(object->path);
    free(object);
}

static void free_vm(struct model_vm *vm)
{
    for (size_t i = 0; i < vm->n_objects; i++)
        free_object(vm->objects[i]);
    free(vm->objects);
    free(vm->name);
    free(vm->socket);
    free(vm->error);
}

void model_free(struct model *model)
{
    for (size_t i = 0; model->vms && i < model->n_vms; i++)
        free_vm(&model->vms[i]);
    free(model->vms);
    free(model->items);
}

/* ---- places --------------------------------------------------------------------------------- */

/* Room for one more at the end of a list of pointers. */
static bool grow(void *list, size_t n)
{
    void **old, **grown;

    memcpy(&old, list, sizeof(old));
    grown = reallocarray(old, n + 1, sizeof(*grown));
    if (grown)
        memcpy(list, &grown, sizeof(grown));
    return grown;
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* Samples come in the same order, so that @hint is where the object mostly is. */
static struct model_object *find_object(const struct model_vm *vm, const char *path, size_t hint)
{
    for (size_t i = 0; i < vm->n_objects; i++) {
        struct model_object *object = vm->objects[(hint + i) % vm->n_objects];

        if (is_same(object->path, path))
            return object;
    }
    return NULL;
}

static struct model_object *add_object(struct model_vm *vm, const char *path)
{
    struct model_object *object = calloc(1, sizeof(*object));

    if (!object || !grow(&vm->objects, vm->n_objects) || (path && !(object->path = strdup(path)))) {
        free(object);
        return NULL;
    }
    vm->objects[vm->n_objects++] = object;
    return object;
}

static bool describes_the_same(const struct client_stat *a, const struct client_stat *b)
{
    return !strcmp(a->name, b->name) && !strcmp(a->provider, b->provider) && a->type == b->type &&
           a->unit == b->unit && a->base == b->base && a->exponent == b->exponent &&
           a->bucket_size == b->bucket_size;
}

/* A description has one address until the VM is lost, and another one when it is back. */
static bool is_of(const struct model_series *series, const struct client_value *value, bool is_back)
{
    if (series->n != value->n_values)
        return false;
    return is_back ? !series->seen && describes_the_same(series->stat, value->stat)
                   : series->stat == value->stat;
}

static struct model_series *find_series(const struct model_object *object,
                                        const struct client_value *value, size_t hint, bool is_back)
{
    for (size_t i = 0; i < object->n_series; i++) {
        struct model_series *series = object->series[(hint + i) % object->n_series];

        if (is_of(series, value, is_back))
            return series;
    }
    return NULL;
}

static struct model_series *add_series(struct model_object *object,
                                       const struct client_value *value)
{
    struct model_series *series = calloc(1, sizeof(*series));

    if (!series || !grow(&object->series, object->n_series) ||
        !(series->totals = calloc(value->n_values + 1, 3 * sizeof(uint64_t)))) {
        free(series);
        return NULL;
    }
    series->n = value->n_values;
    series->deltas = series->totals + series->n;
    series->baseline = series->deltas + series->n;
    object->series[object->n_series++] = series;
    return series;
}

/* ---- a sample ------------------------------------------------------------------------------- */

/* From here on: what the screen shows must not lead to what is freed. */
static void forget(struct model *model, const struct model_object *object,
                   const struct model_series *series)
{
    if (object && model->object == object && model->level > MODEL_OBJECTS) {
        model->level = MODEL_OBJECTS;
        model->object = NULL;
    }
    if (series && model->series == series && model->level > MODEL_STATS) {
        model->level = MODEL_STATS;
        model->series = NULL;
    }
    for (size_t i = 0; i < MODEL_LEVELS; i++)
        if (model->cursors[i].key == (object ? (const void *)object : series))
            model->cursors[i].key = NULL;
}

static void drop_series(struct model *model, struct model_object *object, unsigned seen)
{
    size_t n = 0;

    for (size_t i = 0; i < object->n_series; i++) {
        struct model_series *series = object->series[i];

        if (series->seen == seen) {
            object->series[n++] = series;
            continue;
        }
        forget(model, NULL, series);
        free_series(series);
    }
    object->n_series = n;
}

static void drop_unseen(struct model *model, struct model_vm *vm)
{
    size_t n = 0;

    for (size_t i = 0; i < vm->n_objects; i++) {
        struct model_object *object = vm->objects[i];

        drop_series(model, object, vm->n_samples);
        if (object->seen == vm->n_samples) {
            vm->objects[n++] = object;
            continue;
        }
        forget(model, object, NULL);
        free_object(object);
    }
    vm->n_objects = n;
}

/*
 * A total that is below the one before counts from 0 again: also for the baseline. Of what has no
 * sample before nobody knows the totals at the reset of the baseline, so it has its own from now on.
 */
static void rebase(struct model_series *series, bool is_first)
{
    size_t size = series->n * sizeof(*series->baseline);

    if (is_first)
        memcpy(series->baseline, series->totals, size);
    else if (series->is_reset)
        memset(series->baseline, 0, size);
}

static void take_values(struct model_series *series, const uint64_t *values, double seconds)
{
    bool is_first = !series->seen;

    series->is_reset = false;
    for (size_t i = 0; i < series->n; i++) {
        series->is_reset |= !is_first && values[i] < series->totals[i];
        series->deltas[i] = values[i] - series->totals[i];
        series->totals[i] = values[i];
    }
    series->is_reset &= row_is_counting(series->stat);
    series->has_deltas =
        !is_first && !series->is_reset && seconds > 0 && row_is_counting(series->stat);
    series->seconds = seconds;
    rebase(series, is_first);
}

/* What follows of a new object is new as well: nothing to search for. */
static struct model_series *series_for(struct model_object *object,
                                       const struct client_value *value, size_t hint, bool is_new,
                                       bool is_back)
{
    struct model_series *series = is_new ? NULL : find_series(object, value, hint, is_back);

    return series ? series : add_series(object, value);
}

static void take_value(struct model *model, const struct model_vm *vm, struct model_series *series,
                       const struct client_value *value, double seconds)
{
    if (!series) {
        model->has_failed = true;
        return;
    }
    if (vm->is_back || (vm->is_turned && histogram_is(value->stat)))
        series->seen = 0; /* begins anew */
    series->stat = value->stat;
    take_values(series, value->values, seconds);
    series->seen = vm->n_samples;
}

static void take_object(struct model *model, struct model_vm *vm,
                        const struct client_object *sampled, uint64_t time_ns, size_t hint)
{
    struct model_object *object = vm->n_samples > 1 ? find_object(vm, sampled->path, hint) : NULL;
    bool is_new = !object;
    double seconds;

    if (is_new)
        object = add_object(vm, sampled->path);
    if (!object) {
        model->has_failed = true;
        return;
    }
    seconds = object->seen ? (double)(time_ns - object->time_ns) / 1e9 : 0;
    object->time_ns = time_ns;
    object->vcpu = sampled->path ? sampled->cpu_index : -1;
    object->seen = vm->n_samples;
    for (size_t i = 0; i < sampled->n_values; i++)
        take_value(model, vm, series_for(object, &sampled->values[i], i, is_new, vm->is_back),
                   &sampled->values[i], seconds);
}

static void take_snapshot(struct model *model, struct model_vm *vm,
                          const struct client_snapshot *snapshot, size_t hint)
{
    for (size_t i = 0; snapshot && i < snapshot->n_objects; i++)
        take_object(model, vm, &snapshot->objects[i], snapshot->time_ns, hint + i);
}

void model_take(struct model *model, size_t index, const struct client_snapshot *of_vm,
                const struct client_snapshot *of_vcpus, double time)
{
    struct model_vm *vm = &model->vms[index];

    vm->n_samples++;
    vm->is_turned = of_vcpus && of_vcpus->is_reversed != vm->is_reversed;
    if (of_vcpus)
        vm->is_reversed = of_vcpus->is_reversed;
    take_snapshot(model, vm, of_vm, 0);
    take_snapshot(model, vm, of_vcpus, of_vm ? of_vm->n_objects : 0);
    drop_unseen(model, vm);
    vm->is_back = false;
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
    for (size_t i = 0; i < vm->n_objects; i++)
        for (size_t j = 0; j < vm->objects[i]->n_series; j++)
            vm->objects[i]->series[j]->has_deltas = false; /* nothing comes any more */
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
    vm->is_back = true;
    for (size_t i = 0; i < vm->n_objects; i++) {
        vm->objects[i]->seen = 0;
        for (size_t j = 0; j < vm->objects[i]->n_series; j++)
            vm->objects[i]->series[j]->seen = 0;
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

size_t model_count_gone(const struct model *model)
{
    size_t n = 0;

    for (size_t i = 0; i < model->n_vms; i++)
        n += model->vms[i].error != NULL;
    return n;
}

size_t model_count_vcpus(const struct model_vm *vm)
{
    size_t n = 0;

    for (size_t i = 0; i < vm->n_objects; i++)
        n += vm->objects[i]->path != NULL;
    return n;
}

uint64_t model_total(const struct model *model, const struct model_series *series, size_t i)
{
    bool is_based = model->is_rebased && row_is_counting(series->stat);

    return series->totals[i] - (is_based ? series->baseline[i] : 0);
}

struct row model_row(const struct model *model, const struct model_object *object,
                     const struct model_series *series, bool is_total, uint64_t *space)
{
    struct row row = {
        .path = object->path,
        .vcpu = object->vcpu,
        .stat = series->stat,
        .n = histogram_is(series->stat) ? series->n : 1,
        .totals = space,
        .seconds = series->seconds,
        .is_reset = series->is_reset && !is_total,
    };

    for (size_t i = 0; i < row.n; i++)
        space[i] = model_total(model, series, i);
    if (!is_total && series->has_deltas)
        row.deltas = series->deltas;
    return row;
}
