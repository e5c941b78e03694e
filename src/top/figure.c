/* SPDX-License-Identifier: MIT */
#include "top/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_part(const struct figure *figure, const struct series *series)
{
    if (series->stat->type != VITALS_CUMULATIVE)
        return false;
    for (size_t i = 0; i < FIGURE_NAMES_MAX && figure->names[i]; i++)
        if (!strcmp(figure->names[i], series->stat->name))
            return true;
    return false;
}

static bool goes_on(const struct series_object *object, const struct figure *figure)
{
    for (size_t i = 0; figure->goes_on && i < object->n_series; i++)
        if (!strcmp(object->series[i]->stat->name, figure->goes_on))
            return object->series[i]->totals[0];
    return false;
}

/* Of the time since the sample before: not more than all of it. */
static double share_of(const struct series_object *object, const struct figure *figure,
                       double share)
{
    if (share == 0)
        return goes_on(object, figure);
    return share < 1 ? share : 1;
}

static double rate_of(const struct series_object *object, const struct series *series,
                      const struct figure *figure)
{
    double rate = (double)series->deltas[0] / series->seconds *
                  pow(series->stat->base, series->stat->exponent);

    return figure->is_share ? share_of(object, figure, rate) : rate;
}

static bool add_object(const struct series_object *object, const struct figure *figure,
                       enum series_since since, double *sum)
{
    bool any = false;

    for (size_t i = 0; i < object->n_series; i++) {
        const struct series *series = object->series[i];

        if (!is_part(figure, series) || (since == SERIES_SAMPLE && !series->has_deltas))
            continue;
        *sum += since == SERIES_SAMPLE ? rate_of(object, series, figure)
                                       : (double)series_total(series, 0, since) *
                                             pow(series->stat->base, series->stat->exponent);
        any = true;
    }
    return any;
}

bool figure_value(const struct series_vm *vm, const struct series_object *object,
                  const struct figure *figure, enum series_since since, double *ret_value)
{
    double sum = 0;
    bool any = false;

    if (object)
        any = add_object(object, figure, since, &sum);
    for (size_t i = 0; !object && i < vm->n_objects; i++)
        if (vm->objects[i]->path && add_object(vm->objects[i], figure, since, &sum))
            any = true;
    if (any)
        *ret_value = sum;
    return any;
}

void figure_count(char text[QUANTITY_MAX], double value)
{
    const struct vitals_stat count = {.base = 10};

    quantity_text(text, &count, value >= 100 ? round(value) : value);
}

void figure_text(char text[QUANTITY_MAX], const struct figure *figure, enum series_since since,
                 double value, size_t n_vcpus)
{
    const struct vitals_stat seconds = {.base = 10, .unit = VITALS_SECONDS};

    if (!figure->is_share)
        figure_count(text, value);
    else if (since != SERIES_SAMPLE)
        quantity_text(text, &seconds, value);
    else
        snprintf(text, QUANTITY_MAX, "%.0f%%", 100 * value / (double)(n_vcpus ? n_vcpus : 1));
}

const struct series *figure_busiest(const struct series_object *object, double *ret_rate)
{
    const struct series *busiest = NULL;
    double most = 0;

    for (size_t i = 0; i < object->n_series; i++) {
        const struct series *series = object->series[i];
        double rate = series->has_deltas ? (double)series->deltas[0] / series->seconds : 0;

        if (series->stat->type == VITALS_CUMULATIVE && series->stat->unit == VITALS_NONE &&
            rate > most && !kvm_is_sum_of_others(series->stat->name)) {
            busiest = series;
            most = rate;
        }
    }
    if (busiest)
        *ret_rate = most;
    return busiest;
}
