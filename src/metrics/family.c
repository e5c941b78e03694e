/* SPDX-License-Identifier: MIT */
#include "metrics/family.h"

#include <ctype.h>

#include "base/count.h"
#include "base/text.h"
#include "kvm/meanings.h"
#include "stats/histogram.h"
#include "stats/schema.h"

enum family_kind family_kind(const struct vitals_stat *stat)
{
    if (histogram_is(stat))
        return FAMILY_HISTOGRAM;
    return stat->type == VITALS_CUMULATIVE ? FAMILY_COUNTER : FAMILY_GAUGE;
}

/* What is true is 1. */
const char *family_unit(const struct vitals_stat *stat)
{
    static const char *const units[] = {[VITALS_NONE] = NULL,
                                        [VITALS_BYTES] = "bytes",
                                        [VITALS_SECONDS] = "seconds",
                                        [VITALS_CYCLES] = "cycles",
                                        [VITALS_BOOLEAN] = NULL};
    ASSERT_COUNT(units, STAT_UNITS);

    return units[stat->unit];
}

/* ---- names ---------------------------------------------------------------------------------- */

/* A part of a name. */
struct word {
    const char *at;
    size_t len;
};

static struct word word_of(const char *text)
{
    return (struct word){text, strlen(text)};
}

/* Never all of it. */
static bool drop_end(struct word *word, const char *end)
{
    size_t len = strlen(end);

    if (word->len <= len || memcmp(word->at + word->len - len, end, len))
        return false;
    word->len -= len;
    return true;
}

static void drop_begin(struct word *word, const char *begin)
{
    size_t len = strlen(begin);

    if (word->len <= len + 1 || memcmp(word->at, begin, len) || word->at[len] != '_')
        return;
    word->at += len + 1;
    word->len -= len + 1;
}

/* It is not in it any more, or said by the unit. */
static void drop_scale(struct word *word, const struct vitals_stat *stat)
{
    static const struct {
        enum vitals_unit unit;
        const char *end;
    } ends[] = {
        {VITALS_SECONDS, "_ns"},      {VITALS_SECONDS, "_us"},  {VITALS_SECONDS, "_ms"},
        {VITALS_SECONDS, "_seconds"}, {VITALS_BYTES, "_bytes"}, {VITALS_CYCLES, "_cycles"},
    };

    for (size_t i = 0; i < COUNT(ends); i++)
        if (stat->unit == ends[i].unit && drop_end(word, ends[i].end))
            return;
}

static bool is_word(struct word word, const char *text)
{
    return word.len == strlen(text) && !memcmp(word.at, text, word.len);
}

/*
 * The endings of samples: a name that has one of them may be that of another family's sample. What
 * stands before a stem ends in "_", too.
 */
static bool has_end_of_sample(struct word stem)
{
    static const char *const ends[] = {"_total", "_created", "_bucket", "_count", "_sum", "_info"};

    for (size_t i = 0; i < COUNT(ends); i++)
        if (drop_end(&stem, ends[i]) || is_word(stem, ends[i] + 1))
            return true;
    return false;
}

/* Without what its kind says anyway. */
static struct word word_of_stat(const char *provider, const struct vitals_stat *stat)
{
    struct word word = word_of(stat->name);

    drop_begin(&word, provider);
    if (family_kind(stat) == FAMILY_COUNTER)
        drop_end(&word, "_total");
    if (family_kind(stat) == FAMILY_HISTOGRAM && !drop_end(&word, "_hist"))
        drop_end(&word, "_histogram");
    return word;
}

/* What the format has no place for is "_"; a character of several bytes is several of them. */
static void put_word(struct buf *out, struct word word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.at[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        buf_append(out, is_plain ? &c : "_", 1);
    }
}

/* A name does not begin with a digit, and "_" is kept for others. */
static void put_first(struct buf *out, const char *provider)
{
    if (!isalpha((unsigned char)provider[0]))
        buf_puts(out, "x");
    put_word(out, word_of(provider));
}

static void put_end(struct buf *out, const struct vitals_stat *stat, struct word stem)
{
    static const char *const distributions[] = {[VITALS_NONE] = "_distribution",
                                                [VITALS_BYTES] = "_size_bytes",
                                                [VITALS_SECONDS] = "_duration_seconds",
                                                [VITALS_CYCLES] = "_duration_cycles",
                                                [VITALS_BOOLEAN] = "_distribution"};
    const char *unit = family_unit(stat);
    ASSERT_COUNT(distributions, STAT_UNITS);

    if (family_kind(stat) == FAMILY_HISTOGRAM)
        buf_puts(out, distributions[stat->unit]);
    else if (unit)
        buf_printf(out, "_%s", unit);
    else if (family_kind(stat) == FAMILY_GAUGE && has_end_of_sample(stem))
        buf_puts(out, "_value");
}

void family_put_name(struct buf *out, const char *provider, const char *target,
                     const struct vitals_stat *stat)
{
    struct word stem = word_of_stat(provider, stat);
    bool is_unit = family_kind(stat) != FAMILY_HISTOGRAM && family_unit(stat) &&
                   is_word(stem, family_unit(stat));

    drop_scale(&stem, stat);
    put_first(out, provider);
    buf_puts(out, "_");
    if (strcmp(provider, target)) {
        put_word(out, word_of(target));
        buf_puts(out, "_");
    }
    put_word(out, stem);
    if (!is_unit) /* the name ends in it already */
        put_end(out, stat, stem);
}

/* ---- what it is ----------------------------------------------------------------------------- */

static const char *type_name(const struct vitals_stat *stat)
{
    static const char *const names[] = {[VITALS_CUMULATIVE] = "cumulative",
                                        [VITALS_INSTANT] = "instant",
                                        [VITALS_PEAK] = "peak: the highest value so far",
                                        [VITALS_LINEAR_HIST] = "linear histogram",
                                        [VITALS_LOG_HIST] = "logarithmic histogram"};
    ASSERT_COUNT(names, STAT_TYPES);

    return names[stat->type];
}

static void put_sentence(struct buf *out, const char *text)
{
    const char *end = strstr(text, ". ");

    buf_append(out, text, end ? (size_t)(end - text) + 1 : strlen(text));
    buf_puts(out, " ");
}

static void put_meaning(struct buf *out, const char *provider, const char *target,
                        const struct vitals_stat *stat)
{
    const struct explanation *explanation = explanation_find(provider, target, stat->name);

    if (stat->help && *stat->help)
        buf_printf(out, "%s ", stat->help);
    else if (explanation)
        put_sentence(out, explanation->meaning);
}

void family_put_help(struct buf *out, const char *provider, const char *target,
                     const struct vitals_stat *stat)
{
    const char *unit = family_unit(stat);
    size_t begin = out->len;

    put_meaning(out, provider, target, stat);
    buf_printf(out, "Statistic %s of %s (%s", stat->name, provider, type_name(stat));
    if (unit)
        buf_printf(out, ", %s", unit);
    if (stat->exponent)
        buf_printf(out, ", %d^%d", stat->base, stat->exponent);
    buf_append(out, ").", sizeof(").")); /* with its NUL */
    if (!out->failed)
        text_make_plain(out->data + begin);
}
