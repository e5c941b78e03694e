/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { ARENA_BLOCK = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    uint64_t bytes[];
};

static struct arena_block *new_block(size_t size)
{
    struct arena_block *block;

    if (size < ARENA_BLOCK)
        size = ARENA_BLOCK;
    block = malloc(sizeof(*block) + size);
    if (block) {
        block->next = NULL;
        block->size = size;
    }
    return block;
}

/* Moves on to the next block; one that is too small for @size is left out until the next reset. */
static struct arena_block *next_block(struct arena *arena, size_t size)
{
    struct arena_block **link = arena->current ? &arena->current->next : &arena->blocks;

    while (*link && (*link)->size < size)
        link = &(*link)->next;
    if (!*link)
        *link = new_block(size);
    return *link;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->current;
    void *piece;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + 7) & ~(size_t)7;
    if (!block || block->size - arena->used < size) {
        block = next_block(arena, size);
        if (!block)
            return NULL;
        arena->current = block;
        arena->used = 0;
    }
    piece = (char *)block->bytes + arena->used;
    arena->used += size;
    return piece;
}

void arena_reset(struct arena *arena)
{
    arena->current = arena->blocks;
    arena->used = 0;
}

void arena_free(struct arena *arena)
{
    struct arena_block *next;

    for (; arena->blocks; arena->blocks = next) {
        next = arena->blocks->next;
        free(arena->blocks);
    }
    *arena = (struct arena){0};
}
