/* SPDX-License-Identifier: MIT */
#include "metrics/key_map.h"

#include <stdlib.h>
#include <string.h>

enum { CAP_FIRST = 64 };

struct key {
    size_t at; /* in the bytes; their length is next to it */
    uint32_t len, hash, number;
    bool is_used;
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/*
 * Eight bytes at a time: there are thousands of labels. Names are a stranger's: whoever makes them collide
 * has few to do it with, and slows itself.
 */
static uint32_t hash_of(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t hash = len, word = 0;

    for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, at, len);
    return (uint32_t)mix(hash, word);
}

static struct key *find(const struct key_map *map, uint32_t hash, const void *bytes, size_t len)
{
    size_t i = hash & (map->cap - 1);

    for (;; i = (i + 1) & (map->cap - 1)) {
        struct key *key = &map->keys[i];

        if (!key->is_used || (key->hash == hash && key->len == len &&
                              !memcmp(map->bytes.data + key->at, bytes, len)))
            return key;
    }
}

static bool grow(struct key_map *map)
{
    struct key_map grown = *map;

    if (map->n < map->cap / 2)
        return true;
    grown.cap = map->cap ? 2 * map->cap : CAP_FIRST;
    grown.keys = calloc(grown.cap, sizeof(*grown.keys));
    if (!grown.keys)
        return false;
    for (size_t i = 0; i < map->cap; i++) {
        const struct key *key = &map->keys[i];

        if (key->is_used)
            *find(&grown, key->hash, map->bytes.data + key->at, key->len) = *key;
    }
    free(map->keys);
    *map = grown;
    return true;
}

uint32_t key_map_get(struct key_map *map, const void *bytes, size_t len, uint32_t number,
                     bool *ret_is_new)
{
    uint32_t hash = hash_of(bytes, len);
    struct key *key;

    *ret_is_new = true;
    if (!grow(map) || !buf_reserve(&map->bytes, len + 1)) {
        map->failed = true;
        return number;
    }
    key = find(map, hash, bytes, len);
    if (key->is_used) {
        *ret_is_new = false;
        return key->number;
    }
    *key = (struct key){map->bytes.len, (uint32_t)len, hash, number, true};
    buf_append(&map->bytes, bytes, len);
    map->n++;
    return number;
}

uint32_t key_map_find(const struct key_map *map, const void *bytes, size_t len, uint32_t none)
{
    const struct key *key = map->n ? find(map, hash_of(bytes, len), bytes, len) : NULL;

    return key && key->is_used ? key->number : none;
}

void key_map_clear(struct key_map *map)
{
    if (map->cap)
        memset(map->keys, 0, map->cap * sizeof(*map->keys));
    buf_reset(&map->bytes);
    map->n = 0;
    map->failed = false;
}

void key_map_free(struct key_map *map)
{
    buf_free(&map->bytes);
    free(map->keys);
    *map = (struct key_map){0};
}
