/* SPDX-License-Identifier: MIT */
#include "stats/name_set.h"

#include <string.h>
#include <sys/auxv.h>

#include "base/keyed_hash.h"

struct entry {
    const char *owner, *name; /* name: NULL where nothing is */
    uint64_t hash;
};

struct name_set {
    uint64_t key[2];
    size_t mask; /* of the number of entries, at least half of which stay empty */
    struct entry entries[];
};

/* What the kernel gave this process at its start: no system call, and no file. No hash is shown to anybody. */
static void make_key(uint64_t key[2])
{
    const void *random = (const void *)getauxval(AT_RANDOM);

    if (random)
        memcpy(key, random, 2 * sizeof(*key));
}

struct name_set *name_set_new(struct arena *arena, size_t max)
{
    size_t n = 2, size;
    struct name_set *set;

    while (n < 2 * max)
        n *= 2;
    size = sizeof(*set) + n * sizeof(struct entry);
    set = arena_alloc(arena, size);
    if (!set)
        return NULL;
    memset(set, 0, size);
    set->mask = n - 1;
    make_key(set->key);
    return set;
}

static uint64_t hash_of(const struct name_set *set, const char *text)
{
    return text ? keyed_hash(set->key, text, strlen(text)) : 0;
}

static bool is_same(const char *one, const char *other)
{
    return one == other || (one && other && !strcmp(one, other));
}

/* The names with that owner and name, or where it would stand. */
static size_t find(const struct name_set *set, const char *owner, const char *name, uint64_t hash)
{
    size_t i = hash & set->mask;

    for (; set->entries[i].name; i = (i + 1) & set->mask) {
        const struct entry *entry = &set->entries[i];

        if (entry->hash == hash && !strcmp(entry->name, name) && is_same(entry->owner, owner))
            break;
    }
    return i;
}

bool name_set_add(struct name_set *set, const char *owner, const char *name)
{
    uint64_t hash = hash_of(set, owner) ^ hash_of(set, name);
    struct entry *entry = &set->entries[find(set, owner, name, hash)];

    if (entry->name)
        return false;
    *entry = (struct entry){.owner = owner, .name = name, .hash = hash};
    return true;
}

static bool has(const struct name_set *set, const char *owner, const char *name, uint64_t hash)
{
    return set->entries[find(set, owner, name, hash)].name;
}

bool name_set_has(const struct name_set *set, const char *owner, const char *name)
{
    return has(set, owner, name, hash_of(set, owner) ^ hash_of(set, name));
}

bool name_set_has_either(const struct name_set *set, const char *owner, const char *name)
{
    uint64_t hash = hash_of(set, name);

    return has(set, NULL, name, hash) || has(set, owner, name, hash_of(set, owner) ^ hash);
}
