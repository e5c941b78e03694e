/* SPDX-License-Identifier: MIT */
#include "stats/collect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "stats/apart.h"
#include "stats/filter.h"
#include "stats/report.h"

struct vitals_sink {
    struct stats_collection *collection;
    struct stats_part *part;
    const struct group_pin *pin;
    size_t next;     /* the object that follows the last one: most often the one named next */
    bool is_vm;      /* the target is the VM itself */
    bool is_shared;  /* other groups have given rows to the part */
    size_t siblings; /* number + 1 of the last part of this provider that has rows; 0: none */
    size_t last_row; /* index + 1 of the object whose row was given last; 0: none */
};

/* The VM itself has no path; in the table it stands under this one, which no object can have. */
static const char vm_path[] = "";

/* ---- what a provider calls ------------------------------------------------------------------ */

static bool is_logged_first(struct vitals_group *group, enum group_failure failure, unsigned number)
{
    unsigned last = GROUP_ERRNO_WORDS * 64 - 1;
    unsigned long long bit;

    number = number < last ? number : last;
    bit = 1ull << (number % 64);
    return !(atomic_fetch_or(&group->failures_logged[failure][number / 64], bit) & bit);
}

static void log_failure(const struct group_pin *pin, enum group_failure failure, int err)
{
    static const char *const texts[] = {
        [FAILURE_ROW_PATH] = "a row needs the path of its object, and that of target 'vm' none",
        [FAILURE_OBJECT] = "an object can't be read",
        [FAILURE_GROUP] = "nothing can be read",
        [FAILURE_ROOM] = "it may block, and its rows are too many: some are left out",
    };
    unsigned number = err < 0 ? 0u - (unsigned)err : (unsigned)err;

    ASSERT_COUNT(texts, GROUP_FAILURES);
    if (is_logged_first(pin->group, failure, number))
        ctx_log(pin->group->ctx, VITALS_LOG_WARNING, "provider '%s', target '%s': %s: %s",
                pin->schema->provider, pin->schema->target, texts[failure], strerror((int)number));
}

static size_t row_size(const struct stats_schema *schema)
{
    return schema->row_len * sizeof(uint64_t);
}

static const char *checked_path(struct vitals_sink *sink, const char *object)
{
    if (sink->is_vm && !object)
        return vm_path;
    if (!sink->is_vm && object && *object &&
        strnlen(object, VITALS_OBJECT_MAX + 1) <= VITALS_OBJECT_MAX)
        return object;
    log_failure(sink->pin, FAILURE_ROW_PATH, -EINVAL);
    return NULL;
}

static int64_t add_object(struct stats_collection *collection, const char *path)
{
    size_t size = strlen(path) + 1;
    char *copy = arena_alloc(&collection->names, size);

    if (!copy)
        return -1;
    memcpy(copy, path, size);
    collection->n_names++;
    if (paths_add(&collection->objects, copy))
        return -1;
    return (int64_t)collection->objects.count - 1;
}

static bool has_room_for_object(const struct stats_collection *collection)
{
    size_t n = collection->objects.count - collection->first;

    return (!collection->objects_max || n < collection->objects_max) &&
           (!collection->end || collection->objects.count < collection->end);
}

/*
 * False: the rows are too many. How many objects have room shows when all groups are known; then all
 * begins again, with so many.
 */
static bool reserve_bytes(struct stats_collection *collection, size_t size)
{
    if (collection->rows_max && !collection->objects_max &&
        collection->rows_size + size > collection->rows_max)
        collection->is_full = true;
    collection->rows_size += size;
    return !collection->is_full;
}

static bool reserve_object(struct stats_collection *collection, const char *path)
{
    size_t size = STATS_OBJECT_SIZE + strlen(path) + 1;

    if (!reserve_bytes(collection, size))
        return false;
    collection->objects_size += size;
    return true;
}

/*
 * Objects come in the same order from every group and in every query, so a comparison most often
 * replaces the search.
 */
static int64_t object_index(struct vitals_sink *sink, const char *path)
{
    struct path_table *objects = &sink->collection->objects;
    bool has_room = has_room_for_object(sink->collection);
    int64_t index;

    if (sink->next < objects->count && !strcmp(objects->paths[sink->next], path))
        return (int64_t)sink->next;
    if (has_room && sink->next == objects->count && paths_add_expected(objects, path))
        return reserve_object(sink->collection, path) ? (int64_t)sink->next : -1;
    index = paths_find(objects, path);
    if (index >= 0)
        return index;
    if (has_room)
        return reserve_object(sink->collection, path) ? add_object(sink->collection, path) : -1;
    sink->collection->n_cut++;
    return -1;
}

static int reserve_rows(struct stats_part *part, size_t n)
{
    size_t cap = part->rows_cap ? part->rows_cap : 16;
    uint64_t **rows;

    while (cap < n)
        cap *= 2;
    if (cap != part->rows_cap) {
        rows = realloc(part->rows, cap * sizeof(*rows));
        if (!rows)
            return -ENOMEM;
        part->rows = rows;
        part->rows_cap = cap;
    }
    for (; part->n_rows < n; part->n_rows++)
        part->rows[part->n_rows] = NULL;
    return 0;
}

/* To a provider, an object is one: the first of its groups that has a row of it gives it. */
static bool is_given(const struct vitals_sink *sink, size_t index)
{
    const struct stats_part *parts = sink->collection->parts;
    size_t i;

    if (stats_part_row(sink->part, index))
        return true;
    for (i = sink->siblings; i; i = parts[i - 1].sibling)
        if (stats_part_row(&parts[i - 1], index))
            return true;
    return false;
}

/* So that they can be taken back if the group fails as a whole. */
static int note_given(struct stats_collection *collection, size_t index)
{
    size_t cap = collection->given_cap ? collection->given_cap * 2 : 16;
    size_t *given;

    if (collection->n_given == collection->given_cap) {
        given = reallocarray(collection->given, cap, sizeof(*given));
        if (!given)
            return -ENOMEM;
        collection->given = given;
        collection->given_cap = cap;
    }
    collection->given[collection->n_given++] = index;
    return 0;
}

uint64_t *vitals_row(struct vitals_sink *sink, const char *object)
{
    struct stats_part *part = sink->part;
    size_t size = row_size(part->schema);
    const char *path = checked_path(sink, object);
    int64_t index;
    uint64_t *row;

    sink->last_row = 0;
    if (sink->collection->is_full) /* it begins again */
        return NULL;
    if (!path || (object && !filter_wants_object(sink->collection->request, path)))
        return NULL;
    index = object_index(sink, path);
    if (index < 0)
        return NULL;
    sink->next = (size_t)index + 1;
    if ((size_t)index < part->first || reserve_rows(part, sink->next - part->first))
        return NULL;
    if (is_given(sink, (size_t)index) || !reserve_bytes(sink->collection, size))
        return NULL;
    if (sink->is_shared && note_given(sink->collection, (size_t)index))
        return NULL;
    row = arena_alloc(&sink->collection->rows, size);
    if (!row)
        return NULL;
    memset(row, 0, size);
    part->rows[(size_t)index - part->first] = row;
    sink->last_row = sink->next;
    return row;
}

void vitals_row_fail(struct vitals_sink *sink, int err)
{
    if (!sink->last_row)
        return;
    log_failure(sink->pin, FAILURE_OBJECT, err);
    sink->part->rows[sink->last_row - 1 - sink->part->first] = NULL;
    sink->last_row = 0;
}

bool vitals_wants(const struct vitals_sink *sink, uint32_t stat)
{
    const struct stats_part *part = sink->part;

    return stat < part->schema->n_stats && (part->wanted_bits[stat / 64] >> (stat % 64)) & 1;
}

const char *const *vitals_wanted_objects(const struct vitals_sink *sink, size_t *ret_count)
{
    const struct stats_request *request = sink->collection->request;

    if (request->all_objects)
        return NULL;
    *ret_count = request->n_objects;
    return request->objects;
}

const struct stats_schema *sink_schema(const struct vitals_sink *sink)
{
    return sink->part->schema;
}

/* ---- one query ------------------------------------------------------------------------------ */

static struct stats_part *next_part(struct stats_collection *collection)
{
    size_t cap = collection->parts_cap ? collection->parts_cap * 2 : 4;
    struct stats_part *parts;

    if (collection->n_parts < collection->parts_cap)
        return &collection->parts[collection->n_parts];
    parts = realloc(collection->parts, cap * sizeof(*parts));
    if (!parts)
        return NULL;
    memset(parts + collection->parts_cap, 0, (cap - collection->parts_cap) * sizeof(*parts));
    collection->parts = parts;
    collection->parts_cap = cap;
    return &parts[collection->n_parts];
}

/* NULL: there is none. */
static struct stats_part *find_part(const struct stats_collection *collection,
                                    const struct stats_schema *schema)
{
    size_t i;

    for (i = collection->n_parts; i > 0; i--) /* the next group mostly has that of the last */
        if (collection->parts[i - 1].schema == schema)
            return &collection->parts[i - 1];
    return NULL;
}

/* The number + 1 of the last part of the same provider that may have rows; 0: there is none. */
static size_t find_sibling(const struct stats_collection *collection,
                           const struct stats_schema *schema)
{
    size_t i;

    for (i = collection->n_parts; i > 0; i--) {
        const struct stats_part *other = &collection->parts[i - 1];

        if (other->n_wanted && !strcmp(other->schema->provider, schema->provider))
            return i;
    }
    return 0;
}

static void take_back(struct stats_collection *collection, struct stats_part *part)
{
    while (collection->n_given)
        part->rows[collection->given[--collection->n_given] - part->first] = NULL;
}

/* Whoever can't wait for a group that may block does without it. */
static int call_group(const struct stats_collection *collection, const struct group_pin *pin,
                      struct vitals_sink *sink)
{
    if (!pin->group->apart)
        return registry_collect(pin, sink);
    if (!collection->request->since_ns)
        return -EAGAIN;
    return apart_give(pin, collection->request->since_ns, sink);
}

/* Of a group whose schema is that of a part already. Its objects mostly come behind those of the others. */
static void collect_into(struct stats_collection *collection, struct stats_part *part,
                         const struct group_pin *pin)
{
    struct vitals_sink sink = {.collection = collection,
                               .part = part,
                               .pin = pin,
                               .next = collection->objects.count,
                               .is_vm = !strcmp(pin->schema->target, "vm"),
                               .is_shared = true,
                               .siblings = find_sibling(collection, pin->schema)};
    int err;

    collection->n_given = 0;
    err = call_group(collection, pin, &sink);
    if (err) {
        log_failure(pin, FAILURE_GROUP, err);
        take_back(collection, part);
    }
}

/* Without rows yet. Also one of which nothing is wanted, so that it is known. NULL: no memory. */
static struct stats_part *add_part(struct stats_collection *collection, struct stats_schema *schema)
{
    struct stats_part *part = next_part(collection);

    if (!part)
        return NULL;
    part->n_rows = 0;
    part->first = collection->first;
    part->schema = schema;
    if (filter_resolve(part, collection->request))
        return NULL;
    part->sibling = 0;
    if (part->n_wanted) {
        part->sibling = find_sibling(collection, schema);
        collection->object_size += row_size(schema);
    }
    schema_ref(schema);
    collection->n_parts++;
    return part;
}

static void collect_first(struct stats_collection *collection, struct stats_part *part,
                          const struct group_pin *pin)
{
    struct vitals_sink sink = {.collection = collection,
                               .part = part,
                               .pin = pin,
                               .is_vm = !strcmp(pin->schema->target, "vm"),
                               .siblings = part->sibling};
    int err = call_group(collection, pin, &sink);

    if (!err)
        return;
    log_failure(pin, FAILURE_GROUP, err);
    part->n_rows = 0;
}

static int collect_group(struct stats_collection *collection, const struct group_pin *pin)
{
    struct stats_part *part = find_part(collection, pin->schema);
    bool is_known = part;

    if (!part)
        part = add_part(collection, pin->schema);
    if (!part)
        return -ENOMEM;
    if (!part->n_wanted || collection->is_full)
        return 0;
    if (is_known)
        collect_into(collection, part, pin);
    else
        collect_first(collection, part, pin);
    return 0;
}

static void drop_rows(struct stats_collection *collection)
{
    while (collection->n_parts)
        schema_unref(collection->parts[--collection->n_parts].schema);
    collection->rows.kept = STATS_ROWS_KEPT;
    arena_reset(&collection->rows);
    collection->rows_size = collection->object_size = collection->objects_size = 0;
    collection->n_cut = 0;
    collection->is_full = false;
}

static void drop_objects(struct stats_collection *collection)
{
    collection->first = collection->objects_max = collection->end = 0;
    if (collection->n_names == collection->objects.count) {
        paths_again(&collection->objects, 0);
        return;
    }
    collection->n_names = 0;
    paths_reset(&collection->objects);
    collection->names.kept = STATS_NAMES_KEPT;
    arena_reset(&collection->names);
}

/* Without rows they were only there to be known. */
static void drop_empty_parts(struct stats_collection *collection)
{
    size_t n = 0, i;

    for (i = 0; i < collection->n_parts; i++) {
        struct stats_part part = collection->parts[i];

        if (!part.n_rows) {
            schema_unref(part.schema);
            continue;
        }
        collection->parts[i] = collection->parts[n];
        collection->parts[n++] = part;
    }
    collection->n_parts = n;
}

static int ask_groups(struct stats_collection *collection, struct vitals_ctx *ctx,
                      struct stats_request *request)
{
    struct group_pin pin;
    struct group_walk walk = {.providers = request->providers};
    int err = 0;

    collection->request = request;
    while (!err && registry_pin_next(ctx, request->target, &walk, &pin)) {
        err = collect_group(collection, &pin);
        registry_unpin(&pin);
    }
    collection->request = NULL;
    drop_empty_parts(collection);
    return err;
}

/* At least one. */
static size_t objects_with_room(size_t rows_max, size_t object_size)
{
    return object_size < rows_max ? rows_max / object_size : 1;
}

/* With its name, as long as those that have come so far. */
static size_t size_of_object(const struct stats_collection *collection)
{
    size_t n = collection->objects.count - collection->first;

    return collection->object_size + (n ? collection->objects_size / n : 0);
}

/* Asks for the rows of as many objects as have room. */
static int ask(struct stats_collection *collection, struct vitals_ctx *ctx,
               struct stats_request *request)
{
    int err = ask_groups(collection, ctx, request);

    if (err || !collection->is_full)
        return err;
    collection->objects_max = objects_with_room(collection->rows_max, size_of_object(collection));
    drop_rows(collection);
    paths_again(&collection->objects, collection->first);
    return ask_groups(collection, ctx, request);
}

int stats_collect(struct stats_collection *collection, struct vitals_ctx *ctx,
                  struct stats_request *request)
{
    int err;

    drop_rows(collection);
    drop_objects(collection);
    filter_sort_objects(request);
    err = ask(collection, ctx, request);
    if (collection->n_cut)
        collection->end = collection->objects.count + collection->n_cut;
    return err;
}

int stats_collect_more(struct stats_collection *collection, struct vitals_ctx *ctx,
                       struct stats_request *request)
{
    drop_rows(collection);
    collection->first = collection->objects.count;
    return collection->first < collection->end ? ask(collection, ctx, request) : 0;
}

/* What collect() itself calls success. */
static void note_failure(const struct group_pin *pin, enum group_failure failure, int err)
{
    atomic_store_explicit(&pin->group->result, err, memory_order_relaxed);
    log_failure(pin, failure, err);
}

int stats_collect_group(struct stats_collection *collection, const struct group_pin *pin)
{
    struct stats_request all = {
        .target = pin->schema->target, .all_stats = true, .all_objects = true};
    struct stats_part *part = next_part(collection);
    struct vitals_sink sink = {.collection = collection, .part = part, .pin = pin};
    int err;

    if (!part)
        return -ENOMEM;
    collection->request = &all;
    sink.is_vm = !strcmp(all.target, "vm");
    part->schema = pin->schema;
    collection->objects_max = objects_with_room(VITALS_APART_ROWS_MAX, row_size(part->schema));
    err = filter_resolve(part, &all);
    if (!err)
        err = registry_collect(pin, &sink);
    collection->request = NULL;
    if (err)
        return err;
    if (collection->n_cut)
        note_failure(pin, FAILURE_ROOM, -ENOBUFS);
    schema_ref(part->schema);
    collection->n_parts = 1;
    return 0;
}

/* Whether something of a schema is wanted. Groups of one schema mostly follow one another. */
struct last_schema {
    struct stats_schema *schema; /* NULL: there was none */
    bool is_wanted;
};

/* True also where there is no memory to find out. */
static bool wants_of(const struct stats_request *request, struct stats_schema *schema,
                     struct last_schema *last)
{
    struct stats_part probe = {.schema = schema};

    if (schema == last->schema)
        return last->is_wanted;
    schema_unref(last->schema);
    last->schema = schema_ref(schema);
    last->is_wanted = filter_resolve(&probe, request) || probe.n_wanted;
    free(probe.wanted_bits);
    free(probe.wanted);
    return last->is_wanted;
}

bool stats_is_ready(struct vitals_ctx *ctx, const struct stats_request *request,
                    const struct thread_hook *hook)
{
    struct group_walk walk = {.providers = request->providers};
    struct last_schema last = {0};
    struct group_pin pin;
    bool is_ready = true;

    if (!ctx->n_apart)
        return true;
    while (registry_pin_next(ctx, request->target, &walk, &pin)) {
        if (pin.group->apart && wants_of(request, pin.schema, &last) &&
            !apart_look(pin.group, request->since_ns, hook))
            is_ready = false;
        registry_unpin(&pin);
    }
    schema_unref(last.schema);
    return is_ready;
}

void stats_collection_trim(struct stats_collection *collection)
{
    drop_rows(collection);
}

size_t stats_collection_memory(const struct stats_collection *collection)
{
    const struct path_table *objects = &collection->objects;
    size_t memory = arena_memory(&collection->rows) + arena_memory(&collection->names), i;

    memory += objects->paths_cap * sizeof(*objects->paths);
    memory += objects->n_slots * sizeof(*objects->slots);
    memory += collection->parts_cap * sizeof(*collection->parts);
    for (i = 0; i < collection->parts_cap; i++) {
        memory += collection->parts[i].rows_cap * sizeof(*collection->parts[i].rows);
        memory += collection->parts[i].wanted_cap * sizeof(*collection->parts[i].wanted);
    }
    return memory;
}

void stats_collection_free(struct stats_collection *collection)
{
    size_t i;

    drop_rows(collection);
    for (i = 0; i < collection->parts_cap; i++) {
        free(collection->parts[i].wanted_bits);
        free(collection->parts[i].wanted);
        free(collection->parts[i].rows);
    }
    free(collection->parts);
    free(collection->given);
    paths_free(&collection->objects);
    arena_free(&collection->rows);
    arena_free(&collection->names);
    *collection = (struct stats_collection){0};
}
