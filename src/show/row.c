/* SPDX-License-Identifier: MIT */
#include "show/row.h"

#include <stdio.h>
#include <string.h>

#include "stats/histogram.h"

bool row_is_counting(const struct vitals_stat *stat)
{
    return stat->type == VITALS_CUMULATIVE || histogram_is(stat);
}

bool row_subtract(uint64_t *before, const uint64_t *totals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (totals[i] < before[i])
            return false;
        before[i] = totals[i] - before[i];
    }
    return true;
}

const uint64_t *row_values(const struct row *row)
{
    return row->deltas ? row->deltas : row->totals;
}

bool row_is_nonzero(const struct row *row)
{
    for (size_t i = 0; i < row->n; i++)
        if (row_values(row)[i])
            return true;
    return row->is_reset;
}

double row_rate(const struct row *row)
{
    return (double)histogram_count(row->deltas, row->n) / row->seconds;
}

void row_number(char text[2 * QUANTITY_MAX], const struct row *row)
{
    const struct vitals_stat count = {.base = 10};
    bool is_count = histogram_is(row->stat);
    char quantity[QUANTITY_MAX];

    if (row->deltas)
        quantity_text(quantity, is_count ? &count : row->stat, row_rate(row));
    else if (is_count || (!row->stat->unit && !row->stat->exponent))
        snprintf(quantity, sizeof(quantity), "%llu",
                 (unsigned long long)histogram_count(row->totals, row->n));
    else
        quantity_text(quantity, row->stat, (double)row->totals[0]);
    snprintf(text, 2 * QUANTITY_MAX, "%s%s", row->is_reset ? "reset" : quantity,
             row->deltas ? "/s" : "");
}

static void put_sum(char text[QUANTITY_MAX], const struct row *row)
{
    const char *objects = !strcmp(row->target, "vm")     ? "VM"
                          : !strcmp(row->target, "vcpu") ? "vCPU"
                                                         : "object";

    snprintf(text, QUANTITY_MAX, "%zu %s%s", row->n_objects, objects,
             row->n_objects > 1 ? "s" : "");
}

const char *row_object(char text[QUANTITY_MAX], const struct row *row)
{
    bool is_sum = row->n_objects > 1 || (row->n_objects && strcmp(row->target, "vm") != 0);

    if (!row->path && !is_sum)
        return "vm";
    if (row->path && row->vcpu < 0)
        return row->path;
    if (is_sum)
        put_sum(text, row);
    else
        snprintf(text, QUANTITY_MAX, "vcpu %lld", (long long)row->vcpu);
    return text;
}
