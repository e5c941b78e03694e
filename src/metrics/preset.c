/* SPDX-License-Identifier: MIT */
#include "metrics/preset.h"

#include "kvm/meanings.h"
#include "stats/histogram.h"

bool metrics_preset_has(enum metrics_preset preset, const char *provider, const char *target,
                        const struct vitals_stat *stat)
{
    if (preset == METRICS_FULL)
        return true;
    if (histogram_is(stat))
        return false;
    return preset == METRICS_DEFAULT || figure_of_stat(provider, target, stat->name) >= 0;
}
