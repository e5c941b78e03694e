/* SPDX-License-Identifier: MIT */
/* How many statistics are exposed: few, those without histograms, or all. */
#ifndef METRICS_PRESET_H
#define METRICS_PRESET_H

#include <stdbool.h>

#include "vitals/stats.h"

enum metrics_preset { METRICS_MINIMAL, METRICS_DEFAULT, METRICS_FULL };

#define METRICS_PRESET_NAMES "minimal default full" /* in this order */

enum { METRICS_SERIES_MAX = 500 * 1000 }; /* of one exposition, unless another limit is asked for */

bool metrics_preset_has(enum metrics_preset preset, const char *provider, const char *target,
                        const struct vitals_stat *stat);

#endif
