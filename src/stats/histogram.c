/* SPDX-License-Identifier: MIT */
#include "stats/histogram.h"

/* Counts times bounds: more than 64 bits. */
typedef unsigned __int128 total;

bool histogram_is(const struct vitals_stat *stat)
{
    return stat->type == VITALS_LINEAR_HIST || stat->type == VITALS_LOG_HIST;
}

uint64_t histogram_lower_bound(const struct vitals_stat *stat, size_t i)
{
    uint64_t bound;

    if (stat->type == VITALS_LINEAR_HIST)
        return __builtin_mul_overflow((uint64_t)i, stat->bucket_size, &bound) ? UINT64_MAX : bound;
    if (i == 0)
        return 0;
    return i <= 64 ? UINT64_C(1) << (i - 1) : UINT64_MAX;
}

uint64_t histogram_count(const uint64_t *buckets, size_t n)
{
    uint64_t count = 0;

    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(count, buckets[i], &count))
            return UINT64_MAX;
    return count;
}

size_t histogram_percentile(const uint64_t *buckets, size_t n, unsigned percent)
{
    total rank = ((total)histogram_count(buckets, n) * percent + 99) / 100, seen = 0;

    for (size_t i = 0; i < n; i++) {
        seen += buckets[i];
        if (seen >= rank && seen)
            return i;
    }
    return n - 1;
}
