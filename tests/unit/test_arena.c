/* SPDX-License-Identifier: MIT */
/* The memory of one query: pieces that keep their contents, and come back after a reset. */
#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

#include "check.h"

static void pieces_are_aligned_and_apart(void **state)
{
    struct arena arena = {0};
    char *last = NULL;
    size_t size;

    (void)state;
    for (size = 1; size < 100; size++) {
        char *piece = arena_alloc(&arena, size);

        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % sizeof(uint64_t), 0);
        if (last)
            assert_true(piece >= last + size - 1);
        memset(piece, (int)size, size);
        last = piece;
    }
    arena_free(&arena);
}

static void an_empty_piece_is_a_piece(void **state)
{
    struct arena arena = {0};

    (void)state;
    assert_non_null(arena_alloc(&arena, 0));
    arena_free(&arena);
}

static void a_size_that_can_not_be_is_refused(void **state)
{
    struct arena arena = {0};

    (void)state;
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 7));
    assert_non_null(arena_alloc(&arena, 8));
    arena_free(&arena);
}

enum { PIECES = 64 };

/* Pieces of growing size, each filled with its number; true if none has overwritten another. */
static bool fill_and_check(struct arena *arena, size_t step, unsigned char *pieces[PIECES])
{
    size_t i, j;

    for (i = 0; i < PIECES; i++) {
        pieces[i] = arena_alloc(arena, i * step + 1);
        memset(pieces[i], (int)i, i * step + 1);
    }
    for (i = 0; i < PIECES; i++)
        for (j = 0; j < i * step + 1; j++)
            if (pieces[i][j] != i)
                return false;
    return true;
}

static void pieces_grow_past_one_block(void **state)
{
    struct arena arena = {0};
    unsigned char *pieces[PIECES];

    (void)state;
    assert_true(fill_and_check(&arena, 5000, pieces));
    arena_free(&arena);
}

static void the_same_memory_comes_back_after_a_reset(void **state)
{
    struct arena arena = {0};
    unsigned char *before[PIECES], *after[PIECES];

    (void)state;
    fill_and_check(&arena, 5000, before);
    arena_reset(&arena);
    assert_true(fill_and_check(&arena, 5000, after));
    assert_memory_equal(before, after, sizeof(before));
    arena_free(&arena);
}

static void a_large_piece_finds_its_place_between_small_ones(void **state)
{
    struct arena arena = {0};
    unsigned char *pieces[PIECES];
    size_t round;

    (void)state;
    for (round = 0; round < 10; round++) {
        assert_true(fill_and_check(&arena, round % 2 ? 100 : 9000, pieces));
        arena_reset(&arena);
    }
    arena_free(&arena);
}

/* Of those that hold strangers' requests: what one took must not add up. */
static void a_reset_keeps_so_much_and_no_more(void **state)
{
    struct arena arena = {.kept = 100000};
    unsigned char *before[PIECES], *after[PIECES];
    size_t size;

    (void)state;
    for (size = 1000; size < 3000000; size += 20000) {
        unsigned char *piece = arena_alloc(&arena, size);

        assert_non_null(piece);
        memset(piece, 1, size);
        assert_true(arena_memory(&arena) >= size);
        arena_reset(&arena);
        assert_true(arena_memory(&arena) < 101000);
    }
    assert_true(fill_and_check(&arena, 20, before));
    arena_reset(&arena);
    assert_true(fill_and_check(&arena, 20, after));
    assert_memory_equal(before, after, sizeof(before));
    arena_free(&arena);
    assert_int_equal(arena_memory(&arena), 0);
    assert_int_equal(arena.kept, 100000);
}

static void an_arena_can_be_used_again_when_it_was_freed(void **state)
{
    struct arena arena = {0};

    (void)state;
    arena_free(&arena);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 8));
    arena_free(&arena);
    assert_non_null(arena_alloc(&arena, 8));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(an_empty_piece_is_a_piece),
        cmocka_unit_test(a_size_that_can_not_be_is_refused),
        cmocka_unit_test(pieces_grow_past_one_block),
        cmocka_unit_test(the_same_memory_comes_back_after_a_reset),
        cmocka_unit_test(a_large_piece_finds_its_place_between_small_ones),
        cmocka_unit_test(a_reset_keeps_so_much_and_no_more),
        cmocka_unit_test(an_arena_can_be_used_again_when_it_was_freed),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
