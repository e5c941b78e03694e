/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stats/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sized.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* Whether the characters are in order, whatever their number. */
static bool has_name_characters(const char *name)
{
    size_t i;

    if (!name || !is_lower(name[0]))
        return false;
    for (i = 1; name[i]; i++) {
        if (!is_lower(name[i]) && !(name[i] >= '0' && name[i] <= '9') && name[i] != '_' &&
            name[i] != '-')
            return false;
    }
    return true;
}

int schema_check_name(const char *what, const char *name, struct error_text *error)
{
    if (!has_name_characters(name))
        return error_set(error, -EINVAL, "%s name '%.100s' is not [a-z][a-z0-9_-]{0,62}", what,
                         name ? name : "");
    if (strlen(name) > VITALS_NAME_MAX)
        return error_set(error, -E2BIG, "%s name '%.100s' has %zu bytes, at most %d", what, name,
                         strlen(name), VITALS_NAME_MAX);
    return 0;
}

static int check_shape(const struct vitals_stat *stat, struct error_text *error)
{
    bool linear = stat->type == VITALS_LINEAR_HIST;

    if (stat->type >= STAT_TYPES)
        return error_set(error, -EINVAL, "statistic '%s': type %u is unknown", stat->name,
                         stat->type);
    if (stat->unit >= STAT_UNITS)
        return error_set(error, -EINVAL, "statistic '%s': unit %u is unknown", stat->name,
                         stat->unit);
    if (stat->base != 10 && stat->base != 2)
        return error_set(error, -EINVAL, "statistic '%s': base is %u, must be 10 or 2", stat->name,
                         stat->base);
    if (!stat->count || (stat->count > 1 && !stat_is_histogram(stat)))
        return error_set(error, -EINVAL,
                         "statistic '%s': count is %u, must be 1 or, for a "
                         "histogram, the number of buckets",
                         stat->name, stat->count);
    if (linear != (stat->bucket_size != 0))
        return error_set(error, -EINVAL,
                         "statistic '%s': bucket_size is %u, must be the width of "
                         "a linear histogram's buckets, else 0",
                         stat->name, stat->bucket_size);
    return 0;
}

int schema_check_stat(const struct vitals_stat *stat, uint32_t row_len, struct error_text *error)
{
    int err = schema_check_name("statistic", stat->name, error);

    if (err)
        return err;
    if (stat->slot > row_len || stat->count > row_len - stat->slot)
        return error_set(error, -EINVAL,
                         "statistic '%s': elements [%u, %u) are outside the row of "
                         "%u",
                         stat->name, stat->slot, stat->slot + stat->count, row_len);
    return check_shape(stat, error);
}

static int check_ops(const struct vitals_group_ops *ops, struct error_text *error)
{
    int err = schema_check_name("provider", ops->provider, error);

    if (!err)
        err = schema_check_name("target", ops->target, error);
    if (err)
        return err;
    if (!strcmp(ops->target, "vcpus"))
        return error_set(error, -EINVAL, "target 'vcpus' would be taken for target 'vcpu'");
    if (ops->n_stats > VITALS_STATS_MAX)
        return error_set(error, -E2BIG, "%u statistics in a group, at most %u", ops->n_stats,
                         VITALS_STATS_MAX);
    if (ops->row_len > VITALS_ROW_MAX)
        return error_set(error, -E2BIG, "a row of %u elements, at most %u", ops->row_len,
                         VITALS_ROW_MAX);
    if (ops->n_stats && !ops->stats)
        return error_set(error, -EINVAL, "stats is NULL");
    return 0;
}

/* ops->stats is an array of the caller's struct vitals_stat: shorter or longer than ours. */
static const struct sized sized_stat = SIZED("vitals_register", struct vitals_stat, slot);

static const void *given_stat(const struct vitals_group_ops *ops, uint32_t i)
{
    return (const char *)ops->stats + i * ops->stat_size;
}

static struct vitals_stat copy_stat(const struct vitals_group_ops *ops, uint32_t i)
{
    struct vitals_stat stat;

    sized_copy(&sized_stat, given_stat(ops, i), ops->stat_size, &stat);
    return stat;
}

static int take_stat(const struct vitals_group_ops *ops, uint32_t i, struct vitals_stat *ret_stat,
                     struct error_text *error)
{
    struct error_text reason;
    int err = sized_check(&sized_stat, given_stat(ops, i), ops->stat_size, &reason);

    if (err)
        return error_set(error, err, "statistic %u: %s", i, reason.text);
    *ret_stat = copy_stat(ops, i);
    return schema_check_stat(ret_stat, ops->row_len, error);
}

static size_t string_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static int measure(const struct vitals_group_ops *ops, struct error_text *error, size_t *ret_size)
{
    size_t size = string_size(ops->provider) + string_size(ops->target);
    uint32_t i;

    for (i = 0; i < ops->n_stats; i++) {
        struct vitals_stat stat;
        int err = take_stat(ops, i, &stat, error);

        if (err)
            return err;
        size += string_size(stat.name) + string_size(stat.help);
    }
    *ret_size = sizeof(struct stats_schema) +
                ops->n_stats * (sizeof(struct vitals_stat) + 2 * sizeof(uint32_t)) + size;
    return 0;
}

static const char *copy_string(char **end, const char *text)
{
    char *copy = *end;

    if (!text)
        return NULL;
    *end = stpcpy(copy, text) + 1;
    return copy;
}

static int compare_names(const void *a, const void *b, void *stats)
{
    const struct vitals_stat *s = stats;

    return strcmp(s[*(const uint32_t *)a].name, s[*(const uint32_t *)b].name);
}

static void copy_stats(struct stats_schema *schema, const struct vitals_group_ops *ops)
{
    uint32_t *by_name = (uint32_t *)&schema->stats[ops->n_stats];
    uint32_t *counter_slots = &by_name[ops->n_stats];
    char *end = (char *)&counter_slots[ops->n_stats];
    uint32_t i;

    schema->provider = copy_string(&end, ops->provider);
    schema->target = copy_string(&end, ops->target);
    for (i = 0; i < ops->n_stats; i++) {
        schema->stats[i] = copy_stat(ops, i);
        schema->stats[i].name = copy_string(&end, schema->stats[i].name);
        schema->stats[i].help = copy_string(&end, schema->stats[i].help);
        by_name[i] = i;
        if (schema->stats[i].type == VITALS_CUMULATIVE)
            counter_slots[schema->n_counters++] = schema->stats[i].slot;
    }
    schema->counter_slots = counter_slots;
    qsort_r(by_name, ops->n_stats, sizeof(*by_name), compare_names, schema->stats);
    schema->by_name = by_name;
}

static int check_names_differ(const struct stats_schema *schema, struct error_text *error)
{
    uint32_t i;

    for (i = 1; i < schema->n_stats; i++) {
        const char *name = schema->stats[schema->by_name[i]].name;

        if (!strcmp(schema->stats[schema->by_name[i - 1]].name, name))
            return error_set(error, -EEXIST, "statistic '%s' is there twice", name);
    }
    return 0;
}

/* The statistic that has an element of the row already; else they are those of number @i from now on. */
static const struct vitals_stat *take_slice(const struct vitals_stat *stats, uint32_t i,
                                            uint32_t *owners)
{
    uint32_t element;

    for (element = stats[i].slot; element < stats[i].slot + stats[i].count; element++) {
        if (owners[element])
            return &stats[owners[element] - 1];
        owners[element] = i + 1;
    }
    return NULL;
}

static int check_slices_differ(const struct stats_schema *schema, struct error_text *error)
{
    uint32_t *owners = calloc(schema->row_len + 1, sizeof(*owners));
    const struct vitals_stat *owner;
    uint32_t i;
    int err = 0;

    if (!owners)
        return error_set(error, -ENOMEM, "no memory for a schema");
    for (i = 0; i < schema->n_stats && !err; i++) {
        owner = take_slice(schema->stats, i, owners);
        if (owner)
            err = error_set(error, -EINVAL,
                            "statistic '%s': elements [%u, %u) are those of statistic '%s', too",
                            schema->stats[i].name, schema->stats[i].slot,
                            schema->stats[i].slot + schema->stats[i].count, owner->name);
    }
    free(owners);
    return err;
}

int schema_new(const struct vitals_group_ops *ops, struct error_text *error,
               struct stats_schema **ret_schema)
{
    struct stats_schema *schema;
    size_t size = 0;
    int err;

    err = check_ops(ops, error);
    if (!err)
        err = measure(ops, error, &size);
    if (err)
        return err;
    schema = calloc(1, size);
    if (!schema)
        return error_set(error, -ENOMEM, "no memory for a schema");
    atomic_init(&schema->refs, 1);
    schema->n_stats = ops->n_stats;
    schema->row_len = ops->row_len;
    copy_stats(schema, ops);
    err = check_names_differ(schema, error);
    if (!err)
        err = check_slices_differ(schema, error);
    if (err) {
        schema_unref(schema);
        return err;
    }
    *ret_schema = schema;
    return 0;
}

struct stats_schema *schema_ref(struct stats_schema *schema)
{
    atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
    return schema;
}

void schema_unref(struct stats_schema *schema)
{
    unsigned i;

    if (!schema || atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (i = 0; i < SCHEMA_NOTES; i++) {
        struct schema_note *note = schema_get_note(schema, i);

        if (note)
            note->free(note);
    }
    free(schema);
}

struct schema_note *schema_keep_note(struct stats_schema *schema, unsigned slot,
                                     struct schema_note *note)
{
    struct schema_note *present = NULL;

    if (atomic_compare_exchange_strong(&schema->notes[slot], &present, note))
        return note;
    note->free(note);
    return present;
}

int64_t schema_find(const struct stats_schema *schema, const char *name)
{
    uint32_t low = 0, high = schema->n_stats;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2, i = schema->by_name[middle];
        int order = strcmp(name, schema->stats[i].name);

        if (!order)
            return i;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static bool has_same_meaning(const struct vitals_stat *one, const struct vitals_stat *other)
{
    return one->type == other->type && one->unit == other->unit && one->base == other->base &&
           one->exponent == other->exponent && one->count == other->count &&
           one->bucket_size == other->bucket_size;
}

static bool is_same_text(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

bool schema_is_equal(const struct stats_schema *one, const struct stats_schema *other)
{
    uint32_t i;

    if (one->n_stats != other->n_stats || one->row_len != other->row_len ||
        strcmp(one->provider, other->provider) || strcmp(one->target, other->target))
        return false;
    for (i = 0; i < one->n_stats; i++) {
        const struct vitals_stat *stat = &one->stats[i], *like = &other->stats[i];

        if (strcmp(stat->name, like->name) || stat->slot != like->slot ||
            !has_same_meaning(stat, like) || !is_same_text(stat->help, like->help))
            return false;
    }
    return true;
}

const struct vitals_stat *schema_find_conflict(const struct stats_schema *schema,
                                               const struct stats_schema *other)
{
    uint32_t i;

    for (i = 0; i < schema->n_stats; i++) {
        int64_t like = schema_find(other, schema->stats[i].name);

        if (like >= 0 && !has_same_meaning(&schema->stats[i], &other->stats[like]))
            return &schema->stats[i];
    }
    return NULL;
}
