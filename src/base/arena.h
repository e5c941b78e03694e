/* SPDX-License-Identifier: MIT */
/* Memory that is handed out piece by piece and taken back all at once, to be used again. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks, *current;
    size_t used; /* of the current block */
};

void *arena_alloc(struct arena *arena, size_t size); /* aligned for uint64_t; NULL: no memory */
void arena_reset(struct arena *arena);               /* all pieces are free, the memory is kept */
void arena_free(struct arena *arena);

#endif
