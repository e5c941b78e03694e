/* SPDX-License-Identifier: MIT */
/* Since when what is shown counts. */
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
