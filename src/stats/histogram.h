/* SPDX-License-Identifier: MIT */
/* Histograms: the bounds of their buckets, and what is counted in them. */
#ifndef STATS_HISTOGRAM_H
#define STATS_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vitals/stats.h"

bool histogram_is(const struct vitals_stat *stat);

/* Bucket @i holds values from its lower bound to below that of bucket @i + 1. */
uint64_t histogram_lower_bound(const struct vitals_stat *stat, size_t i);

/* Of all buckets; UINT64_MAX where it is more. */
uint64_t histogram_count(const uint64_t *buckets, size_t n);

/* The bucket that holds the value of rank @percent; the histogram must not be empty. */
size_t histogram_percentile(const uint64_t *buckets, size_t n, unsigned percent);

#endif
