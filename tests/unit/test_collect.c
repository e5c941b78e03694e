/* SPDX-License-Identifier: MIT */
/* What a query selects, what a provider is asked, and what is left when part of it fails. */
#include "ask.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "fake.h"
#include "stats/apart.h"
#include "stats/filter.h"

static const char *const cpus[] = {"cpu/0", "cpu/1", NULL};

/* Two providers of two vCPUs, and one of the VM. */
struct vm {
    struct vitals_ctx *ctx;
    struct log_book book;
    struct fake sched, xyz, memory;
};

static int make_vm(void **state)
{
    struct vm *vm = calloc(1, sizeof(*vm));

    vm->ctx = ctx_with_log(&vm->book);
    vm->sched = (struct fake){.provider = "sched", .target = "vcpu", .names = {"runs", "waits"}};
    vm->xyz = (struct fake){
        .provider = "xyz", .target = "vcpu", .names = {"somestat", "other", "third"}, .base = 100};
    vm->memory = (struct fake){.provider = "mem", .target = "vm", .names = {"used"}, .base = 7};
    vm->sched.objects = vm->xyz.objects = cpus;
    check_ok(fake_register(vm->ctx, &vm->sched, NULL));
    check_ok(fake_register(vm->ctx, &vm->xyz, NULL));
    check_ok(fake_register(vm->ctx, &vm->memory, NULL));
    *state = vm;
    return 0;
}

static int free_vm(void **state)
{
    struct vm *vm = *state;

    check_ok(vitals_ctx_free(vm->ctx));
    free(vm);
    return 0;
}

/* ---- filters -------------------------------------------------------------------------------- */

static void without_filters_everything_is_returned(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx,
                  "cpu/0 sched:runs=0,waits=1 xyz:somestat=100,other=101,third=102; "
                  "cpu/1 sched:runs=10,waits=11 xyz:somestat=110,other=111,third=112",
                  .target = "vcpu");
    assert_answer(vm->ctx, "vm mem:used=7", .target = "vm");
}

static void a_target_that_nobody_has_is_empty(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "", .target = "block");
}

static void an_empty_list_of_filters_selects_nothing(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "", .target = "vcpu", .filters = NO_FILTER);
    assert_int_equal(vm->sched.collects, 0);
}

static void an_empty_list_of_fields_selects_nothing(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "", .target = "vcpu", .filters = FILTERS({"sched", NOTHING}));
    assert_int_equal(vm->sched.collects, 0);
}

static void a_filter_without_members_selects_all(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "vm mem:used=7", .target = "vm", .filters = FILTERS({NULL, NULL}));
}

static void a_filter_can_name_a_provider(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "cpu/0 sched:runs=0,waits=1; cpu/1 sched:runs=10,waits=11",
                  .target = "vcpu", .filters = FILTERS({"sched", NULL}));
    assert_int_equal(vm->xyz.collects, 0);
}

static void a_filter_can_name_fields_of_any_provider(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "cpu/0 sched:waits=1 xyz:other=101; cpu/1 sched:waits=11 xyz:other=111",
                  .target = "vcpu", .filters = FILTERS({NULL, LIST("other", "waits")}));
}

static void fields_belong_to_the_provider_of_their_filter(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "", .target = "vcpu", .filters = FILTERS({"sched", LIST("somestat")}));
    assert_int_equal(vm->sched.collects, 0);
    assert_int_equal(vm->xyz.collects, 0);
}

static void what_any_filter_selects_is_returned_once(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx,
                  "cpu/0 sched:waits=1 xyz:somestat=100,third=102; "
                  "cpu/1 sched:waits=11 xyz:somestat=110,third=112",
                  .target = "vcpu",
                  .filters = FILTERS({"xyz", LIST("third")}, {"sched", LIST("waits")},
                                     {NULL, LIST("somestat", "waits")}, {"xyz", LIST("third")}));
}

static void repeated_fields_are_returned_once(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "cpu/0 sched:runs=0; cpu/1 sched:runs=10", .target = "vcpu",
                  .filters = FILTERS({"sched", LIST("runs", "runs", "runs")}));
}

static void statistics_come_in_the_order_of_the_schema(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "cpu/0 xyz:somestat=100,other=101,third=102", .target = "vcpu",
                  .filters = FILTERS({"xyz", LIST("third", "other", "somestat")}),
                  .objects = LIST("cpu/0"));
}

static void unknown_names_select_nothing(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "", .target = "vcpu",
                  .filters = FILTERS({"nobody", NULL}, {"sched", LIST("run", "runs2", "", "RUNS")},
                                     {NULL, LIST("nothing")}));
    assert_answer(vm->ctx, "cpu/0 sched:runs=0; cpu/1 sched:runs=10", .target = "vcpu",
                  .filters = FILTERS({"sched", LIST("zzz", "runs", "aaa")}));
}

/* ---- objects -------------------------------------------------------------------------------- */

static void named_objects_are_returned(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "cpu/1 sched:runs=10", .target = "vcpu", .objects = LIST("cpu/1"),
                  .filters = FILTERS({NULL, LIST("runs")}));
}

static void repeated_objects_are_returned_once(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "cpu/0 sched:runs=0; cpu/1 sched:runs=10", .target = "vcpu",
                  .objects = LIST("cpu/1", "cpu/0", "cpu/1", "cpu/1"),
                  .filters = FILTERS({NULL, LIST("runs")}));
}

static void unknown_objects_select_nothing(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "", .target = "vcpu", .objects = LIST("cpu/2", "cpu", "", "cpu/00"));
    assert_answer(vm->ctx, "cpu/0 sched:runs=0", .target = "vcpu",
                  .objects = LIST("cpu/2", "cpu/0"), .filters = FILTERS({NULL, LIST("runs")}));
}

static void an_empty_list_of_objects_selects_nothing(void **state)
{
    struct vm *vm = *state;

    assert_answer(vm->ctx, "", .target = "vcpu", .objects = NOTHING);
}

static void objects_come_in_the_order_in_which_they_were_named_first(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake first = {
        .provider = "one", .target = "vcpu", .names = {"a"}, .objects = LIST("z", "m")};
    struct fake second = {.provider = "two",
                          .target = "vcpu",
                          .names = {"b"},
                          .base = 5,
                          .objects = LIST("x", "m", "a", "z")};

    (void)state;
    check_ok(fake_register(ctx, &first, NULL));
    check_ok(fake_register(ctx, &second, NULL));
    assert_answer(ctx, "z one:a=0 two:b=35; m one:a=10 two:b=15; x two:b=5; a two:b=25",
                  .target = "vcpu");
    vitals_ctx_free(ctx);
}

/* ---- what the provider is told -------------------------------------------------------------- */

struct seen {
    bool wants[8];
    size_t n_objects;
    bool all_objects;
    char objects[64];
};

static void look(struct fake *fake, struct vitals_sink *sink)
{
    struct seen *seen = fake->opaque;
    const char *const *objects;
    size_t i;

    *seen = (struct seen){.n_objects = 99};
    for (i = 0; i < N_ELEMENTS(seen->wants); i++)
        seen->wants[i] = vitals_wants(sink, (uint32_t)i);
    objects = vitals_wanted_objects(sink, &seen->n_objects);
    seen->all_objects = !objects;
    for (i = 0; objects && i < seen->n_objects; i++) {
        strcat(seen->objects, objects[i]);
        strcat(seen->objects, " ");
    }
}

static void the_provider_sees_which_statistics_are_wanted(void **state)
{
    struct vm *vm = *state;
    struct seen seen;

    vm->xyz.inside = look;
    vm->xyz.opaque = &seen;
    free(ask(vm->ctx, &(struct ask){.target = "vcpu",
                                    .filters = FILTERS({"xyz", LIST("third", "somestat")})}));
    assert_true(seen.wants[0]);
    assert_false(seen.wants[1]);
    assert_true(seen.wants[2]);
    assert_false(seen.wants[3]);
}

static void statistics_past_the_last_are_never_wanted(void **state)
{
    struct vm *vm = *state;
    struct seen seen;

    vm->xyz.inside = look;
    vm->xyz.opaque = &seen;
    free(ask_all(vm->ctx, "vcpu"));
    assert_true(seen.wants[2]);
    assert_false(seen.wants[3]);
    assert_false(seen.wants[7]);
}

static void the_provider_sees_that_all_objects_are_wanted(void **state)
{
    struct vm *vm = *state;
    struct seen seen;

    vm->sched.inside = look;
    vm->sched.opaque = &seen;
    free(ask_all(vm->ctx, "vcpu"));
    assert_true(seen.all_objects);
    assert_int_equal(seen.n_objects, 99);
}

static void the_provider_sees_each_wanted_object_once(void **state)
{
    struct vm *vm = *state;
    struct seen seen;

    vm->sched.inside = look;
    vm->sched.opaque = &seen;
    free(ask(vm->ctx, &(struct ask){.target = "vcpu",
                                    .objects = LIST("cpu/1", "nope", "cpu/0", "cpu/1", "nope")}));
    assert_false(seen.all_objects);
    assert_int_equal(seen.n_objects, 3);
    assert_string_equal(seen.objects, "cpu/0 cpu/1 nope ");
}

static void a_provider_that_is_not_wanted_is_not_called(void **state)
{
    struct vm *vm = *state;

    free(ask(vm->ctx, &(struct ask){.target = "vcpu", .filters = FILTERS({"sched", NULL})}));
    free(ask(vm->ctx, &(struct ask){.target = "vcpu", .filters = FILTERS({NULL, LIST("runs")})}));
    free(ask_all(vm->ctx, "vm"));
    assert_int_equal(vm->sched.collects, 2);
    assert_int_equal(vm->xyz.collects, 0);
    assert_int_equal(vm->memory.collects, 1);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void take_one_row(struct fake *fake, struct vitals_sink *sink)
{
    uint64_t *row = vitals_row(sink, "cpu/0");

    assert_non_null(row);
    assert_int_equal(row[0], 0);
    assert_int_equal(row[1], 0);
    row[0] = row[1] = UINT64_MAX; /* what the memory would hold at the next query */
    *(uint64_t **)fake->opaque = row;
}

static void a_row_is_zeroed_before_it_is_filled(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct stats_collection collection = {0};
    const struct ask all = {.target = "vcpu"};
    uint64_t *row;
    struct fake fake = {.provider = "sched",
                        .target = "vcpu",
                        .names = {"runs", "waits"},
                        .inside = take_one_row,
                        .opaque = &row};
    int i;

    (void)state;
    check_ok(fake_register(ctx, &fake, NULL));
    for (i = 0; i < 3; i++)
        free(ask_with(&collection, ctx, &all));
    assert_int_equal(fake.collects, 3);
    stats_collection_free(&collection);
    vitals_ctx_free(ctx);
}

static void take_a_row_twice(struct fake *fake, struct vitals_sink *sink)
{
    uint64_t *first = vitals_row(sink, "cpu/0"), *second = vitals_row(sink, "cpu/0");

    (void)fake;
    assert_non_null(first);
    assert_null(second);
}

static void an_object_has_one_row(void **state)
{
    struct vm *vm = *state;

    vm->sched.inside = take_a_row_twice; /* and then collect() asks once more */
    assert_answer(vm->ctx, "cpu/0 sched:runs=0,waits=0; cpu/1 sched:runs=10,waits=11",
                  .target = "vcpu", .filters = FILTERS({"sched", NULL}));
}

static void fill_two_rows_at_a_time(struct fake *fake, struct vitals_sink *sink)
{
    uint64_t *first = vitals_row(sink, "cpu/0"), *second = vitals_row(sink, "cpu/1");

    (void)fake;
    first[0] = 1;
    second[0] = 2;
    first[1] = 3;
    second[1] = 4;
}

static void several_rows_may_be_filled_at_a_time(void **state)
{
    struct vm *vm = *state;

    vm->sched.inside = fill_two_rows_at_a_time;
    assert_answer(vm->ctx, "cpu/0 sched:runs=1,waits=3; cpu/1 sched:runs=2,waits=4",
                  .target = "vcpu", .filters = FILTERS({"sched", NULL}));
}

static void offer_bad_paths(struct fake *fake, struct vitals_sink *sink)
{
    char path[VITALS_OBJECT_MAX + 2];

    (void)fake;
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_null(vitals_row(sink, NULL));
    assert_null(vitals_row(sink, ""));
    assert_null(vitals_row(sink, path));
    path[VITALS_OBJECT_MAX] = '\0';
    assert_non_null(vitals_row(sink, path));
    vitals_row_fail(sink, -ENODEV);
}

static void wrong_paths_get_no_row_and_are_logged_once(void **state)
{
    struct vm *vm = *state;

    vm->sched.inside = offer_bad_paths;
    assert_answer(vm->ctx, "cpu/0 sched:runs=0,waits=1; cpu/1 sched:runs=10,waits=11",
                  .target = "vcpu", .filters = FILTERS({"sched", NULL}));
    free(ask_all(vm->ctx, "vcpu"));
    assert_int_equal(vm->book.lines, 2); /* of paths, and of the row that it let fail */
}

static void offer_a_path_for_the_vm(struct fake *fake, struct vitals_sink *sink)
{
    (void)fake;
    assert_null(vitals_row(sink, "cpu/0"));
    assert_null(vitals_row(sink, ""));
}

static void the_vm_has_no_path(void **state)
{
    struct vm *vm = *state;

    vm->memory.inside = offer_a_path_for_the_vm;
    assert_answer(vm->ctx, "vm mem:used=7", .target = "vm");
    assert_int_equal(vm->book.lines, 1);
    assert_contains(vm->book.last, "mem");
    assert_contains(vm->book.last, "path");
}

/* ---- failures ------------------------------------------------------------------------------- */

static void fail_the_first_row(struct fake *fake, struct vitals_sink *sink)
{
    uint64_t *row = vitals_row(sink, fake->objects[0]);

    if (row)
        row[0] = 12345;
    vitals_row_fail(sink, -ENODEV);
    fake->objects++; /* for the rest of this collect() */
}

static void a_row_that_fails_drops_only_its_object(void **state)
{
    struct vm *vm = *state;

    vm->sched.inside = fail_the_first_row;
    assert_answer(vm->ctx, "cpu/0 xyz:somestat=100; cpu/1 sched:runs=0 xyz:somestat=110",
                  .target = "vcpu", .filters = FILTERS({NULL, LIST("runs", "somestat")}));
    assert_int_equal(vm->book.lines, 1);
    assert_int_equal(vm->book.level, VITALS_LOG_WARNING);
    assert_contains(vm->book.last, "sched");
    assert_contains(vm->book.last, strerror(ENODEV));
}

static void an_object_of_which_nothing_is_left_is_left_out(void **state)
{
    struct vm *vm = *state;

    vm->sched.inside = fail_the_first_row;
    assert_answer(vm->ctx, "cpu/1 sched:runs=0", .target = "vcpu",
                  .filters = FILTERS({NULL, LIST("runs")}));
}

static void fail_without_a_row(struct fake *fake, struct vitals_sink *sink)
{
    (void)fake;
    vitals_row_fail(sink, -ENODEV);
    assert_non_null(vitals_row(sink, "cpu/0"));
    assert_null(vitals_row(sink, "not-wanted"));
    vitals_row_fail(sink, -ENODEV); /* of the one that was not wanted: cpu/0 keeps its row */
}

static void a_failure_without_a_row_harms_no_other_object(void **state)
{
    struct vm *vm = *state;

    vm->sched.inside = fail_without_a_row;
    assert_answer(vm->ctx, "cpu/0 sched:runs=0,waits=0; cpu/1 sched:runs=10,waits=11",
                  .target = "vcpu", .filters = FILTERS({"sched", NULL}),
                  .objects = LIST("cpu/0", "cpu/1"));
}

static void a_group_that_fails_drops_only_itself(void **state)
{
    struct vm *vm = *state;

    vm->sched.result = -EIO;
    assert_answer(vm->ctx,
                  "cpu/0 xyz:somestat=100,other=101,third=102; "
                  "cpu/1 xyz:somestat=110,other=111,third=112",
                  .target = "vcpu");
    assert_int_equal(vm->book.lines, 1);
    assert_contains(vm->book.last, "sched");
    assert_contains(vm->book.last, strerror(EIO));
}

static void a_failure_is_logged_once(void **state)
{
    struct vm *vm = *state;
    int i;

    vm->sched.result = -EIO;
    for (i = 0; i < 5; i++)
        free(ask_all(vm->ctx, "vcpu"));
    assert_int_equal(vm->sched.collects, 5);
    assert_int_equal(vm->book.lines, 1);
    vm->memory.result = -ENODEV; /* another group */
    free(ask_all(vm->ctx, "vm"));
    assert_int_equal(vm->book.lines, 2);
    vm->sched.result = -ENOMEM; /* another cause */
    for (i = 0; i < 5; i++)
        free(ask_all(vm->ctx, "vcpu"));
    assert_int_equal(vm->book.lines, 3);
    assert_contains(vm->book.last, strerror(ENOMEM));
    vm->sched.result = -EIO; /* the first one again */
    free(ask_all(vm->ctx, "vcpu"));
    assert_int_equal(vm->book.lines, 3);
}

/* Errors of any number: the last bit stands for all above. */
static void errors_that_have_no_name_are_logged_once(void **state)
{
    static const int results[] = {-254, -255, -256, -4095, INT_MIN, INT_MAX};
    struct vm *vm = *state;
    size_t i;

    for (i = 0; i < N_ELEMENTS(results); i++) {
        vm->sched.result = results[i];
        free(ask_all(vm->ctx, "vcpu"));
    }
    assert_int_equal(vm->book.lines, 2);
}

static void a_failure_that_ends_is_forgotten(void **state)
{
    struct vm *vm = *state;

    vm->memory.result = -EIO;
    assert_answer(vm->ctx, "", .target = "vm");
    vm->memory.result = 0;
    assert_answer(vm->ctx, "vm mem:used=7", .target = "vm");
}

/* ---- re-use --------------------------------------------------------------------------------- */

static void a_collection_serves_different_queries_in_turn(void **state)
{
    struct vm *vm = *state;
    struct stats_collection collection = {0};
    const struct ask all = {.target = "vcpu"}, of_vm = {.target = "vm"},
                     one = {.target = "vcpu",
                            .objects = LIST("cpu/1"),
                            .filters = FILTERS({"xyz", LIST("other")})};
    int i;

    for (i = 0; i < 3; i++) {
        char *first = ask_with(&collection, vm->ctx, &all);
        char *second = ask_with(&collection, vm->ctx, &one);
        char *third = ask_with(&collection, vm->ctx, &of_vm);

        assert_contains(first, "cpu/1 sched:runs=10,waits=11 xyz:somestat=110");
        assert_string_equal(second, "cpu/1 xyz:other=111");
        assert_string_equal(third, "vm mem:used=7");
        free(first);
        free(second);
        free(third);
    }
    stats_collection_free(&collection);
}

static void a_collection_outlives_the_groups_it_was_made_from(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct stats_collection collection = {0};
    struct fake fake = {.provider = "sched", .target = "vm", .names = {"runs"}, .base = 4};
    struct vitals_group *group;

    (void)state;
    check_ok(fake_register(ctx, &fake, &group));
    free(ask_with(&collection, ctx, &(struct ask){.target = "vm"}));
    vitals_unregister(group);
    vitals_ctx_free(ctx);
    assert_string_equal(collection.parts[0].schema->stats[0].name, "runs");
    assert_int_equal(stats_part_row(&collection.parts[0], 0)[0], 4);
    stats_collection_free(&collection);
}

static void many_objects_are_found_by_their_path(void **state)
{
    enum { N = 1024 };
    struct vitals_ctx *ctx = new_ctx();
    const char *paths[N + 1] = {NULL};
    struct fake one = {.provider = "one", .target = "vcpu", .names = {"a"}, .objects = paths};
    struct fake two = {.provider = "two", .target = "vcpu", .names = {"b"}, .objects = paths};
    char names[N][16];
    int i;

    (void)state;
    for (i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "cpu/%d", i);
        paths[i] = names[i];
    }
    check_ok(fake_register(ctx, &one, NULL));
    check_ok(fake_register(ctx, &two, NULL));
    assert_answer(ctx, "cpu/0 one:a=0 two:b=0; cpu/777 one:a=7770 two:b=7770", .target = "vcpu",
                  .objects = LIST("cpu/777", "cpu/0", "cpu/1024"));
    assert_answer(ctx, "cpu/1023 two:b=10230", .target = "vcpu", .objects = LIST("cpu/1023"),
                  .filters = FILTERS({"two", NULL}));
    vitals_ctx_free(ctx);
}

/* ---- more rows than have room --------------------------------------------------------------- */

/* Objects, and what one of them takes: its rows, and its name. */
enum { MANY = 25, MANY_SIZE = 4 * sizeof(uint64_t) + STATS_OBJECT_SIZE + sizeof("cpu/00") };

/* A VM of two providers. They name the objects in opposite orders if @reverse. */
struct many {
    struct vitals_ctx *ctx;
    char names[MANY + 1][16];
    const char *paths[MANY + 2], *reversed[MANY + 1];
    struct fake one, two;
};

static void make_many(struct many *many, bool reverse)
{
    *many = (struct many){
        .ctx = new_ctx(),
        .one = {.provider = "one", .target = "vcpu", .names = {"a", "b", "c"}},
        .two = {.provider = "two", .target = "vcpu", .names = {"d"}},
    };
    for (int i = 0; i <= MANY; i++)
        snprintf(many->names[i], sizeof(many->names[i]), "cpu/%02d", i);
    for (int i = 0; i < MANY; i++) {
        many->paths[i] = many->names[i];
        many->reversed[MANY - 1 - i] = many->names[i];
    }
    many->one.objects = many->paths;
    many->two.objects = reverse ? many->reversed : many->paths;
    check_ok(fake_register(many->ctx, &many->one, NULL));
    check_ok(fake_register(many->ctx, &many->two, NULL));
}

/* Each object once, with the rows of both, whatever has room. Returns how often a provider was asked. */
static unsigned check_many(struct many *many, size_t rows_max, const char *expected)
{
    struct stats_collection collection = {.rows_max = rows_max};
    const struct ask all = {.target = "vcpu"};
    unsigned collects = 0;

    for (int i = 0; i < 3; i++) {
        char *answer = ask_with(&collection, many->ctx, &all);

        assert_string_equal(answer, expected);
        collects = many->one.collects;
        many->one.collects = 0;
        free(answer);
    }
    stats_collection_free(&collection);
    return collects;
}

static void rows_that_have_no_room_come_later(void **state)
{
    struct many many;
    char *expected;

    (void)state;
    make_many(&many, false);
    expected = ask_all(many.ctx, "vcpu");
    many.one.collects = 0;
    assert_int_equal(check_many(&many, MANY * MANY_SIZE, expected), 1);
    assert_int_equal(check_many(&many, MANY * MANY_SIZE - 1, expected), 1 + 2);
    assert_int_equal(check_many(&many, 10 * MANY_SIZE, expected), 1 + 3);
    assert_int_equal(check_many(&many, MANY_SIZE, expected), 1 + MANY);
    assert_int_equal(check_many(&many, 1, expected), 1 + MANY);
    free(expected);
    vitals_ctx_free(many.ctx);
}

static void rows_come_together_in_whatever_order_they_are_given(void **state)
{
    struct many many;
    char *expected;

    (void)state;
    make_many(&many, true);
    expected = ask_all(many.ctx, "vcpu");
    check_many(&many, 10 * MANY_SIZE, expected);
    check_many(&many, 1, expected);
    free(expected);
    vitals_ctx_free(many.ctx);
}

static void rows_never_take_more_than_they_may(void **state)
{
    struct stats_collection collection = {.rows_max = 10 * MANY_SIZE};
    struct stats_request request = {.target = "vcpu", .all_stats = true, .all_objects = true};
    struct many many;

    (void)state;
    make_many(&many, false);
    check_ok(stats_collect(&collection, many.ctx, &request));
    assert_int_equal(collection.rows_size, 10 * MANY_SIZE);
    check_ok(stats_collect_more(&collection, many.ctx, &request));
    assert_int_equal(collection.rows_size, 10 * MANY_SIZE);
    assert_int_equal(collection.first, 10);
    check_ok(stats_collect_more(&collection, many.ctx, &request));
    assert_int_equal(collection.rows_size, 5 * MANY_SIZE);
    assert_int_equal(collection.n_cut, 0);
    assert_null(stats_part_row(&collection.parts[0], 19));
    assert_int_equal(stats_part_row(&collection.parts[0], 20)[0], 200);
    check_ok(stats_collect(&collection, many.ctx, &request)); /* of objects that it knows */
    assert_int_equal(collection.rows_size, 10 * MANY_SIZE);
    stats_collection_free(&collection);
    vitals_ctx_free(many.ctx);
}

static void wanted_objects_come_later_too(void **state)
{
    struct stats_collection collection = {.rows_max = MANY_SIZE};
    struct many many;
    char *answer;

    (void)state;
    make_many(&many, false);
    answer = ask_with(&collection, many.ctx,
                      &(struct ask){.target = "vcpu",
                                    .objects = LIST("cpu/03", "cpu/20", "no"),
                                    .filters = FILTERS({NULL, LIST("b", "d")})});
    assert_string_equal(answer, "cpu/03 one:b=31 two:d=30; cpu/20 one:b=201 two:d=200");
    free(answer);
    stats_collection_free(&collection);
    vitals_ctx_free(many.ctx);
}

/* Gives its objects other names each time. */
static void rename_all(struct fake *fake, struct vitals_sink *sink)
{
    struct many *many = fake->opaque;

    (void)sink;
    for (int i = 0; i < MANY; i++)
        snprintf(many->names[i], sizeof(many->names[i]), "%u/%d", (unsigned)fake->collects, i);
}

static void an_answer_ends_whatever_is_new_meanwhile(void **state)
{
    struct stats_collection collection = {.rows_max = MANY_SIZE};
    struct many many;
    char *answer;

    (void)state;
    make_many(&many, false);
    many.one.inside = rename_all;
    many.one.opaque = &many;
    answer = ask_with(&collection, many.ctx, &(struct ask){.target = "vcpu"});
    assert_non_null(answer);
    free(answer);
    stats_collection_free(&collection);
    vitals_ctx_free(many.ctx);
}

/* ---- many names ----------------------------------------------------------------------------- */

enum { NAMES = 30000, NAME_SIZE = 16, GROUPS = 400 };

/* Names that nothing has: "no-0" and so on. */
struct names {
    const char *list[NAMES];
    char texts[NAMES][NAME_SIZE];
    struct arena arena;
};

static struct names *new_names(void)
{
    struct names *names = calloc(1, sizeof(*names));

    for (int i = 0; i < NAMES; i++) {
        snprintf(names->texts[i], NAME_SIZE, "no-%d", i);
        names->list[i] = names->texts[i];
    }
    return names;
}

static void free_names(struct names *names)
{
    arena_free(&names->arena);
    free(names);
}

static size_t count_values(const struct stats_collection *collection)
{
    size_t n = 0, i, object;

    for (i = 0; i < collection->n_parts; i++)
        for (object = 0; object < collection->objects.count; object++)
            if (stats_part_row(&collection->parts[i], object))
                n += collection->parts[i].n_wanted;
    return n;
}

static void many_names_select_what_few_do(void **state)
{
    struct vm *vm = *state;
    struct names *of_xyz = new_names(), *of_all = new_names(), *paths = new_names();
    struct stats_filter filters[] = {
        {.provider = "xyz", .fields = of_xyz->list, .n_fields = FILTER_NAMES_MANY},
        {.fields = of_all->list, .n_fields = FILTER_NAMES_MANY}};
    struct stats_request request = {.target = "vcpu",
                                    .filters = filters,
                                    .n_filters = 2,
                                    .objects = paths->list,
                                    .n_objects = FILTER_NAMES_MANY};
    struct stats_collection collection = {0};

    of_xyz->list[7] = "third";
    of_xyz->list[8] = "runs"; /* which is another provider's */
    of_xyz->list[9] = "";
    of_all->list[3] = of_all->list[5] = "waits";
    of_all->list[4] = "third";
    paths->list[0] = paths->list[9] = "cpu/1";
    check_ok(filter_index(&request, &of_all->arena));
    assert_non_null(request.names);
    assert_int_equal(request.n_objects, FILTER_NAMES_MANY - 1);
    check_ok(stats_collect(&collection, vm->ctx, &request));
    assert_int_equal(collection.n_parts, 2);
    assert_int_equal(count_values(&collection), 2); /* of cpu/1: waits, third */
    assert_int_equal(stats_part_row(&collection.parts[0], 0)[1], 11);
    assert_int_equal(stats_part_row(&collection.parts[1], 0)[2], 112);
    filters[1].all_fields = true;
    filters[1].n_fields = 0;
    check_ok(filter_index(&request, &of_all->arena));
    check_ok(stats_collect(&collection, vm->ctx, &request));
    assert_int_equal(count_values(&collection), 2 + 3);
    stats_collection_free(&collection);
    free_names(of_xyz);
    free_names(of_all);
    free_names(paths);
}

static void few_names_have_no_index(void **state)
{
    struct names *names = new_names();
    struct stats_filter filter = {.fields = names->list, .n_fields = FILTER_NAMES_MANY - 2};
    struct stats_request request = {.filters = &filter,
                                    .n_filters = 1,
                                    .objects = names->list,
                                    .n_objects = FILTER_NAMES_MANY - 1};

    (void)state;
    check_ok(filter_index(&request, &names->arena));
    assert_null(request.names);
    assert_null(request.object_names);
    filter.n_fields++; /* a filter counts as a name, too */
    request.n_objects++;
    check_ok(filter_index(&request, &names->arena));
    assert_non_null(request.names);
    assert_non_null(request.object_names);
    free_names(names);
}

/* Of CPU: the least of a few tries. */
static double seconds_of_a_query(struct vitals_ctx *ctx, struct names *names, bool with_index)
{
    struct stats_filter filter = {.fields = names->list, .n_fields = NAMES};
    struct stats_request request = {
        .target = "block", .filters = &filter, .n_filters = 1, .all_objects = true, .since_ns = 1};
    const struct thread_hook hook = {0};
    struct stats_collection collection = {0};
    struct timespec start, end;
    double least = 1e9, seconds;

    for (int i = 0; i < 5; i++) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
        if (with_index)
            check_ok(filter_index(&request, &names->arena));
        assert_true(stats_is_ready(ctx, &request, &hook));
        check_ok(stats_collect(&collection, ctx, &request));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
        least = seconds < least ? seconds : least;
        assert_int_equal(collection.n_parts, 0);
        arena_reset(&names->arena);
    }
    stats_collection_free(&collection);
    return least;
}

/* To a VM with so many groups, whose schemas are one or all different, relative to one with one group. */
static double cost_of_groups(bool alike, bool with_index)
{
    struct vitals_ctx *one = new_ctx(), *many = new_ctx();
    struct fake *fakes = calloc(GROUPS, sizeof(*fakes));
    char(*stats)[NAME_SIZE] = calloc(GROUPS, NAME_SIZE);
    struct names *names = new_names();
    double ratio;

    for (int i = 0; i < GROUPS; i++) {
        snprintf(stats[i], NAME_SIZE, "reads-%d", alike ? 0 : i);
        fakes[i] = (struct fake){.provider = "disk",
                                 .target = "block",
                                 .names = {stats[i], "no-more"},
                                 .flags = VITALS_GROUP_MAY_BLOCK};
        check_ok(fake_register(many, &fakes[i], NULL));
    }
    check_ok(fake_register(one, &fakes[0], NULL));
    ratio =
        seconds_of_a_query(many, names, with_index) / seconds_of_a_query(one, names, with_index);
    free_names(names);
    check_ok(vitals_ctx_free(many));
    check_ok(vitals_ctx_free(one));
    free(stats);
    free(fakes);
    return ratio;
}

/* Also where it turns out that nothing of a schema is wanted. */
static void names_are_looked_for_once_in_groups_that_are_alike(void **state)
{
    double cost = cost_of_groups(true, false);

    (void)state;
    assert_true(IS_SANITIZED || cost < (double)GROUPS / 8);
}

static void many_names_cost_no_more_where_schemas_are_many(void **state)
{
    double cost = cost_of_groups(false, true);

    (void)state;
    assert_true(IS_SANITIZED || cost < (double)GROUPS / 8);
}

#define WITH_VM(test) cmocka_unit_test_setup_teardown(test, make_vm, free_vm)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_VM(without_filters_everything_is_returned),
        WITH_VM(a_target_that_nobody_has_is_empty),
        WITH_VM(an_empty_list_of_filters_selects_nothing),
        WITH_VM(an_empty_list_of_fields_selects_nothing),
        WITH_VM(a_filter_without_members_selects_all),
        WITH_VM(a_filter_can_name_a_provider),
        WITH_VM(a_filter_can_name_fields_of_any_provider),
        WITH_VM(fields_belong_to_the_provider_of_their_filter),
        WITH_VM(what_any_filter_selects_is_returned_once),
        WITH_VM(repeated_fields_are_returned_once),
        WITH_VM(statistics_come_in_the_order_of_the_schema),
        WITH_VM(unknown_names_select_nothing),
        WITH_VM(named_objects_are_returned),
        WITH_VM(repeated_objects_are_returned_once),
        WITH_VM(unknown_objects_select_nothing),
        WITH_VM(an_empty_list_of_objects_selects_nothing),
        cmocka_unit_test(objects_come_in_the_order_in_which_they_were_named_first),
        WITH_VM(the_provider_sees_which_statistics_are_wanted),
        WITH_VM(statistics_past_the_last_are_never_wanted),
        WITH_VM(the_provider_sees_that_all_objects_are_wanted),
        WITH_VM(the_provider_sees_each_wanted_object_once),
        WITH_VM(a_provider_that_is_not_wanted_is_not_called),
        cmocka_unit_test(a_row_is_zeroed_before_it_is_filled),
        WITH_VM(an_object_has_one_row),
        WITH_VM(several_rows_may_be_filled_at_a_time),
        WITH_VM(wrong_paths_get_no_row_and_are_logged_once),
        WITH_VM(the_vm_has_no_path),
        WITH_VM(a_row_that_fails_drops_only_its_object),
        WITH_VM(an_object_of_which_nothing_is_left_is_left_out),
        WITH_VM(a_failure_without_a_row_harms_no_other_object),
        WITH_VM(a_group_that_fails_drops_only_itself),
        WITH_VM(a_failure_is_logged_once),
        WITH_VM(errors_that_have_no_name_are_logged_once),
        WITH_VM(a_failure_that_ends_is_forgotten),
        WITH_VM(a_collection_serves_different_queries_in_turn),
        cmocka_unit_test(a_collection_outlives_the_groups_it_was_made_from),
        cmocka_unit_test(many_objects_are_found_by_their_path),
        cmocka_unit_test(rows_that_have_no_room_come_later),
        cmocka_unit_test(rows_come_together_in_whatever_order_they_are_given),
        cmocka_unit_test(rows_never_take_more_than_they_may),
        cmocka_unit_test(wanted_objects_come_later_too),
        cmocka_unit_test(an_answer_ends_whatever_is_new_meanwhile),
        WITH_VM(many_names_select_what_few_do),
        cmocka_unit_test(few_names_have_no_index),
        cmocka_unit_test(names_are_looked_for_once_in_groups_that_are_alike),
        cmocka_unit_test(many_names_cost_no_more_where_schemas_are_many),
    };

    return cmocka_run_group_tests_name("collecting", tests, NULL, NULL);
}
