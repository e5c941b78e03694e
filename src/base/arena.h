/* SPDX-License-Identifier: MIT */
/* Memory that is handed out piece by piece and taken back all at once, to be used again. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks, *current;
    size_t used; /* of the current block */
    size_t
        kept; /* bytes of blocks that a reset leaves; 0: all. To be set before there is a piece */
};

void *arena_alloc(struct arena *arena, size_t size); /* aligned for uint64_t; NULL: no memory */
void arena_reset(struct arena *arena); /* all pieces are free, the memory is kept up to `kept` */
void arena_free(struct arena *arena);
size_t arena_memory(const struct arena *arena); /* bytes of its blocks */

#endif
