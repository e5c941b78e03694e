/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* There may be thousands of arenas, most of which hold little: each block is twice the one before. */
struct arena_block {
    struct arena_block *next;
    size_t size; /* of its bytes */
    bool mapped;
    uint64_t bytes[];
};

enum {
    ARENA_FIRST_BLOCK =
        4 * 1024 - sizeof(struct arena_block), /* whole pages, with what is before */
    ARENA_BLOCK_MAX = 64 * 1024 - sizeof(struct arena_block),
};

/*
 * Where not all is kept, each block is a mapping of its own: in the heap it would stay with the
 * process, wherever something small came to lie behind it.
 */
static struct arena_block *take_memory(const struct arena *arena, size_t size)
{
    bool mapped = arena->kept;
    struct arena_block *block;

    if (mapped)
        block = mmap(NULL, sizeof(*block) + size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else
        block = malloc(sizeof(*block) + size);
    if (!block || block == MAP_FAILED)
        return NULL;
    *block = (struct arena_block){.size = size, .mapped = mapped};
    return block;
}

static void give_back(struct arena_block *block)
{
    if (block->mapped)
        munmap(block, sizeof(*block) + block->size);
    else
        free(block);
}

static void give_all_back(struct arena_block *block)
{
    struct arena_block *next;

    for (; block; block = next) {
        next = block->next;
        give_back(block);
    }
}

/* @last: NULL: none yet. */
static struct arena_block *new_block(const struct arena *arena, const struct arena_block *last,
                                     size_t size)
{
    size_t least = last ? 2 * last->size + sizeof(*last) : ARENA_FIRST_BLOCK;

    if (least > ARENA_BLOCK_MAX)
        least = ARENA_BLOCK_MAX;
    return take_memory(arena, size < least ? least : size);
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
        *link = new_block(arena, last, size);
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

/* Else each query that needs a little more than the one before would add a block. */
static void trim(struct arena *arena)
{
    struct arena_block **link = &arena->blocks;
    size_t left = arena->kept;

    for (; *link && (*link)->size <= left; link = &(*link)->next)
        left -= (*link)->size;
    give_all_back(*link);
    *link = NULL;
}

void arena_reset(struct arena *arena)
{
    if (arena->kept)
        trim(arena);
    arena->current = arena->blocks;
    arena->used = 0;
}

void arena_free(struct arena *arena)
{
    give_all_back(arena->blocks);
    *arena = (struct arena){.kept = arena->kept};
}

size_t arena_memory(const struct arena *arena)
{
    const struct arena_block *block;
    size_t memory = 0;

    for (block = arena->blocks; block; block = block->next)
        memory += sizeof(*block) + block->size;
    return memory;
}
