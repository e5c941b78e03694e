/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

/* There may be thousands of arenas, most of which hold little: each block is twice the one before. */
enum { ARENA_FIRST_BLOCK = 4 * 1024, ARENA_BLOCK_MAX = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    uint64_t bytes[];
};

/* @last: NULL: none yet. */
static struct arena_block *new_block(const struct arena_block *last, size_t size)
{
    size_t least = last ? 2 * last->size : ARENA_FIRST_BLOCK;
    struct arena_block *block;

    if (least > ARENA_BLOCK_MAX)
        least = ARENA_BLOCK_MAX;
    if (size < least)
        size = least;
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
    struct arena_block *last = arena->current;
    struct arena_block **link = last ? &last->next : &arena->blocks;

    while (*link && (*link)->size < size) {
        last = *link;
        link = &last->next;
    }
    if (!*link)
        *link = new_block(last, size);
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
