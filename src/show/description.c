/* SPDX-License-Identifier: MIT */
#include "show/description.h"

#include <stdio.h>
#include <string.h>

#include "base/count.h"
#include "base/wrap.h"
#include "show/output.h"
#include "stats/histogram.h"
#include "stats/schema.h"

enum { INDENT = 12, TEXT_MAX = 160 };

/* ---- words ---------------------------------------------------------------------------------- */

static const char *type_text(const struct vitals_stat *stat)
{
    static const char *const texts[] = {
        [VITALS_CUMULATIVE] = "cumulative: it only grows, until it is reset",
        [VITALS_INSTANT] = "instant: the value of this moment",
        [VITALS_PEAK] = "peak: the highest value so far",
        [VITALS_LINEAR_HIST] = "linear-histogram: counts in buckets of one width",
        [VITALS_LOG_HIST] = "log2-histogram: counts in buckets that double in width",
    };
    ASSERT_COUNT(texts, STAT_TYPES);

    return texts[stat->type];
}

static const char *power_name(const struct vitals_stat *stat)
{
    static const struct {
        uint8_t base;
        int16_t exponent;
        enum vitals_unit unit;
        const char *name;
    } names[] = {
        {10, -3, VITALS_SECONDS, "milliseconds"},
        {10, -6, VITALS_SECONDS, "microseconds"},
        {10, -9, VITALS_SECONDS, "nanoseconds"},
        {2, 10, VITALS_BYTES, "KiB"},
        {2, 20, VITALS_BYTES, "MiB"},
        {2, 30, VITALS_BYTES, "GiB"},
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (names[i].base == stat->base && names[i].exponent == stat->exponent &&
            names[i].unit == stat->unit)
            return names[i].name;
    return NULL;
}

/* "seconds, times 10^-9: nanoseconds". The unit of a histogram is that of its bounds. */
static void unit_text(char text[TEXT_MAX], const struct vitals_stat *stat)
{
    const char *of = histogram_is(stat) ? " (of the bounds)" : "", *name = power_name(stat);
    const char *unit = stat->unit == VITALS_NONE ? "a number" : output_unit_name(stat);

    if (!stat->exponent)
        snprintf(text, TEXT_MAX, "%s%s", unit, of);
    else
        snprintf(text, TEXT_MAX, "%s, times %d^%d%s%s%s", unit, stat->base, stat->exponent,
                 name ? ": " : "", name ? name : "", of);
}

static void buckets_text(char text[TEXT_MAX], const struct vitals_stat *stat)
{
    if (stat->type == VITALS_LINEAR_HIST)
        snprintf(text, TEXT_MAX, "each %u wide, from 0; the last has all above it",
                 stat->bucket_size);
    else
        snprintf(text, TEXT_MAX, "0, 1, 2-3, 4-7, ...; the last has all above it");
}

/* ---- fields --------------------------------------------------------------------------------- */

static void put_field(struct buf *out, const char *title, const char *text, size_t width)
{
    buf_printf(out, "  %s:%*s", title, INDENT - 3 - (int)strlen(title), "");
    wrap_put(out, text, INDENT, width);
}

static void put_schema(struct buf *out, const struct vitals_stat *stat, size_t width)
{
    char text[TEXT_MAX];

    if (!stat) {
        put_field(out, "Type", "a VM knows type and unit: give --socket", width);
        return;
    }
    put_field(out, "Type", type_text(stat), width);
    unit_text(text, stat);
    put_field(out, "Unit", text, width);
    if (!histogram_is(stat))
        return;
    buckets_text(text, stat);
    put_field(out, "Buckets", text, width);
}

const char *description_meaning(const struct description *description)
{
    if (description->explanation)
        return description->explanation->meaning;
    if (description->stat && description->stat->help)
        return description->stat->help;
    return DESCRIPTION_UNKNOWN;
}

static void put_meaning(struct buf *out, const struct description *description, size_t width)
{
    buf_puts(out, "  ");
    wrap_put(out, description_meaning(description), 2, width);
}

static void put_target(struct buf *out, const char *target, size_t width)
{
    char text[TEXT_MAX];

    snprintf(text, sizeof(text), "each object of target %s", target);
    if (!strcmp(target, "vm"))
        snprintf(text, sizeof(text), "the VM");
    else if (!strcmp(target, "vcpu"))
        snprintf(text, sizeof(text), "each vCPU");
    put_field(out, "Of", text, width);
}

static void put_advice(struct buf *out, const struct explanation *explanation, size_t width)
{
    if (!explanation)
        return;
    put_field(out, "High", explanation->high, width);
    put_field(out, "Do", explanation->next, width);
}

void description_put(struct buf *out, const struct description *description, size_t width)
{
    put_meaning(out, description, width);
    put_target(out, description->target, width);
    put_field(out, "Provider", description->provider, width);
    put_schema(out, description->stat, width);
    put_advice(out, description->explanation, width);
}

void description_put_advice(struct buf *out, const struct description *description, size_t width)
{
    put_meaning(out, description, width);
    put_advice(out, description->explanation, width);
    put_schema(out, description->stat, width);
}
