/* SPDX-License-Identifier: MIT */
/* Schemas: found by name, shared by references and through the pool, with the notes of dialects. */
#include "stats/schema.h"

#include <stdlib.h>

#include "check.h"
#include "stats/schema_pool.h"

static const struct vitals_stat stats[] = {
    {.name = "m", .base = 10, .count = 1, .slot = 0},
    {.name = "z", .base = 10, .count = 1, .slot = 1},
    {.name = "a", .base = 10, .count = 1, .slot = 2},
    {.name = "ma", .base = 10, .count = 1, .slot = 3},
};

static struct stats_schema *make_schema(const char *provider, uint32_t n_stats)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = provider,
                                         .target = "vm",        .stats = stats,
                                         .n_stats = n_stats,    .row_len = 4};
    struct stats_schema *schema;
    struct error_text error;

    check_ok(schema_new(&ops, &error, &schema));
    return schema;
}

static void statistics_are_found_by_name(void **state)
{
    struct stats_schema *schema = make_schema("sched", N_ELEMENTS(stats));
    static const char *const strangers[] = {"", "0", "b", "mb", "M", "zz", "maa"};
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(stats); i++)
        assert_int_equal(schema_find(schema, stats[i].name), i);
    for (i = 0; i < N_ELEMENTS(strangers); i++)
        assert_int_equal(schema_find(schema, strangers[i]), -1);
    schema_unref(schema);
}

static void an_empty_schema_has_nothing(void **state)
{
    struct stats_schema *schema = make_schema("kvm", 0);

    (void)state;
    assert_int_equal(schema_find(schema, "m"), -1);
    schema_unref(schema);
    schema_unref(NULL);
}

/* ---- notes ---------------------------------------------------------------------------------- */

struct counted_note {
    struct schema_note note;
    int freed;
};

static void count_freed(struct schema_note *note)
{
    ((struct counted_note *)note)->freed++;
}

static void of_two_notes_the_first_stays(void **state)
{
    struct stats_schema *schema = make_schema("sched", 1);
    struct counted_note first = {.note = {count_freed}}, second = {.note = {count_freed}},
                        other = {.note = {count_freed}};

    (void)state;
    assert_null(schema_get_note(schema, 0));
    assert_ptr_equal(schema_keep_note(schema, 0, &first.note), &first);
    assert_ptr_equal(schema_keep_note(schema, 0, &second.note), &first);
    assert_ptr_equal(schema_keep_note(schema, 1, &other.note), &other);
    assert_ptr_equal(schema_get_note(schema, 0), &first);
    assert_int_equal(second.freed, 1);
    assert_int_equal(first.freed, 0);
    schema_unref(schema_ref(schema));
    assert_int_equal(first.freed, 0);
    schema_unref(schema);
    assert_int_equal(first.freed, 1);
    assert_int_equal(other.freed, 1);
}

/* ---- the pool ------------------------------------------------------------------------------- */

static struct stats_schema *find_in(struct schema_pool *pool, const struct schema_source *source)
{
    struct stats_schema *schema = schema_pool_find(pool, source);

    schema_unref(schema); /* the pool has a reference of its own */
    return schema;
}

static void a_schema_is_found_by_what_it_was_made_from(void **state)
{
    struct schema_pool *pool = schema_pool_new();
    struct stats_schema *schema = make_schema("kvm", 1);
    const struct schema_source source = {"kvm", "vm", 48, "bytes", 5};
    const struct schema_source others[] = {{"kvm", "vcpu", 48, "bytes", 5},
                                           {"xyz", "vm", 48, "bytes", 5},
                                           {"kvm", "vm", 47, "bytes", 5},
                                           {"kvm", "vm", 48, "bytez", 5},
                                           {"kvm", "vm", 48, "bytes", 4}};
    size_t i;

    (void)state;
    assert_null(find_in(pool, &source));
    schema_unref(schema_pool_add(pool, &source, schema));
    assert_ptr_equal(find_in(pool, &source), schema);
    for (i = 0; i < N_ELEMENTS(others); i++)
        assert_null(find_in(pool, &others[i]));
    schema_unref(schema);
    schema_pool_unref(pool);
}

static void of_two_schemas_of_one_source_the_first_is_kept(void **state)
{
    struct schema_pool *pool = schema_pool_new();
    struct stats_schema *first = make_schema("kvm", 1), *second = make_schema("kvm", 1), *kept;
    const struct schema_source source = {"kvm", "vm", 48, "bytes", 5};

    (void)state;
    schema_unref(schema_pool_add(pool, &source, first));
    kept = schema_pool_add(pool, &source, second);
    assert_ptr_equal(kept, first);
    schema_unref(kept);
    schema_unref(first);
    schema_unref(second);
    assert_ptr_equal(find_in(pool, &source), first);
    schema_pool_unref(pool);
}

static void a_schema_outlives_its_pool(void **state)
{
    struct schema_pool *pool = schema_pool_new();
    struct stats_schema *schema = make_schema("kvm", 2);
    const struct schema_source source = {"kvm", "vm", 48, "bytes", 5};

    (void)state;
    schema_unref(schema_pool_add(pool, &source, schema));
    schema_pool_unref(schema_pool_ref(pool));
    assert_ptr_equal(find_in(pool, &source), schema);
    schema_pool_unref(pool);
    assert_string_equal(schema->stats[1].name, "z");
    schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_found_by_name),
        cmocka_unit_test(an_empty_schema_has_nothing),
        cmocka_unit_test(of_two_notes_the_first_stays),
        cmocka_unit_test(a_schema_is_found_by_what_it_was_made_from),
        cmocka_unit_test(of_two_schemas_of_one_source_the_first_is_kept),
        cmocka_unit_test(a_schema_outlives_its_pool),
    };

    return cmocka_run_group_tests_name("schemas", tests, NULL, NULL);
}
