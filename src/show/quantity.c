/* SPDX-License-Identifier: MIT */
#include "show/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "qmp/stat_names.h"

/* Beyond, a number is shown by its exponent: 10^32767 bytes are nothing that a VM has. */
#define WHOLE_MAX 1e20

struct units {
    const char *const *names;
    size_t n;
    double factor;
};

static const char *scale(double *value, const struct units *units)
{
    size_t i = 0;

    while (i + 1 < units->n && *value >= units->factor) {
        *value /= units->factor;
        i++;
    }
    return units->names[i];
}

static void put_scaled(char text[QUANTITY_MAX], double value, const struct units *units)
{
    const char *name = scale(&value, units);

    snprintf(text, QUANTITY_MAX, value >= 1000 && value < WHOLE_MAX ? "%.0f %s" : "%.4g %s", value,
             name);
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
    else if (fabs(value) < 1e15 && value == floor(value)) /* in half of the time */
        snprintf(text, QUANTITY_MAX, "%lld%s%s", (long long)value, space, unit);
    else
        snprintf(text, QUANTITY_MAX, "%.*f%s%s", value < 1e15 ? 2 : 0, value, space, unit);
}

static const struct units times = {(const char *const[]){"ns", "us", "ms", "s"}, 4, 1000};
static const struct units sizes = {
    (const char *const[]){"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}, 7, 1024};

void quantity_text(char text[QUANTITY_MAX], const struct vitals_stat *stat, double raw)
{
    double value = raw == 0 ? 0 : raw * pow(stat->base, stat->exponent);

    if (raw == 0 && stat->unit == VITALS_SECONDS)
        snprintf(text, QUANTITY_MAX, "0 s");
    else if (stat->unit == VITALS_SECONDS)
        put_scaled(text, value * 1e9, &times);
    else if (stat->unit == VITALS_BYTES)
        put_scaled(text, value, &sizes);
    else
        put_number(text, value, suffix(stat->unit));
}

void quantity_short(char text[QUANTITY_MAX], const struct vitals_stat *stat, double raw)
{
    double value = raw == 0 ? 0 : raw * pow(stat->base, stat->exponent);
    const char *unit;

    if (raw == 0 || (stat->unit != VITALS_SECONDS && stat->unit != VITALS_BYTES)) {
        put_number(text, value, raw == 0 ? "" : suffix(stat->unit));
        return;
    }
    value *= stat->unit == VITALS_SECONDS ? 1e9 : 1;
    unit = scale(&value, stat->unit == VITALS_SECONDS ? &times : &sizes);
    if (value >= 9.95 || value == floor(value))
        snprintf(text, QUANTITY_MAX, value < WHOLE_MAX ? "%.0f%s" : "%.2g%s", value, unit);
    else
        snprintf(text, QUANTITY_MAX, "%.1f%s", value, unit);
}
