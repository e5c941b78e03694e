/* SPDX-License-Identifier: MIT */
/* Which way round a peer sends the buckets of a histogram. */
#ifndef CLIENT_BUCKET_ORDER_H
#define CLIENT_BUCKET_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "client/client.h"

enum histogram_order { HISTOGRAM_EITHER, HISTOGRAM_FORWARD, HISTOGRAM_REVERSED };

/* Which order of @buckets agrees with the @sum of all values, if only one does. */
enum histogram_order histogram_order(const struct vitals_stat *stat, const uint64_t *buckets,
                                     size_t n, uint64_t sum);

#endif
