/* SPDX-License-Identifier: MIT */
#include "client/bucket_order.h"

#include "stats/histogram.h"

/* Counts times bounds: more than 64 bits. */
typedef unsigned __int128 total;

static bool agrees(const struct vitals_stat *stat, const uint64_t *buckets, size_t n, uint64_t sum,
                   bool is_reversed)
{
    total low = 0, high = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t count = buckets[is_reversed ? n - 1 - i : i];

        low += (total)count * histogram_lower_bound(stat, i);
        high += (total)count * (i + 1 < n ? histogram_lower_bound(stat, i + 1) : UINT64_MAX);
    }
    return low <= sum && sum <= high;
}

enum histogram_order histogram_order(const struct vitals_stat *stat, const uint64_t *buckets,
                                     size_t n, uint64_t sum)
{
    bool is_forward = agrees(stat, buckets, n, sum, false);

    if (is_forward == agrees(stat, buckets, n, sum, true))
        return HISTOGRAM_EITHER;
    return is_forward ? HISTOGRAM_FORWARD : HISTOGRAM_REVERSED;
}
