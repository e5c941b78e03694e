/* SPDX-License-Identifier: MIT */
#include "show/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"
#include "qmp/stat_names.h"

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

/* What stands behind a plain number; "": nothing. */
static const char *suffix(uint8_t unit)
{
    if (unit == VITALS_CYCLES)
        return "cyc";
    return unit == VITALS_NONE || unit == VITALS_BOOLEAN
               ? ""
               : stat_unit_name(VITALS_DIALECT_FLAT, unit);
}

static void put_number(char text[QUANTITY_MAX], double value, const char *unit)
{
    const char *space = *unit ? " " : "";

    if (value >= WHOLE_MAX)
        snprintf(text, QUANTITY_MAX, "%.4g%s%s", value, space, unit);
    else
        snprintf(text, QUANTITY_MAX, "%.*f%s%s", value < 1e15 && value != floor(value) ? 2 : 0,
                 value, space, unit);
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
        put_number(text, value, suffix(stat->unit));
}
