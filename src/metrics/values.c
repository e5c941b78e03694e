/* SPDX-License-Identifier: MIT */
/* Values as they are added: VMs, their objects, and a column for each statistic. */
#include <stdlib.h>

#include "base/count.h"
#include "kvm/meanings.h"
#include "metrics/decimal.h"
#include "metrics/internal.h"

enum {
    GROW_FIRST = 16,
    CELLS_AT_ONCE = 4,   /* are in one line of the CPU's caches */
    LAYOUTS_AT_HAND = 8, /* those of all VMs that the kernel has told of are four */
};

/* Room for one more. False: there is no memory. */
static bool grow(struct metrics *metrics, void *elements, size_t n, size_t *cap, size_t size)
{
    size_t wanted = *cap ? 2 * *cap : GROW_FIRST;
    void *grown;

    if (n < *cap)
        return true;
    memcpy(&grown, elements, sizeof(grown));
    grown = n < NO_NUMBER / 2 ? reallocarray(grown, wanted, size) : NULL;
    if (!grown) {
        metrics->failed = true;
        return false;
    }
    memcpy(elements, &grown, sizeof(grown));
    *cap = wanted;
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------ */

struct metrics *metrics_new(void)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics));

    if (metrics)
        metrics_clear(metrics);
    return metrics;
}

static void free_columns(struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->n_kept; i++) {
        free(metrics->columns[i].cells);
        free(metrics->columns[i].bounds);
    }
    free(metrics->columns);
}

void metrics_clear(struct metrics *metrics)
{
    /* The next columns are mostly as long as these, so their memory is kept. */
    metrics->n_columns = metrics->n_joined = metrics->n_users = 0;
    metrics->n_vms = metrics->n_objects = metrics->n_families = metrics->n_collectors = 0;
    metrics->n_layouts = metrics->n_parts = 0;
    metrics->wants = NULL;
    metrics->last = NO_NUMBER;
    metrics->is_labelled = metrics->failed = false;
    key_map_clear(&metrics->column_keys);
    key_map_clear(&metrics->layout_keys);
    key_map_clear(&metrics->names);
    key_map_clear(&metrics->counters);
    key_map_clear(&metrics->labels_seen);
    arena_reset(&metrics->arena);
    self_reserve_names(metrics);
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    free_columns(metrics);
    free(metrics->vms);
    free(metrics->users);
    free(metrics->objects);
    free(metrics->layouts);
    free(metrics->parts);
    free(metrics->families);
    free(metrics->collectors);
    key_map_free(&metrics->column_keys);
    key_map_free(&metrics->layout_keys);
    key_map_free(&metrics->names);
    key_map_free(&metrics->counters);
    key_map_free(&metrics->labels_seen);
    arena_free(&metrics->arena);
    buf_free(&metrics->key);
    buf_free(&metrics->texts);
    free(metrics);
}

void metrics_want(struct metrics *metrics, metrics_wants wants, const void *opaque)
{
    metrics->wants = wants;
    metrics->wants_opaque = opaque;
}

static bool is_user(const struct user *user, const struct metrics_vm *vm)
{
    return user->is_known == vm->has_uid && (!vm->has_uid || user->uid == vm->uid);
}

/* Mostly it is that of the VM before. NO_NUMBER: no memory. */
static uint32_t find_user(struct metrics *metrics, const struct metrics_vm *vm)
{
    uint32_t n = (uint32_t)metrics->n_users;

    if (metrics->n_vms && is_user(&metrics->users[metrics->vms[metrics->n_vms - 1].user], vm))
        return metrics->vms[metrics->n_vms - 1].user;
    for (uint32_t i = 0; i < n; i++)
        if (is_user(&metrics->users[i], vm))
            return i;
    if (!grow(metrics, &metrics->users, n, &metrics->cap_users, sizeof(*metrics->users)))
        return NO_NUMBER;
    metrics->users[metrics->n_users++] = (struct user){.is_known = vm->has_uid, .uid = vm->uid};
    return n;
}

void metrics_add_vm(struct metrics *metrics, const struct metrics_vm *vm)
{
    uint32_t user = find_user(metrics, vm);

    if (user == NO_NUMBER ||
        !grow(metrics, &metrics->vms, metrics->n_vms, &metrics->cap_vms, sizeof(*metrics->vms)))
        return;
    metrics->vms[metrics->n_vms++] = (struct vm){.given = *vm, .user = user};
    metrics->is_labelled = false;
}

void metrics_add_object(struct metrics *metrics, const char *target, const char *path,
                        int64_t number)
{
    if (!metrics->n_vms || !grow(metrics, &metrics->objects, metrics->n_objects,
                                 &metrics->cap_objects, sizeof(*metrics->objects)))
        return;
    metrics->objects[metrics->n_objects++] = (struct object){
        .vm = (uint32_t)metrics->n_vms - 1, .target = target, .path = path, .number = number};
    metrics->is_labelled = false;
}

void metrics_add_collector(struct metrics *metrics, const char *name, uint64_t duration_ns)
{
    if (grow(metrics, &metrics->collectors, metrics->n_collectors, &metrics->cap_collectors,
             sizeof(*metrics->collectors)))
        metrics->collectors[metrics->n_collectors++] = (struct collector){name, duration_ns};
}

/* ---- families ------------------------------------------------------------------------------- */

static bool reserve_name(struct metrics *metrics, const char *name, const char *end,
                         uint32_t number)
{
    bool is_new;

    buf_reset(&metrics->key);
    buf_puts(&metrics->key, name);
    buf_puts(&metrics->key, end);
    metrics->failed |= metrics->key.failed;
    return !metrics->failed && key_map_get(&metrics->names, metrics->key.data, metrics->key.len,
                                           number, &is_new) == number;
}

/* Two families must not have samples of one name. */
static bool reserve_names(struct metrics *metrics, const struct family *family, uint32_t number)
{
    static const char *const ends[][5] = {
        [FAMILY_COUNTER] = {"", "_total", "_created"},
        [FAMILY_GAUGE] = {""},
        [FAMILY_HISTOGRAM] = {"", "_bucket", "_count", "_sum", "_created"},
        [FAMILY_INFO] = {"", "_info"},
    };
    bool are_free = true;

    for (size_t i = 0; i < COUNT(ends[0]) && ends[family->kind][i]; i++)
        are_free &= reserve_name(metrics, family->name, ends[family->kind][i], number);
    return are_free;
}

/* Another scale of the same statistic. Not of a family that was refused: it is of no column. */
static bool continues(const struct metrics *metrics, const struct family *family,
                      const struct column *column)
{
    const struct column *first;

    if (family->first == NO_NUMBER)
        return false;
    first = &metrics->columns[family->first];
    return family->kind == family_kind(column->stat) && family->unit == family_unit(column->stat) &&
           !strcmp(first->provider, column->provider) && !strcmp(first->target, column->target) &&
           !strcmp(first->stat->name, column->stat->name);
}

/* The family of this name, or a new one. The column is not in it yet. */
static uint32_t find_family(struct metrics *metrics, const char *name, const struct column *column)
{
    uint32_t number = (uint32_t)metrics->n_families;
    bool is_new;
    struct family family = {.kind = family_kind(column->stat),
                            .unit = family_unit(column->stat),
                            .first = NO_NUMBER,
                            .last = NO_NUMBER};
    uint32_t found = key_map_get(&metrics->names, name, strlen(name), number, &is_new);

    if (!is_new)
        return found < number && continues(metrics, &metrics->families[found], column) ? found
                                                                                       : NO_NUMBER;
    family.name = arena_alloc(&metrics->arena, strlen(name) + 1 + METRICS_PIECE);
    if (!family.name || !grow(metrics, &metrics->families, number, &metrics->cap_families,
                              sizeof(*metrics->families))) {
        metrics->failed = true;
        return NO_NUMBER;
    }
    strcpy(family.name, name);
    metrics->families[metrics->n_families++] = family;
    return reserve_names(metrics, &family, number) ? number : NO_NUMBER;
}

static void join_family(struct metrics *metrics, uint32_t number)
{
    struct column *column = &metrics->columns[number];
    struct buf name = {0};
    struct family *family;

    if (!decimal_can_scale(column->stat->base, column->stat->exponent)) {
        column->reason = METRICS_EXPONENT;
        return;
    }
    family_put_name(&name, column->provider, column->target, column->stat);
    buf_append(&name, "", 1);
    metrics->failed |= name.failed;
    column->reason = METRICS_NAME;
    column->family = name.failed ? NO_NUMBER : find_family(metrics, name.data, column);
    buf_free(&name);
    if (column->family == NO_NUMBER)
        return;
    family = &metrics->families[column->family];
    if (family->first == NO_NUMBER)
        family->first = number;
    else
        metrics->columns[family->last].next_in_family = number;
    family->last = number;
}

bool metrics_is_own(const struct column *column)
{
    return strcmp(column->provider, "kvm") && strcmp(column->provider, "sched");
}

/* A column that looks for its family. */
struct turn {
    uint32_t column;
    bool is_own;
    size_t n_users;
};

static struct turn turn_of(struct metrics *metrics, uint32_t number)
{
    const struct column *column = &metrics->columns[number];
    struct turn turn = {.column = number, .is_own = metrics_is_own(column)};

    for (size_t i = 0; turn.is_own && i < column->n_cells; i++) {
        const struct object *object = &metrics->objects[column->cells[i].object];
        struct user *user = &metrics->users[metrics->vms[object->vm].user];

        turn.n_users += user->seen != number + 1;
        user->seen = number + 1;
    }
    return turn;
}

static int compare_turns(const void *a, const void *b)
{
    const struct turn *one = a, *other = b;

    if (one->is_own != other->is_own)
        return one->is_own ? 1 : -1;
    if (one->n_users != other->n_users)
        return one->n_users > other->n_users ? -1 : 1;
    return one->column < other->column ? -1 : 1;
}

void metrics_join(struct metrics *metrics)
{
    size_t n = metrics->n_columns - metrics->n_joined;
    struct turn *turns = n ? calloc(n, sizeof(*turns)) : NULL;

    metrics->failed |= n && !turns;
    for (size_t i = 0; turns && i < n; i++)
        turns[i] = turn_of(metrics, (uint32_t)(metrics->n_joined + i));
    if (turns)
        qsort(turns, n, sizeof(*turns), compare_turns);
    for (size_t i = 0; turns && i < n && !metrics->failed; i++)
        join_family(metrics, turns[i].column);
    metrics->n_joined = metrics->n_columns;
    free(turns);
}

/* ---- users ---------------------------------------------------------------------------------- */

size_t metrics_share(const struct metrics *metrics, size_t n)
{
    size_t share = 0, before, left, n_more;

    do {
        before = share;
        left = n;
        n_more = 0;
        for (size_t i = 0; i < metrics->n_users; i++) {
            if (metrics->users[i].wanted > before)
                n_more++;
            else
                left -= metrics->users[i].wanted;
        }
        share = n_more ? left / n_more : SIZE_MAX;
    } while (n_more && share > before);
    return share;
}

/* ---- columns -------------------------------------------------------------------------------- */

static bool is_same_text(const char *a, const char *b)
{
    return a == b || !strcmp(a, b);
}

static bool is_same_scale(const struct vitals_stat *a, const struct vitals_stat *b)
{
    return a->type == b->type && a->unit == b->unit && a->base == b->base &&
           a->exponent == b->exponent && a->bucket_size == b->bucket_size;
}

static bool is_column(const struct column *column, const char *provider, const char *target,
                      const struct vitals_stat *stat)
{
    return is_same_text(column->stat->name, stat->name) && is_same_scale(column->stat, stat) &&
           is_same_text(column->target, target) && is_same_text(column->provider, provider);
}

static void put_key(struct buf *key, const char *provider, const char *target,
                    const struct vitals_stat *stat)
{
    buf_reset(key);
    buf_append(key, provider, strlen(provider) + 1);
    buf_append(key, target, strlen(target) + 1);
    buf_append(key, stat->name, strlen(stat->name) + 1);
    buf_append(key, &stat->type, sizeof(stat->type));
    buf_append(key, &stat->unit, sizeof(stat->unit));
    buf_append(key, &stat->base, sizeof(stat->base));
    buf_append(key, &stat->exponent, sizeof(stat->exponent));
    buf_append(key, &stat->bucket_size, sizeof(stat->bucket_size));
}

/* ---- sums of histograms --------------------------------------------------------------------- */

static void put_sum_key(struct buf *key, const struct column *column, const char *name)
{
    buf_reset(key);
    buf_append(key, column->provider, strlen(column->provider) + 1);
    buf_append(key, column->target, strlen(column->target) + 1);
    buf_append(key, name, strlen(name) + 1);
    buf_append(key, &column->stat->unit, sizeof(column->stat->unit));
}

/* A counter may be what a histogram adds up to, also one that is yet to come. The first of a name is. */
static void note_counter(struct metrics *metrics, uint32_t number)
{
    const struct column *column = &metrics->columns[number];
    bool is_new;

    if (family_kind(column->stat) != FAMILY_COUNTER)
        return;
    put_sum_key(&metrics->key, column, column->stat->name);
    metrics->failed |= metrics->key.failed;
    if (!metrics->failed)
        key_map_get(&metrics->counters, metrics->key.data, metrics->key.len, number, &is_new);
    metrics->failed |= metrics->counters.failed;
}

/* Its sums are a counter of the same objects, in the same unit. */
void metrics_find_sum(struct metrics *metrics, struct column *column)
{
    const char *name =
        strcmp(column->provider, "kvm") ? NULL : kvm_sum_of_histogram(column->stat->name);

    column->sum = NO_NUMBER;
    if (!name)
        return;
    put_sum_key(&metrics->key, column, name);
    metrics->failed |= metrics->key.failed;
    if (!metrics->failed)
        column->sum =
            key_map_find(&metrics->counters, metrics->key.data, metrics->key.len, NO_NUMBER);
}

/* With the memory of the one that was at its place. */
static void init_column(struct metrics *metrics, uint32_t number, const struct column *column)
{
    struct column *at = &metrics->columns[number], kept = {0};

    if (number < metrics->n_kept)
        kept = *at;
    else
        metrics->n_kept = number + 1;
    *at = *column;
    at->cells = kept.cells;
    at->cap = kept.cap;
    at->bounds = kept.bounds;
}

/* Of a VMM's own it counts how many users have them. */
static void leave_out_unwanted(const struct metrics *metrics, struct column *column)
{
    column->is_left_out =
        metrics->wants && !metrics_is_own(column) &&
        !metrics->wants(metrics->wants_opaque, column->provider, column->target, column->stat);
}

static uint32_t add_column(struct metrics *metrics, const char *provider, const char *target,
                           const struct vitals_stat *stat)
{
    uint32_t number = (uint32_t)metrics->n_columns;

    if (!grow(metrics, &metrics->columns, number, &metrics->cap_columns, sizeof(*metrics->columns)))
        return NO_NUMBER;
    init_column(metrics, number,
                &(struct column){.provider = provider,
                                 .target = target,
                                 .stat = stat,
                                 .is_histogram = family_kind(stat) == FAMILY_HISTOGRAM,
                                 .family = NO_NUMBER,
                                 .next_in_family = NO_NUMBER,
                                 .sum = NO_NUMBER});
    metrics->n_columns++;
    leave_out_unwanted(metrics, &metrics->columns[number]);
    note_counter(metrics, number);
    return number;
}

/* Mostly it is the one behind the last: objects have their values in one order. */
static uint32_t find_column(struct metrics *metrics, const char *provider, const char *target,
                            const struct vitals_stat *stat)
{
    uint32_t next = metrics->last + 1, number;
    bool is_new;

    if (next < metrics->n_columns && is_column(&metrics->columns[next], provider, target, stat))
        return next;
    put_key(&metrics->key, provider, target, stat);
    metrics->failed |= metrics->key.failed;
    if (metrics->failed)
        return NO_NUMBER;
    number = key_map_get(&metrics->column_keys, metrics->key.data, metrics->key.len,
                         (uint32_t)metrics->n_columns, &is_new);
    metrics->failed |= metrics->column_keys.failed;
    if (metrics->failed)
        return NO_NUMBER;
    return is_new ? add_column(metrics, provider, target, stat) : number;
}

/* ---- values --------------------------------------------------------------------------------- */

static inline void add_cell(struct metrics *metrics, struct column *column, const uint64_t *values,
                            size_t n)
{
    struct cell *cell;

    if (column->n_cells == column->cap &&
        !grow(metrics, &column->cells, column->n_cells, &column->cap, sizeof(*column->cells)))
        return;
    cell = &column->cells[column->n_cells++];
    /* The columns of a row are far apart, and so many that the CPU does not see where they go. */
    if (column->n_cells % CELLS_AT_ONCE == 0)
        __builtin_prefetch(cell + 2 * CELLS_AT_ONCE, 1);
    if (column->is_histogram)
        cell->buckets = values;
    else
        cell->value = *values;
    cell->object = (uint32_t)metrics->n_objects - 1;
    cell->n = (uint32_t)n;
    if (n > column->n_max)
        column->n_max = n;
}

void metrics_add_value(struct metrics *metrics, const char *provider,
                       const struct vitals_stat *stat, const uint64_t *values, size_t n)
{
    uint32_t number;

    if (!metrics->n_objects || !n || n > UINT32_MAX || metrics->failed)
        return;
    number = find_column(metrics, provider, metrics->objects[metrics->n_objects - 1].target, stat);
    if (number == NO_NUMBER)
        return;
    metrics->last = number;
    if (!metrics->columns[number].is_left_out)
        add_cell(metrics, &metrics->columns[number], values, n);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void add_part(struct metrics *metrics, uint32_t column, const struct vitals_stat *stat)
{
    if (column != NO_NUMBER && !metrics->columns[column].is_left_out &&
        grow(metrics, &metrics->parts, metrics->n_parts, &metrics->cap_parts,
             sizeof(*metrics->parts)))
        metrics->parts[metrics->n_parts++] = (struct row_part){column, stat->slot, stat->count};
}

static bool add_layout(struct metrics *metrics, const char *provider, const char *target,
                       const struct vitals_stat *stats, size_t n)
{
    struct layout layout = {stats, target, (uint32_t)n, (uint32_t)metrics->n_parts, 0};

    if (!grow(metrics, &metrics->layouts, metrics->n_layouts, &metrics->cap_layouts,
              sizeof(*metrics->layouts)))
        return false;
    for (size_t i = 0; i < n && !metrics->failed; i++) {
        metrics->last = find_column(metrics, provider, target, &stats[i]);
        add_part(metrics, metrics->last, &stats[i]);
    }
    layout.n = (uint32_t)metrics->n_parts - layout.first;
    metrics->layouts[metrics->n_layouts++] = layout;
    return !metrics->failed;
}

/* NULL: no memory. */
static const struct layout *get_layout(struct metrics *metrics, const char *provider,
                                       const char *target, const struct vitals_stat *stats,
                                       size_t n)
{
    bool is_new;
    uint32_t number;

    for (size_t i = 0; i < metrics->n_layouts && i < LAYOUTS_AT_HAND; i++)
        if (metrics->layouts[i].stats == stats)
            return &metrics->layouts[i];
    number = key_map_get(&metrics->layout_keys, &stats, sizeof(stats), (uint32_t)metrics->n_layouts,
                         &is_new);
    metrics->failed |= metrics->layout_keys.failed;
    if (metrics->failed || (is_new && !add_layout(metrics, provider, target, stats, n)))
        return NULL;
    return &metrics->layouts[number];
}

/* NULL: no memory, or @stats are those of another target's objects. */
static const struct layout *find_layout(struct metrics *metrics, const char *provider,
                                        const struct vitals_stat *stats, size_t n)
{
    const char *target = metrics->objects[metrics->n_objects - 1].target;
    const struct layout *layout = get_layout(metrics, provider, target, stats, n);

    if (!layout)
        return NULL;
    return layout->n_stats == n && is_same_text(layout->target, target) ? layout : NULL;
}

void metrics_add_row(struct metrics *metrics, const char *provider, const struct vitals_stat *stats,
                     size_t n_stats, const uint64_t *row)
{
    const struct layout *layout;

    if (!metrics->n_objects || !n_stats || metrics->failed)
        return;
    layout = find_layout(metrics, provider, stats, n_stats);
    for (size_t i = 0; !layout && i < n_stats && !metrics->failed; i++)
        metrics_add_value(metrics, provider, &stats[i], row + stats[i].slot, stats[i].count);
    for (uint32_t i = 0; layout && i < layout->n && !metrics->failed; i++) {
        const struct row_part *part = &metrics->parts[layout->first + i];

        add_cell(metrics, &metrics->columns[part->column], row + part->slot, part->count);
    }
}
