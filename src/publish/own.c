/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "publish/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "publish/publication.h"
#include "qmp/stat_names.h"

/* ---- tables --------------------------------------------------------------------------------- */

static bool is_of_vm(const struct own_table *table)
{
    return strcmp(table->schema->target, "vm") == 0;
}

static uint64_t row_size(const struct own_table *table)
{
    return (1 + 2 * (uint64_t)table->n_numbers) * sizeof(uint64_t);
}

static uint32_t count_numbers(const struct stats_schema *schema)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < schema->n_stats; i++)
        n += schema->stats[i].count;
    return n;
}

static void free_table(struct own_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        free(table->rows[i].path);
    free(table->rows);
    free(table->numbers);
    if (table->fd >= 0)
        close(table->fd);
    schema_unref(table->schema);
    free(table);
}

void own_free(struct own *own)
{
    for (size_t i = 0; i < own->n; i++)
        free_table(own->tables[i]);
    free(own->tables);
    stats_collection_free(&own->collection);
    *own = (struct own){0};
}

/* Where nothing is written it takes no memory. */
static int make_file(uint64_t size)
{
    int fd = memfd_create("vitals-rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
        return fd;
    close(fd);
    return -EIO;
}

/* NULL: no memory, or no file; it is tried again. */
static struct own_table *new_table(struct own *own, struct stats_schema *schema)
{
    struct own_table **tables = reallocarray(own->tables, own->n + 1, sizeof(*tables));
    struct own_table *table = tables ? calloc(1, sizeof(*table)) : NULL;

    if (tables)
        own->tables = tables;
    if (!table)
        return NULL;
    table->schema = schema_ref(schema);
    table->n_numbers = count_numbers(schema);
    table->numbers = calloc(table->n_numbers + 1, sizeof(*table->numbers));
    table->rows = calloc(OWN_ROWS_MAX, sizeof(*table->rows));
    table->fd = make_file(row_size(table) * (is_of_vm(table) ? 1 : OWN_ROWS_MAX));
    if (!table->rows || !table->numbers || table->fd < 0) {
        free_table(table);
        return NULL;
    }
    own->tables[own->n++] = table;
    return table;
}

static struct own_table *table_of(struct own *own, struct stats_schema *schema)
{
    for (size_t i = 0; i < own->n; i++)
        if (own->tables[i]->schema == schema)
            return own->tables[i];
    return new_table(own, schema);
}

static void drop_table(struct own *own, size_t i)
{
    free_table(own->tables[i]);
    own->n--;
    memmove(&own->tables[i], &own->tables[i + 1], (own->n - i) * sizeof(struct own_table *));
}

/* ---- rows ----------------------------------------------------------------------------------- */

static bool is_row_of(const struct own_row *row, const char *path)
{
    return row->path && path ? strcmp(row->path, path) == 0 : !row->path && !path;
}

/* Most often they come in the order of the last time. */
static struct own_row *find_row(struct own_table *table, const char *path)
{
    size_t i = table->expected;

    if (i >= table->n || !is_row_of(&table->rows[i], path))
        for (i = 0; i < table->n && !is_row_of(&table->rows[i], path);)
            i++;
    table->expected = i + 1;
    return i < table->n ? &table->rows[i] : NULL;
}

/* NULL: there are as many as there may be, or no memory. */
static struct own_row *add_row(struct own_table *table, const char *path)
{
    struct own_row *row = &table->rows[table->n];
    char *copy = path ? strdup(path) : NULL;
    uint64_t free_row = 0;

    while (free_row < OWN_ROWS_MAX && table->is_used[free_row])
        free_row++;
    if (free_row == OWN_ROWS_MAX || table->n == OWN_ROWS_MAX || (path && !copy)) {
        free(copy);
        return NULL;
    }
    *row = (struct own_row){.path = copy, .row = free_row, .is_told = !path};
    table->is_used[free_row] = true;
    table->n++;
    return row;
}

/* In the order of the statistics; a group may have them in any other one. */
static void order_numbers(struct own_table *table, const uint64_t *numbers)
{
    uint64_t *to = table->numbers;

    for (uint32_t i = 0; i < table->schema->n_stats; i++) {
        const struct vitals_stat *stat = &table->schema->stats[i];

        memcpy(to, numbers + stat->slot, stat->count * sizeof(*to));
        to += stat->count;
    }
}

/* To the place that is not the present one; then it is. What can't be written stays as it was. */
static void write_row(struct own_table *table, struct own_row *row, const uint64_t *numbers)
{
    uint64_t at = row->row * row_size(table), sequence = row->sequence + 1;
    size_t size = table->n_numbers * sizeof(*numbers);

    order_numbers(table, numbers);
    at += sizeof(sequence);
    if (pwrite(table->fd, table->numbers, size, (off_t)(at + (sequence & 1) * size)) !=
        (ssize_t)size)
        return;
    at -= sizeof(sequence);
    if (pwrite(table->fd, &sequence, sizeof(sequence), (off_t)at) == sizeof(sequence))
        row->sequence = sequence;
}

/* Of an object that several groups have, the first one's. */
static void take_row(struct own_table *table, const char *path, const uint64_t *numbers)
{
    struct own_row *row = find_row(table, path);

    if (!row)
        row = add_row(table, path);
    if (!row || row->is_seen)
        return;
    row->is_seen = true;
    write_row(table, row, numbers);
}

/* ---- groups --------------------------------------------------------------------------------- */

/* Those of the host the daemon has by itself; one that may block would keep all others waiting. */
static bool is_own(const struct group_pin *pin)
{
    const char *provider = pin->schema->provider;

    return strcmp(provider, "kvm") != 0 && strcmp(provider, "sched") != 0 &&
           !(pin->group->flags & VITALS_GROUP_MAY_BLOCK) && pin->schema->n_stats;
}

static void take_rows(struct own *own, struct own_table *table)
{
    const struct stats_collection *collection = &own->collection;

    for (size_t i = 0; i < collection->n_parts; i++) {
        const struct stats_part *part = &collection->parts[i];

        for (size_t k = 0; k < part->n_rows; k++)
            if (part->rows[k])
                take_row(table, is_of_vm(table) ? NULL : collection->objects.paths[part->first + k],
                         part->rows[k]);
    }
}

static void take_group(struct own *own, const struct group_pin *pin)
{
    struct own_table *table = table_of(own, pin->schema);

    if (!table)
        return;
    table->is_seen = true;
    if (!table->is_refused && !stats_collect_group(&own->collection, pin))
        take_rows(own, table);
    stats_collection_free(&own->collection);
}

bool own_has_groups(struct publication *publication)
{
    struct group_walk walk = {0};
    struct group_pin pin;
    bool found = false;

    while (!found && registry_pin_next(publication->ctx, NULL, &walk, &pin)) {
        found = is_own(&pin);
        registry_unpin(&pin);
    }
    return found;
}

static void take_all(struct publication *publication)
{
    struct own *own = &publication->own;
    struct group_walk walk = {0};
    struct group_pin pin;

    for (size_t i = 0; i < own->n; i++) {
        own->tables[i]->is_seen = false;
        for (size_t k = 0; k < own->tables[i]->n; k++)
            own->tables[i]->rows[k].is_seen = false;
    }
    while (registry_pin_next(publication->ctx, NULL, &walk, &pin)) {
        if (is_own(&pin))
            take_group(own, &pin);
        registry_unpin(&pin);
    }
}

/* ---- what was refused ----------------------------------------------------------------------- */

/* For want of room, perhaps, which others make. */
static void note_refusal(struct own *own)
{
    if (!own->retry_ns)
        own->retry_ns = clock_now_ns() + UINT64_C(1000000) * PUBLISH_REFUSED_MS;
}

static void forget_refusals(struct own_table *table)
{
    if (table->is_refused)
        table->is_told = table->is_refused = false;
    for (size_t i = 0; i < table->n; i++)
        if (table->rows[i].is_refused)
            table->rows[i].is_told = table->rows[i].is_refused = false;
}

static void retry_refused(struct own *own)
{
    if (!own->retry_ns || clock_now_ns() < own->retry_ns)
        return;
    own->retry_ns = 0;
    for (size_t i = 0; i < own->n; i++)
        forget_refusals(own->tables[i]);
}

/* ---- telling -------------------------------------------------------------------------------- */

static void begin(struct publication *publication, const char *command,
                  const struct own_table *table)
{
    message_begin(publication, command);
    buf_printf(&publication->out, ", \"arguments\": {\"provider\": \"%s\", \"target\": \"%s\"",
               table->schema->provider, table->schema->target);
}

static void put_stat(struct buf *out, const struct vitals_stat *stat)
{
    const char *unit = stat_unit_name(VITALS_DIALECT_GROUPED, stat->unit);

    buf_printf(out, "{\"name\": \"%s\", \"type\": \"%s\", \"unit\": \"%s\", \"base\": \"pow%d\"",
               stat->name, stat_type_name(VITALS_DIALECT_GROUPED, stat->type), unit ? unit : "none",
               stat->base);
    buf_printf(out, ", \"exponent\": %d, \"count\": %u, \"bucket-size\": %u", stat->exponent,
               stat->count, stat->bucket_size);
    if (stat->help && strlen(stat->help) <= OWN_HELP_MAX)
        json_put_text_member(out, "help", stat->help);
    buf_puts(out, "}");
}

static int tell_table(struct publication *publication, struct own_table *table)
{
    ssize_t sent;
    int result;

    begin(publication, "add-stats", table);
    buf_puts(&publication->out, ", \"stats\": [");
    for (uint32_t i = 0; i < table->schema->n_stats; i++) {
        buf_puts(&publication->out, i ? ", " : "");
        put_stat(&publication->out, &table->schema->stats[i]);
    }
    message_end(publication, "]}}");
    sent = connection_send(publication, &table->fd, 1);
    result = sent < 0 ? (int)sent : connection_finish(publication, (size_t)sent);
    if (result < 0)
        return result;
    table->is_told = true;
    table->is_refused = result;
    if (result)
        note_refusal(&publication->own);
    return 0;
}

static int tell_gone_table(struct publication *publication, const struct own_table *table)
{
    int err;

    if (!table->is_told || table->is_refused)
        return 0;
    begin(publication, "remove-stats", table);
    message_end(publication, "}}");
    err = connection_ask(publication);
    return err < 0 ? err : 0;
}

/* The daemon takes all objects of a message or none. */
static void refuse_rows(struct own_table *table, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        table->rows[i].is_refused = true;
}

/* Of what it was told to no avail the daemon has nothing to forget. */
static bool is_to_tell(struct own_row *row, bool are_new)
{
    if (are_new)
        return !row->is_told;
    if (row->is_seen || !row->path)
        return false;
    if (row->is_refused)
        row->is_told = false;
    return row->is_told;
}

/*
 * A message with those of one kind; *ret_n is 0 where there are none. As rows stand in the order in which
 * they came, the new ones of a message are all from its first one on.
 */
static int tell_rows(struct publication *publication, struct own_table *table, bool are_new,
                     uint32_t *ret_n)
{
    struct buf *out = &publication->out;
    size_t first = 0, i;
    uint32_t n = 0;
    int err;

    begin(publication, are_new ? "add-objects" : "remove-objects", table);
    buf_puts(out, are_new ? ", \"objects\": [" : ", \"paths\": [");
    for (i = 0; i < table->n && out->len < PUBLISH_MESSAGE_MAX; i++) {
        struct own_row *row = &table->rows[i];

        if (!is_to_tell(row, are_new))
            continue;
        first = n ? first : i;
        buf_puts(out, n++ ? ", " : "");
        buf_puts(out, are_new ? "{\"path\": " : "");
        json_put_string(out, row->path);
        if (are_new)
            buf_printf(out, ", \"row\": %llu}", (unsigned long long)row->row);
        row->is_told = are_new;
    }
    message_end(publication, "]}}");
    *ret_n = n;
    err = n ? connection_ask(publication) : 0;
    if (err > 0 && are_new) {
        refuse_rows(table, first, i);
        note_refusal(&publication->own);
    }
    return err < 0 ? err : 0;
}

/* What the daemon does not know, and is not there any more. */
static void forget_rows(struct own_table *table)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->n; i++) {
        if (table->rows[i].is_seen || table->rows[i].is_told) {
            table->rows[kept++] = table->rows[i];
            continue;
        }
        table->is_used[table->rows[i].row] = false;
        free(table->rows[i].path);
    }
    table->n = kept;
}

static int tell_objects(struct publication *publication, struct own_table *table)
{
    uint32_t n;
    int err;

    do
        err = tell_rows(publication, table, false, &n);
    while (!err && n);
    forget_rows(table);
    do
        err = err ? err : tell_rows(publication, table, true, &n);
    while (!err && n);
    return err;
}

static int tell_gone(struct publication *publication)
{
    struct own *own = &publication->own;
    int err = 0;

    for (size_t i = own->n; i-- > 0 && !err;) {
        if (own->tables[i]->is_seen)
            continue;
        err = tell_gone_table(publication, own->tables[i]);
        drop_table(own, i);
    }
    return err;
}

int own_update(struct publication *publication)
{
    struct own *own = &publication->own;
    int err;

    retry_refused(own);
    take_all(publication);
    err = tell_gone(publication);
    for (size_t i = 0; i < own->n && !err; i++) {
        struct own_table *table = own->tables[i];

        if (!table->is_told)
            err = tell_table(publication, table);
        if (!err && !table->is_refused)
            err = tell_objects(publication, table);
    }
    return err;
}
