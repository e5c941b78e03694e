/* SPDX-License-Identifier: MIT */
/* The table of object paths: numbers in order, found by text, emptied and used again. */
#include "stats/paths.h"

#include <stdio.h>

#include "check.h"

enum { MANY = 3000 };
static char names[MANY][48];

static int make_names(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < MANY; i++)
        snprintf(names[i], sizeof(names[i]), "/machine/unattached/device[%d]", i);
    return 0;
}

static void an_empty_table_finds_nothing(void **state)
{
    struct path_table table = {0};

    (void)state;
    assert_int_equal(paths_find(&table, "cpu/0"), -1);
    paths_reset(&table);
    assert_int_equal(paths_find(&table, ""), -1);
    paths_free(&table);
}

static void paths_are_numbered_in_the_order_they_came(void **state)
{
    struct path_table table = {0};

    (void)state;
    check_ok(paths_add(&table, "b"));
    check_ok(paths_add(&table, "a"));
    check_ok(paths_add(&table, ""));
    assert_int_equal(paths_find(&table, "b"), 0);
    assert_int_equal(paths_find(&table, "a"), 1);
    assert_int_equal(paths_find(&table, ""), 2);
    assert_int_equal(paths_find(&table, "ab"), -1);
    assert_int_equal(table.count, 3);
    assert_string_equal(table.paths[1], "a");
    paths_free(&table);
}

static void add_and_find(struct path_table *table, int first, int n)
{
    int i;

    for (i = 0; i < n; i++)
        check_ok(paths_add(table, names[first + i]));
    for (i = 0; i < n; i++)
        assert_int_equal(paths_find(table, names[first + i]), i);
    assert_int_equal(table->count, n);
}

static void a_table_grows(void **state)
{
    struct path_table table = {0};

    (void)state;
    add_and_find(&table, 0, MANY);
    paths_free(&table);
}

static void a_reset_table_is_empty_and_keeps_its_memory(void **state)
{
    struct path_table table = {0};
    size_t n_slots;
    int i;

    (void)state;
    add_and_find(&table, 0, 1000);
    n_slots = table.n_slots;
    for (i = 0; i < 20; i++) {
        paths_reset(&table);
        assert_int_equal(paths_find(&table, names[5]), -1);
        add_and_find(&table, 1000, 500);
        assert_int_equal(paths_find(&table, names[5]), -1);
    }
    assert_int_equal(table.n_slots, n_slots);
    paths_free(&table);
}

/* After 2^32 resets a slot that was never written since would look like one of today's. */
static void rounds_wrap_around(void **state)
{
    struct path_table table = {0};
    int i;

    (void)state;
    paths_add(&table, "first of all");
    table.round = UINT32_MAX;
    for (i = 0; i < (int)table.n_slots; i++) /* what was written long ago */
        table.slots[i] = (struct path_slot){.round = (uint32_t)i % 3};
    for (i = 0; i < 5; i++) {
        paths_reset(&table);
        assert_int_not_equal(table.round, 0);
        assert_int_equal(paths_find(&table, "first of all"), -1);
        add_and_find(&table, 0, 10);
    }
    paths_free(&table);
}

static void a_table_grows_in_a_late_round(void **state)
{
    struct path_table table = {0};

    (void)state;
    add_and_find(&table, 0, 3);
    table.round = UINT32_MAX - 1;
    paths_reset(&table);
    add_and_find(&table, 100, MANY - 100);
    paths_reset(&table);
    add_and_find(&table, 0, MANY);
    paths_free(&table);
}

static void a_freed_table_can_be_used_again(void **state)
{
    struct path_table table = {0};

    (void)state;
    add_and_find(&table, 0, 40);
    paths_free(&table);
    assert_int_equal(paths_find(&table, names[0]), -1);
    add_and_find(&table, 0, 40);
    paths_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_finds_nothing),
        cmocka_unit_test(paths_are_numbered_in_the_order_they_came),
        cmocka_unit_test(a_table_grows),
        cmocka_unit_test(a_reset_table_is_empty_and_keeps_its_memory),
        cmocka_unit_test(rounds_wrap_around),
        cmocka_unit_test(a_table_grows_in_a_late_round),
        cmocka_unit_test(a_freed_table_can_be_used_again),
    };

    return cmocka_run_group_tests_name("paths", tests, make_names, NULL);
}
