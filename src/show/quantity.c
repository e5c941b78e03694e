/* SPDX-License-Identifier: MIT */
#include "show/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Beyond, a number is shown by its exponent: 10^32767 bytes are nothing that a VM has. */
#define WHOLE_MAX 1e20

static void put_scaled(char text[QUANTITY_MAX], double value, const char *const *units, size_t n,
                       double factor)
{
    size_t i = 0;

    while (i + 1 < n && value >= factor) {
        value /= factor;
        i++;
    }
    snprintf(text, QUANTITY_MAX, value >= 1000 && value < WHOLE_MAX ? "%.0f %s" : "%.4g %s", value,
             units[i]);
}

void quantity_text(char text[QUANTITY_MAX], const struct vitals_stat *stat, double raw)
{
    static const char *const times[] = {"ns", "us", "ms", "s"};
    static const char *const sizes[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = raw == 0 ? 0 : raw * pow(stat->base, stat->exponent);

    if (raw == 0 && stat->unit == VITALS_SECONDS)
        snprintf(text, QUANTITY_MAX, "0 s");
    else if (stat->unit == VITALS_SECONDS)
        put_scaled(text, value * 1e9, times, COUNT(times), 1000);
    else if (stat->unit == VITALS_BYTES)
        put_scaled(text, value, sizes, COUNT(sizes), 1024);
    else
        snprintf(text, QUANTITY_MAX,
                 value >= WHOLE_MAX                      ? "%.4g"
                 : value < 1e15 && value != floor(value) ? "%.2f"
                                                         : "%.0f",
                 value);
    if (stat->unit == VITALS_CYCLES)
        strncat(text, " cyc", QUANTITY_MAX - strlen(text) - 1);
}
