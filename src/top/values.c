/* SPDX-License-Identifier: MIT */
/* Which values are shown, and since when they count. */
#include <string.h>
#include <strings.h>

#include "top/figure.h"
#include "top/model.h"

enum series_since model_since(const struct model *model)
{
    if (!model->is_totals)
        return SERIES_SAMPLE;
    return model->is_rebased ? SERIES_BASELINE : SERIES_BEGIN;
}

uint64_t model_total(const struct model *model, const struct series *series, size_t i)
{
    return series_total(series, i, model->is_rebased ? SERIES_BASELINE : SERIES_BEGIN);
}

struct row model_row(const struct model *model, const struct series_object *object,
                     const struct series *series, bool is_total, uint64_t *space)
{
    struct row row = series_row(object, series);

    for (size_t i = 0; i < row.n; i++)
        space[i] = model_total(model, series, i);
    row.totals = space;
    if (is_total) {
        row.deltas = NULL;
        row.is_reset = false;
    }
    return row;
}

bool model_last_cpu(const struct series_object *object, uint64_t *ret_cpu)
{
    for (size_t i = 0; i < object->n_listed; i++) {
        const struct series *series = object->listed[i];

        if (!sched_is_last_cpu(series->provider, series->stat->name))
            continue;
        *ret_cpu = series->totals[0];
        return true;
    }
    return false;
}

/* ---- columns -------------------------------------------------------------------------------- */

size_t model_column_vcpus(void)
{
    return MODEL_COLUMN_FIGURES + n_figures;
}

size_t model_column_busiest(void)
{
    return model_column_vcpus() + 1;
}

size_t model_column_last_cpu(void)
{
    return model_column_vcpus() + 2;
}

size_t model_column_thread(void)
{
    return model_column_vcpus() + 3;
}

size_t model_column_state(void)
{
    return model_column_vcpus() + 4;
}

static bool find_figure(const char *title, size_t *ret_column)
{
    for (size_t i = 0; i < n_figures; i++)
        if (!strcasecmp(figures[i].title, title)) {
            *ret_column = MODEL_COLUMN_FIGURES + i;
            return true;
        }
    return false;
}

void model_sort_by(struct model *model, const char *title)
{
    size_t column = MODEL_COLUMN_NAME;

    if (!strcasecmp(title, "VCPUS"))
        column = model_column_vcpus();
    else if (!strcasecmp(title, "BUSIEST"))
        column = model_column_busiest();
    else if (!strcasecmp(title, "STATE"))
        column = model_column_state();
    else
        find_figure(title, &column);
    model->cursors[MODEL_VMS].column = model->cursors[MODEL_VCPUS].column = column;
}
