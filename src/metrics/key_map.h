/* SPDX-License-Identifier: MIT */
/* Numbers of things that are known by some bytes. Lack of memory is remembered, as struct buf does. */
#ifndef METRICS_KEY_MAP_H
#define METRICS_KEY_MAP_H

#include "base/buf.h"

struct key_map {
    struct buf bytes; /* of all keys */
    struct key *keys; /* by their hashes; with gaps */
    size_t n, cap;
    bool failed;
};

/* The number of the key, @number if it is new; then @ret_is_new. */
uint32_t key_map_get(struct key_map *map, const void *bytes, size_t len, uint32_t number,
                     bool *ret_is_new);

/* The number of the key, or @none. */
uint32_t key_map_find(const struct key_map *map, const void *bytes, size_t len, uint32_t none);
void key_map_clear(struct key_map *map);
void key_map_free(struct key_map *map);

#endif
