/* SPDX-License-Identifier: MIT */
/*
 * Values of statistics as decimal numbers, made from integers: what a counter of 64 bits says is
 * never rounded on the way.
 */
#ifndef METRICS_DECIMAL_H
#define METRICS_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DECIMAL_EXPONENT_MAX = 64, /* of 10 or 2, up or down */
    DECIMAL_MAX = 96,          /* bytes that a number takes, at most */
};

/* Whether the scale is one that the functions below take. */
bool decimal_can_scale(uint8_t base, int16_t exponent);

/* Writes @value * @base^@exponent, exactly, at @at, and returns the end: "0.000000001", "4096". */
char *decimal_put(char *at, uint64_t value, uint8_t base, int16_t exponent);

/*
 * The same as OpenMetrics wants the bounds of buckets, so that all who expose one bound write the
 * same bytes: "1e-09", "0.000131072", "1.0", "1.048576e+06". Beyond 15 digits these are the fewest
 * that no other double has.
 */
char *decimal_put_bound(char *at, uint64_t value, uint8_t base, int16_t exponent);

#endif
