/* SPDX-License-Identifier: MIT */
#include "stats/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t bit_words(uint32_t n)
{
    return (n + 63) / 64;
}

static int reserve(struct stats_part *part)
{
    uint32_t n = part->schema->n_stats;
    uint32_t *wanted;
    uint64_t *bits;

    if (n > part->wanted_cap) {
        bits = realloc(part->wanted_bits, bit_words(n) * sizeof(*bits));
        if (bits)
            part->wanted_bits = bits;
        wanted = realloc(part->wanted, n * sizeof(*wanted));
        if (wanted)
            part->wanted = wanted;
        if (!bits || !wanted)
            return -ENOMEM;
        part->wanted_cap = n;
    }
    if (n)
        memset(part->wanted_bits, 0, bit_words(n) * sizeof(*part->wanted_bits));
    return 0;
}

static void set_all(struct stats_part *part)
{
    uint32_t i;

    for (i = 0; i < part->schema->n_stats; i++)
        part->wanted_bits[i / 64] |= 1ull << (i % 64);
}

static void set_fields(struct stats_part *part, const struct stats_filter *filter)
{
    size_t i;

    for (i = 0; i < filter->n_fields; i++) {
        int64_t stat = schema_find(part->schema, filter->fields[i]);

        if (stat >= 0)
            part->wanted_bits[stat / 64] |= 1ull << (stat % 64);
    }
}

/* True: all are wanted by now, whatever other filters say. */
static bool apply_filter(struct stats_part *part, const struct stats_filter *filter)
{
    if (filter->provider && strcmp(filter->provider, part->schema->provider))
        return false;
    if (filter->all_fields)
        set_all(part);
    else
        set_fields(part, filter);
    return filter->all_fields;
}

static void apply_filters(struct stats_part *part, const struct stats_request *request)
{
    size_t i;

    for (i = 0; i < request->n_filters; i++)
        if (apply_filter(part, &request->filters[i]))
            return;
}

/* No statistic has an empty name: it stands for all of them. */
static const char all_names[] = "";

static void apply_index(struct stats_part *part, const struct name_set *names)
{
    const struct stats_schema *schema = part->schema;
    uint32_t i;

    if (name_set_has_either(names, schema->provider, all_names)) {
        set_all(part);
        return;
    }
    for (i = 0; i < schema->n_stats; i++)
        if (name_set_has_either(names, schema->provider, schema->stats[i].name))
            part->wanted_bits[i / 64] |= 1ull << (i % 64);
}

static void list_bits(struct stats_part *part)
{
    size_t word, words = bit_words(part->schema->n_stats);

    part->n_wanted = 0;
    for (word = 0; word < words; word++) {
        uint64_t bits = part->wanted_bits[word];

        for (; bits; bits &= bits - 1)
            part->wanted[part->n_wanted++] =
                (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);
    }
}

int filter_resolve(struct stats_part *part, const struct stats_request *request)
{
    part->n_wanted = 0;
    if (reserve(part))
        return -ENOMEM;
    if (request->all_stats)
        set_all(part);
    else if (request->names)
        apply_index(part, request->names);
    else
        apply_filters(part, request);
    list_bits(part);
    return 0;
}

/* ---- many names ----------------------------------------------------------------------------- */

static size_t count_names(const struct stats_request *request)
{
    size_t n = request->n_filters, i;

    for (i = 0; i < request->n_filters; i++)
        n += request->filters[i].n_fields;
    return n;
}

static void index_filter(struct name_set *names, const struct stats_filter *filter)
{
    size_t i;

    if (filter->all_fields)
        name_set_add(names, filter->provider, all_names);
    for (i = 0; i < filter->n_fields; i++)
        if (*filter->fields[i])
            name_set_add(names, filter->provider, filter->fields[i]);
}

static int index_names(struct stats_request *request, struct arena *arena)
{
    size_t n = count_names(request), i;

    request->names = NULL;
    if (request->all_stats || n < FILTER_NAMES_MANY)
        return 0;
    request->names = name_set_new(arena, n);
    for (i = 0; request->names && i < request->n_filters; i++)
        index_filter(request->names, &request->filters[i]);
    return request->names ? 0 : -ENOMEM;
}

static int index_objects(struct stats_request *request, struct arena *arena)
{
    size_t n = 0, i;

    if (request->objects_sorted || request->n_objects < FILTER_NAMES_MANY)
        return 0;
    request->object_names = name_set_new(arena, request->n_objects);
    if (!request->object_names)
        return -ENOMEM;
    for (i = 0; i < request->n_objects; i++)
        if (name_set_add(request->object_names, NULL, request->objects[i]))
            request->objects[n++] = request->objects[i];
    request->n_objects = n;
    request->objects_sorted = true;
    return 0;
}

int filter_index(struct stats_request *request, struct arena *arena)
{
    int err = index_names(request, arena);

    return err ? err : index_objects(request, arena);
}

/* ---- objects -------------------------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void filter_sort_objects(struct stats_request *request)
{
    size_t i, n = 0;

    if (request->objects_sorted)
        return;
    request->objects_sorted = true;
    if (request->n_objects < 2)
        return;
    qsort(request->objects, request->n_objects, sizeof(*request->objects), compare_paths);
    for (i = 0; i < request->n_objects; i++)
        if (!n || strcmp(request->objects[n - 1], request->objects[i]))
            request->objects[n++] = request->objects[i];
    request->n_objects = n;
}

bool filter_wants_object(const struct stats_request *request, const char *path)
{
    if (request->all_objects)
        return true;
    if (request->object_names)
        return name_set_has(request->object_names, NULL, path);
    return bsearch(&path, request->objects, request->n_objects, sizeof(*request->objects),
                   compare_paths);
}
