/* SPDX-License-Identifier: MIT */
#include "look/series.h"

#include <stdlib.h>
#include <string.h>

#include "kvm/meanings.h"
#include "stats/histogram.h"

/* ---- the end -------------------------------------------------------------------------------- */

static void free_series(struct series *series)
{
    free(series->totals);
    free(series);
}

static void free_object(struct series_object *object)
{
    for (size_t i = 0; i < object->n_series; i++)
        free_series(object->series[i]);
    free(object->series);
    free(object->listed);
    free(object->causes);
    free(object->path);
    free(object);
}

void series_free(struct series_vm *vm)
{
    for (size_t i = 0; i < vm->n_objects; i++)
        free_object(vm->objects[i]);
    free(vm->objects);
    vm->objects = NULL;
    vm->n_objects = 0;
}

/* ---- what was there ------------------------------------------------------------------------- */

/*
 * The objects or series of the sample before. What comes now mostly stands where it stood then; what
 * does not is searched for in a sorted copy, as a peer may move all of it each time.
 */
struct former {
    void *list, *sorted; /* of pointers; NULL: not sorted yet */
    size_t n;
    int (*compare)(const void *, const void *);
};

static void *sort(const struct former *former)
{
    void *sorted = reallocarray(NULL, former->n, sizeof(void *));

    if (sorted) {
        memcpy(sorted, former->list, former->n * sizeof(void *));
        qsort(sorted, former->n, sizeof(void *), former->compare);
    }
    return sorted;
}

/* @key: as an element of the list. NULL: there is none, or no memory. */
static void *search(struct series_vm *vm, struct former *former, const void *key)
{
    if (!former->n)
        return NULL;
    if (!former->sorted)
        former->sorted = sort(former);
    if (!former->sorted) {
        vm->has_failed = true;
        return NULL;
    }
    return bsearch(key, former->sorted, former->n, sizeof(void *), former->compare);
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static int by_path(const void *left, const void *right)
{
    const struct series_object *const *a = left, *const *b = right;

    int order = strcmp((*a)->path ? (*a)->path : "", (*b)->path ? (*b)->path : "");

    return order ? order : strcmp((*a)->target, (*b)->target);
}

static int by_address(const void *left, const void *right)
{
    const struct series *const *a = left, *const *b = right;

    return ((*a)->stat > (*b)->stat) - ((*a)->stat < (*b)->stat);
}

static int by_name(const void *left, const void *right)
{
    const struct series *const *a = left, *const *b = right;
    int order = strcmp((*a)->stat->name, (*b)->stat->name);

    return order ? order : strcmp((*a)->provider, (*b)->provider);
}

static bool describes_the_same(const struct vitals_stat *a, const struct vitals_stat *b)
{
    return !strcmp(a->name, b->name) && a->type == b->type && a->unit == b->unit &&
           a->base == b->base && a->exponent == b->exponent && a->bucket_size == b->bucket_size;
}

/* A description has one address until there are others. */
static bool is_of(const struct series_vm *vm, const struct series *series,
                  const struct client_value *value)
{
    if (series->seen == vm->n_samples || series->n != value->n_values)
        return false;
    if (!vm->is_renewed)
        return series->stat == &value->stat->desc;
    return !strcmp(series->provider, value->stat->provider) &&
           describes_the_same(series->stat, &value->stat->desc);
}

static struct series *find_series(struct series_vm *vm, struct former *former,
                                  const struct client_value *value, size_t hint)
{
    struct series **list = former->list;
    struct series *const *found;
    const struct series wanted = {.stat = &value->stat->desc, .provider = value->stat->provider},
                        *key = &wanted;

    if (hint < former->n && is_of(vm, list[hint], value))
        return list[hint];
    found = search(vm, former, &key);
    return found && is_of(vm, *found, value) ? *found : NULL;
}

static struct series *make_series(const struct client_value *value)
{
    struct series *series = calloc(1, sizeof(*series));

    if (!series || !(series->totals = calloc(value->n_values + 1, 3 * sizeof(uint64_t)))) {
        free(series);
        return NULL;
    }
    series->n = value->n_values;
    series->figure =
        figure_of_stat(value->stat->provider, value->stat->target, value->stat->desc.name);
    series->is_cause =
        !strcmp(value->stat->provider, "kvm") && kvm_is_cause_of_exits(value->stat->desc.name);
    series->is_listed =
        lists_need_stat(value->stat->provider, value->stat->target, value->stat->desc.name);
    series->deltas = series->totals + series->n;
    series->baseline = series->deltas + series->n;
    return series;
}

static bool is_at(const struct series_vm *vm, const struct series_object *object,
                  const struct client_object *sampled)
{
    return object->seen != vm->n_samples && is_same(object->path, sampled->path) &&
           !strcmp(object->target, sampled->target);
}

static struct series_object *find_object(struct series_vm *vm, struct former *former,
                                         const struct client_object *sampled, size_t hint)
{
    struct series_object **list = former->list;
    struct series_object *const *found;
    const struct series_object wanted = {.target = sampled->target, .path = (char *)sampled->path},
                               *key = &wanted;

    if (hint < former->n && is_at(vm, list[hint], sampled))
        return list[hint];
    found = search(vm, former, &key);
    return found && is_at(vm, *found, sampled) ? *found : NULL;
}

static struct series_object *make_object(const char *path)
{
    struct series_object *object = calloc(1, sizeof(*object));

    if (!object || (path && !(object->path = strdup(path)))) {
        free(object);
        return NULL;
    }
    return object;
}

/* ---- a sample ------------------------------------------------------------------------------- */

static void forget(const struct series_vm *vm, const void *gone)
{
    if (vm->forget)
        vm->forget(vm->opaque, gone);
}

/* Frees the series that are not in the new list. */
static void drop_series(const struct series_vm *vm, struct former *former)
{
    struct series **list = former->list;

    for (size_t i = 0; i < former->n; i++) {
        if (list[i]->seen == vm->n_samples)
            continue;
        forget(vm, list[i]);
        free_series(list[i]);
    }
    free(former->list);
    free(former->sorted);
}

static void drop_object(const struct series_vm *vm, struct series_object *object)
{
    for (size_t i = 0; i < object->n_series; i++)
        forget(vm, object->series[i]);
    forget(vm, object);
    free_object(object);
}

static void drop_objects(const struct series_vm *vm, struct former *former)
{
    struct series_object **list = former->list;

    for (size_t i = 0; i < former->n; i++)
        if (list[i]->seen != vm->n_samples)
            drop_object(vm, list[i]);
    free(former->list);
    free(former->sorted);
}

/*
 * A total that is below the one before counts from 0 again: also for the baseline. Of what has no
 * sample before nobody knows the totals at the reset of the baseline, so it has its own from now on.
 */
static void rebase(struct series *series, bool is_first)
{
    size_t size = series->n * sizeof(*series->baseline);

    if (is_first)
        memcpy(series->baseline, series->totals, size);
    else if (series->is_reset)
        memset(series->baseline, 0, size);
}

static void take_values(struct series *series, const uint64_t *values, double seconds)
{
    bool is_compared = series->seen && row_is_counting(series->stat), is_same;
    size_t size = series->n * sizeof(*values);

    is_same = series->seen && !memcmp(series->totals, values, size);
    memcpy(series->deltas, series->totals, size);
    memcpy(series->totals, values, size);
    series->is_reset = is_compared && !row_subtract(series->deltas, series->totals, series->n);
    series->has_deltas = is_compared && !series->is_reset && seconds > 0;
    series->seconds = seconds;
    series->steady = is_same ? series->steady + seconds : 0;
    rebase(series, !series->seen);
}

/* Buckets that came the other way round before say nothing about these. */
static void take_value(struct series_vm *vm, struct series *series,
                       const struct client_value *value, bool is_turned, double seconds)
{
    series->stat = &value->stat->desc;
    series->provider = value->stat->provider;
    series->target = value->stat->target;
    if (vm->is_back || (is_turned && histogram_is(series->stat)))
        series->seen = 0; /* begins anew */
    take_values(series, value->values, seconds);
    series->seen = vm->n_samples;
    vm->is_reset |= series->is_reset;
}

/* What stands where it stood before, from the first on. Returns how many do. */
static size_t take_same_values(struct series_vm *vm, struct series_object *object,
                               const struct client_object *sampled, bool is_turned, double seconds)
{
    size_t n = 0;

    while (n < object->n_series && n < sampled->n_values &&
           is_of(vm, object->series[n], &sampled->values[n])) {
        take_value(vm, object->series[n], &sampled->values[n], is_turned, seconds);
        n++;
    }
    return n;
}

/* What the lists ask for at each sample they would else have to search for among all. */
static void find_listed(struct series_vm *vm, struct series_object *object)
{
    free(object->listed);
    free(object->causes);
    object->listed = calloc(object->n_series + 1, sizeof(*object->listed));
    object->causes = calloc(object->n_series + 1, sizeof(*object->causes));
    object->n_listed = object->n_causes = 0;
    if (!object->listed || !object->causes) {
        vm->has_failed = true;
        return;
    }
    for (size_t i = 0; i < object->n_series; i++) {
        struct series *series = object->series[i];

        if (series->is_listed)
            object->listed[object->n_listed++] = series;
        if (series->is_cause)
            object->causes[object->n_causes++] = series;
    }
}

/* Its series are in the order of the sample then. */
static void take_values_of(struct series_vm *vm, struct series_object *object,
                           const struct client_object *sampled, bool is_turned, double seconds)
{
    struct former former = {.list = object->series,
                            .n = object->n_series,
                            .compare = vm->is_renewed ? by_name : by_address};
    size_t n = take_same_values(vm, object, sampled, is_turned, seconds);
    struct series **taken;

    if (n == object->n_series && n == sampled->n_values)
        return; /* as nearly always */
    taken = calloc(sampled->n_values + 1, sizeof(*taken));
    if (!taken) {
        vm->has_failed = true;
        return;
    }
    if (n)
        memcpy(taken, object->series, n * sizeof(*taken));
    for (size_t i = n; i < sampled->n_values; i++) {
        const struct client_value *value = &sampled->values[i];
        struct series *series = find_series(vm, &former, value, i);

        if (!series && !(series = make_series(value)))
            break;
        take_value(vm, series, value, is_turned, seconds);
        taken[n++] = series;
    }
    vm->has_failed |= n < sampled->n_values;
    drop_series(vm, &former);
    object->series = taken;
    object->n_series = n;
    find_listed(vm, object);
}

static struct series_object *take_object(struct series_vm *vm, struct former *former,
                                         const struct client_object *sampled,
                                         const struct client_snapshot *snapshot)
{
    struct series_object *object = find_object(vm, former, sampled, vm->n_objects);
    bool is_turned;
    double seconds;

    if (!object && !(object = make_object(sampled->path)))
        return NULL;
    seconds = object->seen ? (double)(snapshot->time_ns - object->time_ns) / 1e9 : 0;
    is_turned = object->is_reversed != snapshot->is_reversed;
    object->time_ns = snapshot->time_ns;
    object->is_reversed = snapshot->is_reversed;
    object->target = sampled->target;
    object->state = sampled->state;
    object->thread = sampled->thread;
    object->vcpu = sampled->path ? sampled->cpu_index : -1;
    object->seen = vm->n_samples;
    take_values_of(vm, object, sampled, is_turned, seconds);
    return object;
}

/* Behind those that are in the list already. */
static void take_snapshot(struct series_vm *vm, struct former *former,
                          const struct client_snapshot *snapshot)
{
    for (size_t i = 0; snapshot && i < snapshot->n_objects; i++) {
        struct series_object *object = take_object(vm, former, &snapshot->objects[i], snapshot);

        if (object)
            vm->objects[vm->n_objects++] = object;
        else
            vm->has_failed = true;
    }
}

/* Where one counter went down, the VM began anew, with all that it counts. */
static void reset_all(struct series_vm *vm)
{
    for (size_t i = 0; i < vm->n_objects; i++)
        for (size_t j = 0; j < vm->objects[i]->n_series; j++) {
            struct series *series = vm->objects[i]->series[j];

            series->is_reset |= series->has_deltas;
            series->has_deltas = false;
            rebase(series, false);
        }
}

static size_t count_objects(const struct client_snapshot *snapshot)
{
    return snapshot ? snapshot->n_objects : 0;
}

void series_take(struct series_vm *vm, const struct sample *sample)
{
    struct former former = {.list = vm->objects, .n = vm->n_objects, .compare = by_path};
    size_t n = count_objects(sample->of_vm) + count_objects(sample->of_vcpus) +
               count_objects(sample->of_others);

    vm->n_samples++;
    vm->is_reset = false;
    vm->status = sample->status;
    vm->objects = calloc(n + 1, sizeof(struct series_object *));
    vm->n_objects = 0;
    if (vm->objects) {
        take_snapshot(vm, &former, sample->of_vm);
        take_snapshot(vm, &former, sample->of_vcpus);
        take_snapshot(vm, &former, sample->of_others);
    } else {
        vm->has_failed = true;
    }
    drop_objects(vm, &former);
    if (vm->is_reset)
        reset_all(vm);
    vm->is_back = vm->is_renewed = false;
}

void series_stop(struct series_vm *vm)
{
    for (size_t i = 0; i < vm->n_objects; i++)
        for (size_t j = 0; j < vm->objects[i]->n_series; j++)
            vm->objects[i]->series[j]->has_deltas = false;
}

void series_renew(struct series_vm *vm)
{
    vm->is_renewed = true;
}

void series_break(struct series_vm *vm)
{
    vm->is_back = vm->is_renewed = true;
    for (size_t i = 0; i < vm->n_objects; i++) {
        vm->objects[i]->seen = 0;
        for (size_t j = 0; j < vm->objects[i]->n_series; j++)
            vm->objects[i]->series[j]->seen = 0;
    }
}

void series_rebase(struct series_vm *vm)
{
    for (size_t i = 0; i < vm->n_objects; i++)
        for (size_t j = 0; j < vm->objects[i]->n_series; j++) {
            struct series *series = vm->objects[i]->series[j];

            memcpy(series->baseline, series->totals, series->n * sizeof(*series->baseline));
            series->steady = 0;
        }
}

/* ---- questions ------------------------------------------------------------------------------ */

bool series_is_vcpu(const struct series_object *object)
{
    return !strcmp(object->target, "vcpu");
}

size_t series_count_vcpus(const struct series_vm *vm)
{
    size_t n = 0;

    for (size_t i = 0; i < vm->n_objects; i++)
        n += series_is_vcpu(vm->objects[i]);
    return n;
}

bool series_has_namesake(const struct series_object *object, const struct series *series)
{
    for (size_t i = 0; i < object->n_series; i++)
        if (object->series[i] != series &&
            !strcmp(object->series[i]->stat->name, series->stat->name))
            return true;
    return false;
}

uint64_t series_total(const struct series *series, size_t i, enum series_since since)
{
    bool is_based = since == SERIES_BASELINE && row_is_counting(series->stat);

    return series->totals[i] - (is_based ? series->baseline[i] : 0);
}

struct row series_row(const struct series_object *object, const struct series *series)
{
    return (struct row){
        .target = series->target,
        .path = object->path,
        .vcpu = object->vcpu,
        .provider = series->provider,
        .stat = series->stat,
        .totals = series->totals,
        .deltas = series->has_deltas ? series->deltas : NULL,
        .n = series->n,
        .is_reset = series->is_reset,
        .seconds = series->seconds,
    };
}
