/* SPDX-License-Identifier: MIT */
#include "top/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double scale_of(const struct vitals_stat *stat)
{
    return stat->exponent ? pow(stat->base, stat->exponent) : 1;
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

static double rate_of(const struct series *series)
{
    return (double)series->deltas[0] / series->seconds * scale_of(series->stat);
}

static bool fits(const struct series *series, const struct figure *figure)
{
    return (series->stat->type == VITALS_CUMULATIVE) == (figure->kind != FIGURE_BYTES) &&
           series->n == 1;
}

static void add_object(struct figure_value *value, size_t index, const struct series_object *object,
                       enum series_since since)
{
    const struct figure *figure = &figures[index];
    bool is_rate = since == SERIES_SAMPLE && figure->kind != FIGURE_BYTES, any = false;
    double sum = 0;

    for (size_t i = 0; i < object->n_series; i++) {
        const struct series *series = object->series[i];

        if (series->figure != (int)index || !fits(series, figure) ||
            (is_rate && !series->has_deltas))
            continue;
        sum += is_rate ? rate_of(series)
                       : (double)series_total(series, 0, since) * scale_of(series->stat);
        any = true;
    }
    if (!any)
        return;
    value->sum += is_rate && figure->kind == FIGURE_SHARE ? share_of(object, figure, sum) : sum;
    value->n++;
}

void figure_add(struct figure_value *value, size_t figure, const struct series_vm *vm,
                const struct series_object *object, enum series_since since)
{
    if (object)
        add_object(value, figure, object, since);
    for (size_t i = 0; !object && i < vm->n_objects; i++)
        add_object(value, figure, vm->objects[i], since);
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

static bool has_figure(const struct series_object *object, size_t figure)
{
    for (size_t i = 0; i < object->n_series; i++)
        if (object->series[i]->figure == (int)figure && fits(object->series[i], &figures[figure]))
            return true;
    return false;
}

/* The VM itself comes first, where it has statistics. */
bool figure_is_known(size_t figure, const struct series_vm *vm)
{
    for (size_t i = 0; i < vm->n_objects && i < 2; i++)
        if (has_figure(vm->objects[i], figure))
            return true;
    return false;
}

const struct series *figure_busiest(const struct series_object *object, double *ret_rate)
{
    const struct series *busiest = NULL;
    double most = 0;

    for (size_t i = 0; i < object->n_series; i++) {
        const struct series *series = object->series[i];
        double rate = series->has_deltas ? (double)series->deltas[0] / series->seconds : 0;

        if (series->is_cause && series->stat->type == VITALS_CUMULATIVE && rate > most) {
            busiest = series;
            most = rate;
        }
    }
    if (busiest)
        *ret_rate = most;
    return busiest;
}
