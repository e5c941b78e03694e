/* SPDX-License-Identifier: MIT */
#include "qmp/qapi_order.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- QDict ---------------------------------------------------------------------------------- */

enum { QDICT_BUCKETS = 512 };

/* The hash of Samba's trivial database, which QDict took over. */
static unsigned qdict_bucket(const char *key)
{
    uint32_t hash = 0x238f13afu * (uint32_t)strlen(key);
    unsigned i;

    for (i = 0; key[i]; i++)
        hash += (uint32_t)(unsigned char)key[i] << (i * 5 % 24);
    return (1103515243u * hash + 12345u) % QDICT_BUCKETS;
}

/* Bucket by bucket; inside a bucket, what was added last comes first. */
void qdict_order(struct json_object *object, struct qdict_entry *ret_entries)
{
    uint32_t end[QDICT_BUCKETS] = {0};
    unsigned bucket;

    json_object_object_foreach(object, counted_key, counted_value)
    {
        (void)counted_value;
        end[qdict_bucket(counted_key)]++;
    }
    for (bucket = 1; bucket < QDICT_BUCKETS; bucket++)
        end[bucket] += end[bucket - 1];
    json_object_object_foreach(object, key, value)
    {
        bucket = qdict_bucket(key);
        ret_entries[--end[bucket]] = (struct qdict_entry){.key = key, .value = value};
    }
}

/* ---- GHashTable ----------------------------------------------------------------------------- */

/*
 * GLib's hash table is one array with open addressing and quadratic probing. Going through it is
 * going through the array, so the order depends on its size, on what collided when it was filled,
 * and on what was moved when it grew or shrank.
 */

enum { SLOT_UNUSED = 0, SLOT_REMOVED = 1, FIRST_REAL_HASH = 2 };
enum { MIN_SHIFT = 3, MAX_SHIFT = 11 /* enough for KEY_TABLE_MAX keys */ };

struct slot {
    uint32_t hash; /* or SLOT_UNUSED, SLOT_REMOVED */
    const char *key;
};

struct key_table {
    struct slot *slots;
    unsigned shift;
    unsigned keys, occupied; /* occupied: keys, and slots whose key was removed */
};

static unsigned table_size(const struct key_table *table)
{
    return 1u << table->shift;
}

static bool is_real(const struct slot *slot)
{
    return slot->hash >= FIRST_REAL_HASH;
}

static uint32_t string_hash(const char *key)
{
    uint32_t hash = 5381;

    for (; *key; key++)
        hash = hash * 33 + (uint32_t)(signed char)*key;
    return hash < FIRST_REAL_HASH ? FIRST_REAL_HASH : hash;
}

static unsigned first_index(const struct key_table *table, uint32_t hash)
{
    static const uint32_t largest_prime[MAX_SHIFT + 1] = {1,  2,   3,   7,   13,   31,
                                                          61, 127, 251, 509, 1021, 2039};

    return hash * 11 % largest_prime[table->shift];
}

static unsigned next_index(const struct key_table *table, unsigned index, unsigned *step)
{
    return (index + ++*step) & (table_size(table) - 1);
}

/* The slot of @key, or the one to put it into. All keys are added before the first is removed. */
static struct slot *find_slot(const struct key_table *table, const char *key, uint32_t hash)
{
    unsigned step = 0, index = first_index(table, hash);
    struct slot *slot;

    for (;; index = next_index(table, index, &step)) {
        slot = &table->slots[index];
        if (slot->hash == SLOT_UNUSED)
            return slot;
        if (slot->hash == hash && !strcmp(slot->key, key))
            return slot;
    }
}

/*
 * Puts @moved into its new slot. GLib moves in place: what is still in that slot from before, in
 * @old, is moved next, and so on.
 */
static void move_chain(struct key_table *table, struct slot *old, unsigned old_size,
                       struct slot moved)
{
    while (is_real(&moved)) {
        struct slot displaced = {0};
        unsigned step = 0, index = first_index(table, moved.hash);

        while (is_real(&table->slots[index]))
            index = next_index(table, index, &step);
        table->slots[index] = moved;
        if (index < old_size) {
            displaced = old[index];
            old[index] = (struct slot){0};
        }
        moved = displaced;
    }
}

static bool resize(struct key_table *table)
{
    struct slot *old = table->slots, *slots;
    unsigned old_size = table_size(table), shift = MIN_SHIFT, i;

    while ((unsigned)(table->keys * 1.333) >> shift)
        shift++;
    slots = calloc(1u << shift, sizeof(*slots));
    if (!slots)
        return false;
    table->slots = slots;
    table->shift = shift;
    table->occupied = table->keys;
    for (i = 0; i < old_size; i++) {
        struct slot moved = old[i];

        old[i] = (struct slot){0};
        move_chain(table, old, old_size, moved);
    }
    free(old);
    return true;
}

static bool resize_if_needed(struct key_table *table)
{
    unsigned size = table_size(table);
    bool too_large = table->shift > MIN_SHIFT && size > table->keys * 4;
    bool too_small = size <= table->occupied + table->occupied / 16;

    return !(too_large || too_small) || resize(table);
}

static bool add(struct key_table *table, const char *key)
{
    uint32_t hash = string_hash(key);
    struct slot *slot = find_slot(table, key, hash);

    *slot = (struct slot){.hash = hash, .key = key};
    table->keys++;
    table->occupied++;
    return resize_if_needed(table);
}

static bool add_all(struct key_table *table, struct json_object *object)
{
    size_t n = (size_t)json_object_object_length(object), i;
    struct qdict_entry *entries = malloc(n * sizeof(*entries));
    bool done;

    if (!entries)
        return false;
    qdict_order(object, entries);
    for (i = 0, done = true; i < n && done; i++)
        done = add(table, entries[i].key);
    free(entries);
    return done;
}

struct key_table *key_table_new(struct json_object *object)
{
    struct key_table *table;

    if (json_object_object_length(object) > KEY_TABLE_MAX)
        return NULL;
    table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->shift = MIN_SHIFT;
    table->slots = calloc(table_size(table), sizeof(*table->slots));
    if (table->slots && add_all(table, object))
        return table;
    key_table_free(table);
    return NULL;
}

void key_table_free(struct key_table *table)
{
    if (table)
        free(table->slots);
    free(table);
}

void key_table_remove(struct key_table *table, const char *key)
{
    *find_slot(table, key, string_hash(key)) = (struct slot){.hash = SLOT_REMOVED};
    table->keys--;
    resize_if_needed(table); /* without memory to shrink, it stays as it is */
}

const char *key_table_first(const struct key_table *table)
{
    unsigned i;

    for (i = 0; i < table_size(table); i++)
        if (is_real(&table->slots[i]))
            return table->slots[i].key;
    return NULL;
}
