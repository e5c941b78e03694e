/* SPDX-License-Identifier: MIT */
#include "top/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double scale_of(const struct vitals_stat *stat)
{
    return stat->exponent ? pow(stat->base, stat->exponent) : 1;
}

static const struct series *find(const struct series_object *object, const char *name)
{
    for (size_t i = 0; name && i < object->n_listed; i++)
        if (!strcmp(object->listed[i]->stat->name, name))
            return object->listed[i];
    return NULL;
}

bool figure_needs(const struct client_stat *stat)
{
    return lists_need_stat(stat->provider, stat->target, stat->desc.name);
}

/* ---- what does not run ---------------------------------------------------------------------- */

static bool is_still(const struct series *series)
{
    return series && (!series->has_deltas || !series->deltas[0]);
}

/*
 * It is neither idle nor busy. A vCPU that is in its VMM comes out again soon, if anybody lets it: then
 * it has exits.
 */
static bool is_at_rest(const struct series_vm *vm, const struct series_object *object)
{
    const struct series *exits = find(object, "exits");
    bool has_no_exit = exits && !exits->totals[0];
    enum client_state state = vm->status.state;

    if (state == CLIENT_PAUSED || state == CLIENT_NEVER_RAN || has_no_exit)
        return true;
    return object->state == CLIENT_NEVER_RAN || object->state == CLIENT_PAUSED ||
           (object->state == CLIENT_OUTSIDE && is_still(exits));
}

static bool is_vcpu(const struct series_object *object)
{
    return !strcmp(object->target, "vcpu");
}

/* Without an exit it never did. */
static bool has_run(const struct series_object *object)
{
    const struct series *exits = find(object, "exits");

    return is_vcpu(object) && object->state != CLIENT_NEVER_RAN && (!exits || exits->totals[0]);
}

static bool any_has_run(const struct series_vm *vm, const struct series_object *object)
{
    bool any = false;

    if (object && is_vcpu(object))
        return has_run(object);
    for (size_t i = 0; i < vm->n_objects && !any; i++)
        any = has_run(vm->objects[i]);
    return any;
}

/* Of the VM itself, nothing says whether it runs. */
static bool are_all_at_rest(const struct series_vm *vm, const struct series_object *object)
{
    bool any = false;

    if (object)
        return is_vcpu(object) && is_at_rest(vm, object);
    for (size_t i = 0; i < vm->n_objects; i++) {
        if (!is_vcpu(vm->objects[i]))
            continue;
        if (!is_at_rest(vm, vm->objects[i]))
            return false;
        any = true;
    }
    return any;
}

const char *figure_state(const struct series_vm *vm, const struct series_object *object)
{
    enum client_state state;

    if (!strcmp(vm->status.text, "paused") && !any_has_run(vm, object))
        return client_state_name(CLIENT_NEVER_RAN);
    if (vm->status.state == CLIENT_PAUSED || vm->status.state == CLIENT_NEVER_RAN)
        return vm->status.text;
    if (!are_all_at_rest(vm, object))
        return NULL;
    if (!any_has_run(vm, object))
        return client_state_name(CLIENT_NEVER_RAN);
    state = object ? object->state : vm->status.state;
    return client_state_name(state == CLIENT_OUTSIDE ? CLIENT_OUTSIDE : CLIENT_PAUSED);
}

/* ---- shares --------------------------------------------------------------------------------- */

/*
 * Of the time since the sample before: not more than all of it. What counts at its end says nothing
 * before, but for what goes on then.
 */
static bool take_share(const struct series_object *object, const struct figure *figure,
                       double *share)
{
    const struct series *goes_on = find(object, figure->goes_on);

    if (*share == 0 && figure->goes_on && !goes_on)
        return false;
    if (*share == 0 && goes_on)
        *share = goes_on->totals[0] != 0;
    *share = *share < 1 ? *share : 1;
    return true;
}

/* What goes on is added for as long as it was seen to; before that nothing is known. */
static bool take_seconds(const struct series_object *object, const struct figure *figure,
                         double steady, double *seconds)
{
    const struct series *goes_on = find(object, figure->goes_on);

    if (!figure->goes_on)
        return true;
    if (goes_on && goes_on->totals[0])
        *seconds += goes_on->steady < steady ? goes_on->steady : steady;
    return *seconds > 0 || (goes_on && !goes_on->totals[0]);
}

/* ---- values --------------------------------------------------------------------------------- */

static double rate_of(const struct series *series)
{
    return (double)series->deltas[0] / series->seconds * scale_of(series->stat);
}

static bool fits(const struct series *series, const struct figure *figure)
{
    return (series->stat->type == VITALS_CUMULATIVE) == (figure->kind != FIGURE_BYTES) &&
           series->n == 1;
}

/* A figure of one object. */
struct part {
    double sum, steady;
    bool is_known;
};

static bool is_rate(size_t figure, enum series_since since)
{
    return since == SERIES_SAMPLE && figures[figure].kind != FIGURE_BYTES;
}

static void add_series(struct part *part, const struct series *series, enum series_since since)
{
    bool is_rated = is_rate((size_t)series->figure, since);

    if (is_rated && !series->has_deltas)
        return;
    part->sum += is_rated ? rate_of(series)
                          : (double)series_total(series, 0, since) * scale_of(series->stat);
    part->steady = series->steady;
    part->is_known = true;
}

static void add_part(struct figure_value *value, size_t index, const struct series_vm *vm,
                     const struct series_object *object, struct part *part, enum series_since since)
{
    const struct figure *figure = &figures[index];
    bool is_known = true;

    if (figure->goes_on && (!has_run(object) || (is_rate(index, since) && is_at_rest(vm, object))))
        return;
    if (figure->kind == FIGURE_SHARE)
        is_known = is_rate(index, since) ? take_share(object, figure, &part->sum)
                                         : take_seconds(object, figure, part->steady, &part->sum);
    if (!is_known)
        return;
    value->sum += part->sum;
    value->n++;
}

static void add_object(struct figure_value values[FIGURES_MAX], const struct series_vm *vm,
                       const struct series_object *object, enum series_since since)
{
    struct part parts[FIGURES_MAX] = {0};

    for (size_t i = 0; i < object->n_listed; i++) {
        const struct series *series = object->listed[i];

        if (series->figure >= 0 && fits(series, &figures[series->figure]))
            add_series(&parts[series->figure], series, since);
    }
    for (size_t i = 0; i < n_figures; i++)
        if (parts[i].is_known)
            add_part(&values[i], i, vm, object, &parts[i], since);
}

void figures_add(struct figure_value values[FIGURES_MAX], const struct series_vm *vm,
                 const struct series_object *object, enum series_since since)
{
    if (object)
        add_object(values, vm, object, since);
    for (size_t i = 0; !object && i < vm->n_objects; i++)
        add_object(values, vm, vm->objects[i], since);
}

double figure_number(size_t figure, enum series_since since, const struct figure_value *value)
{
    bool is_mean = figures[figure].kind == FIGURE_SHARE && since == SERIES_SAMPLE;

    return is_mean && value->n ? value->sum / (double)value->n : value->sum;
}

void figure_count(char text[QUANTITY_MAX], double value)
{
    const struct vitals_stat count = {.base = 10};

    quantity_text(text, &count, value >= 100 ? round(value) : value);
}

void figure_text(char text[QUANTITY_MAX], size_t figure, enum series_since since,
                 const struct figure_value *value)
{
    const struct vitals_stat seconds = {.base = 10, .unit = VITALS_SECONDS};
    const struct vitals_stat bytes = {.base = 10, .unit = VITALS_BYTES};
    double number = figure_number(figure, since, value);

    if (!value->n)
        snprintf(text, QUANTITY_MAX, "-");
    else if (figures[figure].kind == FIGURE_COUNT)
        figure_count(text, number);
    else if (figures[figure].kind == FIGURE_BYTES)
        quantity_text(text, &bytes, number);
    else if (since != SERIES_SAMPLE)
        quantity_text(text, &seconds, number);
    else
        snprintf(text, QUANTITY_MAX, "%.0f%%", 100 * number);
}

static uint64_t figures_of(const struct series_object *object)
{
    uint64_t known = 0;

    for (size_t i = 0; i < object->n_listed; i++) {
        const struct series *series = object->listed[i];

        if (series->figure >= 0 && fits(series, &figures[series->figure]))
            known |= UINT64_C(1) << series->figure;
    }
    return known;
}

/* The VM itself comes first, where it has statistics. */
uint64_t figures_known(const struct series_vm *vm)
{
    uint64_t known = 0;

    for (size_t i = 0; i < vm->n_objects && i < 2; i++)
        known |= figures_of(vm->objects[i]);
    return known;
}

const struct series *figure_busiest(const struct series_object *object, double *ret_rate)
{
    const struct series *busiest = NULL;
    double most = 0;

    for (size_t i = 0; i < object->n_causes; i++) {
        const struct series *series = object->causes[i];
        double rate = series->has_deltas ? (double)series->deltas[0] / series->seconds : 0;

        if (series->stat->type == VITALS_CUMULATIVE && rate > most) {
            busiest = series;
            most = rate;
        }
    }
    if (busiest)
        *ret_rate = most;
    return busiest;
}
