/* SPDX-License-Identifier: MIT */
/* Objects of a context: numbers that stay, threads, several providers, limits. */
#include "stats/objects.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "fake.h"
#include "stats/registry.h"

/* ---- helpers -------------------------------------------------------------------------------- */

/* Two providers of a context. */
struct machine {
    struct vitals_ctx *ctx;
    struct fake fakes[2];
    struct vitals_group *sched, *xyz;
};

static int make_machine(void **state)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    machine->ctx = new_ctx();
    machine->fakes[0] = (struct fake){.provider = "sched", .target = "vcpu", .names = {"runs"}};
    machine->fakes[1] = (struct fake){.provider = "xyz", .target = "vcpu", .names = {"other"}};
    check_ok(fake_register(machine->ctx, &machine->fakes[0], &machine->sched));
    check_ok(fake_register(machine->ctx, &machine->fakes[1], &machine->xyz));
    *state = machine;
    return 0;
}

static int free_machine(void **state)
{
    struct machine *machine = *state;

    check_ok(vitals_ctx_free(machine->ctx));
    free(machine);
    return 0;
}

/* "/b=2:100 /a=7": path, number, and the thread if it is known; by number. */
static void check_objects(struct machine *machine, const char *expected, int line)
{
    struct object_list list = {0};
    char text[400] = "", *end = text;
    size_t i;

    check_ok(objects_list(&machine->ctx->objects, "vcpu", &list));
    for (i = 0; i < list.n; i++) {
        end += sprintf(end, "%s%s=%lld", i ? " " : "", list.objects[i].path,
                       (long long)list.objects[i].number);
        if (list.objects[i].thread != -1)
            end += sprintf(end, ":%lld", (long long)list.objects[i].thread);
    }
    object_list_free(&list);
    _assert_string_equal(text, expected, __FILE__, line);
}
#define assert_objects(machine, expected) check_objects((machine), (expected), __LINE__)

static void assert_error_text(struct machine *machine, const char *part)
{
    char text[400];

    vitals_error_text(machine->ctx, text, sizeof(text));
    assert_contains(text, part);
}

static int add(struct vitals_group *group, const char *path)
{
    return vitals_object_add(group, path, VITALS_NUMBER_ANY);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static void numbers_begin_with_0(void **state)
{
    struct machine *machine = *state;

    assert_objects(machine, "");
    check_ok(add(machine->sched, "/c"));
    check_ok(add(machine->sched, "/a"));
    check_ok(add(machine->sched, "/b"));
    assert_objects(machine, "/c=0 /a=1 /b=2");
}

static void numbers_may_have_gaps(void **state)
{
    struct machine *machine = *state;

    check_ok(vitals_object_add(machine->sched, "/a", 7));
    check_ok(vitals_object_add(machine->sched, "/b", 2));
    check_ok(vitals_object_add(machine->sched, "/c", VITALS_NUMBER_MAX));
    assert_objects(machine, "/b=2 /a=7 /c=2147483647");
}

/* A gap may be of one who comes later and knows its number. */
static void the_next_number_is_above_all_others(void **state)
{
    struct machine *machine = *state;

    check_ok(vitals_object_add(machine->sched, "/a", 5));
    check_ok(add(machine->sched, "/b"));
    check_ok(vitals_object_add(machine->sched, "/c", 2));
    check_ok(add(machine->sched, "/d"));
    assert_objects(machine, "/c=2 /a=5 /b=6 /d=7");
}

static void a_number_is_no_position(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    check_ok(add(machine->sched, "/b"));
    check_ok(vitals_object_remove(machine->sched, "/a"));
    assert_objects(machine, "/b=1");
    check_ok(add(machine->sched, "/c"));
    assert_objects(machine, "/b=1 /c=2");
}

static void who_returns_has_its_number_again(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    check_ok(vitals_object_add(machine->sched, "/b", 9));
    check_ok(vitals_object_remove(machine->sched, "/a"));
    check_ok(vitals_object_remove(machine->sched, "/b"));
    assert_objects(machine, "");
    check_ok(add(machine->sched, "/c"));
    check_ok(add(machine->xyz, "/b"));
    check_ok(add(machine->sched, "/a"));
    assert_objects(machine, "/a=0 /b=9 /c=10");
}

static void the_number_of_another_can_not_be_had(void **state)
{
    struct machine *machine = *state;

    check_ok(vitals_object_add(machine->sched, "/a", 3));
    check_error(vitals_object_add(machine->sched, "/b", 3), EEXIST);
    assert_error_text(machine, "'/b' can't have number 3: it is that of '/a'");
    check_error(vitals_object_add(machine->xyz, "/b", 3), EEXIST);
    assert_objects(machine, "/a=3");
}

/* Nor when it is gone: it was given to it alone. */
static void a_number_that_was_given_stays_with_its_path(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    check_ok(vitals_object_remove(machine->sched, "/a"));
    check_error(vitals_object_add(machine->sched, "/b", 0), EEXIST);
    assert_error_text(machine, "'/a'");
    check_ok(vitals_object_add(machine->sched, "/a", 0));
    assert_objects(machine, "/a=0");
}

/* As of a KVM's vCPU that was parked and comes back under another name. */
static void a_number_that_was_asked_for_follows_who_asks(void **state)
{
    struct machine *machine = *state;

    check_ok(vitals_object_add(machine->sched, "/old", 4));
    check_ok(vitals_object_remove(machine->sched, "/old"));
    check_ok(vitals_object_add(machine->sched, "/new", 4));
    assert_objects(machine, "/new=4");
    check_error(vitals_object_add(machine->sched, "/old", 4), EEXIST);
    check_ok(add(machine->sched, "/old"));
    assert_objects(machine, "/new=4 /old=5");
}

static void who_returns_may_ask_for_another_number(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    check_ok(vitals_object_remove(machine->sched, "/a"));
    check_ok(vitals_object_add(machine->sched, "/a", 8));
    check_ok(add(machine->sched, "/b"));
    assert_objects(machine, "/a=8 /b=9");
}

static void a_number_is_from_0_to_its_limit(void **state)
{
    struct machine *machine = *state;

    check_error(vitals_object_add(machine->sched, "/a", -2), EINVAL);
    check_error(vitals_object_add(machine->sched, "/a", (int64_t)VITALS_NUMBER_MAX + 1), EINVAL);
    assert_error_text(machine, "number 2147483648 must be 0 to 2147483647");
    check_ok(vitals_object_add(machine->sched, "/a", VITALS_NUMBER_MAX));
    check_ok(add(machine->sched, "/b"));
    assert_objects(machine, "/a=2147483647 /b=2147483648");
}

static void each_target_counts_for_itself(void **state)
{
    struct machine *machine = *state;
    struct fake disk = {.provider = "disk", .target = "block", .names = {"reads"}};
    struct vitals_group *block;

    check_ok(fake_register(machine->ctx, &disk, &block));
    check_ok(add(machine->sched, "/a"));
    check_ok(add(block, "/disk"));
    check_ok(add(block, "/a"));
    check_error(vitals_object_remove(machine->sched, "/disk"), ENOENT);
    assert_objects(machine, "/a=0");
    check_ok(vitals_object_set_thread(machine->ctx, "block", "/a", 5));
    assert_int_equal(objects_thread(&machine->ctx->objects, "block", "/a"), 5);
    assert_objects(machine, "/a=0");
    check_ok(vitals_unregister(block));
}

static void two_contexts_share_nothing(void **state)
{
    struct machine *machine = *state;
    void *other_state;
    struct machine *other;

    make_machine(&other_state);
    other = other_state;
    check_ok(add(machine->sched, "/a"));
    check_ok(add(other->sched, "/b"));
    assert_objects(machine, "/a=0");
    assert_objects(other, "/b=0");
    free_machine(&other_state);
}

/* ---- several providers ---------------------------------------------------------------------- */

static void an_object_of_two_providers_is_one(void **state)
{
    struct machine *machine = *state;

    check_ok(vitals_object_add(machine->sched, "/a", 3));
    check_ok(add(machine->xyz, "/a"));
    assert_objects(machine, "/a=3");
    check_ok(vitals_object_remove(machine->sched, "/a"));
    assert_objects(machine, "/a=3");
    check_ok(vitals_object_remove(machine->xyz, "/a"));
    assert_objects(machine, "");
}

static void all_providers_say_the_same_number(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    check_error(vitals_object_add(machine->xyz, "/a", 1), EEXIST);
    assert_error_text(machine, "'/a' can't have number 1: it has 0");
    check_ok(vitals_object_add(machine->xyz, "/a", 0));
    assert_objects(machine, "/a=0");
}

static void a_provider_removes_what_it_has(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    check_error(add(machine->sched, "/a"), EEXIST);
    assert_error_text(machine, "'/a' of target 'vcpu' was added already");
    check_error(vitals_object_remove(machine->xyz, "/a"), ENOENT);
    check_error(vitals_object_remove(machine->sched, "/b"), ENOENT);
    assert_error_text(machine, "'/b' of target 'vcpu' was not added");
    assert_objects(machine, "/a=0");
    check_ok(vitals_object_remove(machine->sched, "/a"));
    check_error(vitals_object_remove(machine->sched, "/a"), ENOENT);
}

static void a_provider_that_goes_takes_its_objects_along(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    check_ok(add(machine->xyz, "/b"));
    check_ok(add(machine->xyz, "/c"));
    check_ok(add(machine->sched, "/c"));
    check_ok(vitals_unregister(machine->xyz));
    assert_objects(machine, "/a=0 /c=2");
    check_ok(fake_register(machine->ctx, &machine->fakes[1], &machine->xyz));
    check_ok(add(machine->xyz, "/b"));
    assert_objects(machine, "/a=0 /b=1 /c=2");
}

static void the_vm_itself_is_none(void **state)
{
    struct machine *machine = *state;
    struct fake mem = {.provider = "mem", .target = "vm", .names = {"used"}};
    struct vitals_group *vm;

    check_ok(fake_register(machine->ctx, &mem, &vm));
    check_error(add(vm, "/a"), EINVAL);
    check_ok(vitals_unregister(vm));
}

static void a_path_has_1_to_1023_bytes(void **state)
{
    struct machine *machine = *state;
    char path[VITALS_OBJECT_MAX + 2];

    memset(path, 'p', sizeof(path));
    path[VITALS_OBJECT_MAX + 1] = '\0';
    check_error(add(machine->sched, path), EINVAL);
    check_error(add(machine->sched, ""), EINVAL);
    assert_error_text(machine, "1 to 1023 bytes");
    path[VITALS_OBJECT_MAX] = '\0';
    check_ok(add(machine->sched, path));
    check_ok(vitals_object_remove(machine->sched, path));
}

/* ---- threads -------------------------------------------------------------------------------- */

static void the_thread_can_be_told(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    assert_int_equal(objects_thread(&machine->ctx->objects, "vcpu", "/a"), -1);
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 100));
    assert_objects(machine, "/a=0:100");
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 200));
    assert_objects(machine, "/a=0:200");
    assert_int_equal(objects_thread(&machine->ctx->objects, "vcpu", "/a"), 200);
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "/a", -1));
    assert_objects(machine, "/a=0");
}

static void a_thread_is_told_of_what_there_is(void **state)
{
    struct machine *machine = *state;

    check_error(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 1), ENOENT);
    check_ok(add(machine->sched, "/a"));
    check_error(vitals_object_set_thread(machine->ctx, "vcpu", "/b", 1), ENOENT);
    assert_error_text(machine, "target 'vcpu' has no '/b'");
    check_error(vitals_object_set_thread(machine->ctx, "block", "/a", 1), ENOENT);
    check_error(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 0), EINVAL);
    check_error(vitals_object_set_thread(machine->ctx, "vcpu", "/a", -2), EINVAL);
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 1));
}

static void a_thread_goes_with_its_object(void **state)
{
    struct machine *machine = *state;

    check_ok(add(machine->sched, "/a"));
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 100));
    check_ok(vitals_object_remove(machine->sched, "/a"));
    assert_int_equal(objects_thread(&machine->ctx->objects, "vcpu", "/a"), -1);
    check_error(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 200), ENOENT);
    check_ok(add(machine->sched, "/a"));
    assert_objects(machine, "/a=0");
}

static void another_provider_leaves_the_thread_as_it_was_told(void **state)
{
    struct machine *machine = *state;
    const struct object_claim claim = {
        .owner = machine, .target = "vcpu", .path = "/a", .number = 0, .thread = 5};
    struct error_text error;

    check_ok(add(machine->sched, "/a"));
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 100));
    check_ok(objects_add(&machine->ctx->objects, &claim, &error));
    assert_objects(machine, "/a=0:100");
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void a_list_is_brought_up_to_date(void **state)
{
    struct machine *machine = *state;
    struct objects *objects = &machine->ctx->objects;
    struct object_list list = {0};
    const char *path;

    check_ok(objects_list(objects, "vcpu", &list));
    assert_int_equal(list.n, 0);
    check_ok(add(machine->sched, "/a"));
    check_ok(objects_list(objects, "vcpu", &list));
    assert_int_equal(list.n, 1);
    path = list.objects[0].path;
    check_ok(objects_list(objects, "vcpu", &list));
    assert_ptr_equal(list.objects[0].path, path);
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "/a", 100));
    assert_int_equal(list.objects[0].thread, -1); /* it is of one moment */
    check_ok(objects_list(objects, "vcpu", &list));
    assert_int_equal(list.objects[0].thread, 100);
    check_ok(vitals_unregister(machine->sched));
    check_ok(objects_list(objects, "vcpu", &list));
    assert_int_equal(list.n, 0);
    check_ok(objects_list(objects, "block", &list));
    assert_int_equal(list.n, 0);
    object_list_free(&list);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void come_and_go(struct machine *machine, int first, int n)
{
    char path[32];
    int i;

    for (i = first; i < first + n; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        check_ok(add(machine->sched, path));
        check_ok(vitals_object_remove(machine->sched, path));
    }
}

static void so_many_that_are_gone_are_known(void **state)
{
    struct machine *machine = *state;

    come_and_go(machine, 0, OBJECTS_GONE_MAX);
    check_ok(add(machine->sched, "/0"));
    assert_objects(machine, "/0=0");
}

/* A number is not given again even then. */
static void the_one_that_is_gone_for_longest_is_forgotten(void **state)
{
    struct machine *machine = *state;

    come_and_go(machine, 0, OBJECTS_GONE_MAX + 1);
    check_ok(add(machine->sched, "/0"));
    check_ok(add(machine->sched, "/1"));
    assert_objects(machine, "/1=1 /0=1025");
    check_ok(vitals_object_add(machine->sched, "/other", 0));
    assert_objects(machine, "/other=0 /1=1 /0=1025");
}

static void a_provider_with_many_objects_goes(void **state)
{
    struct machine *machine = *state;
    char path[32];
    int i;

    for (i = 0; i < OBJECTS_GONE_MAX + 10; i++) {
        snprintf(path, sizeof(path), "/%04d", i);
        check_ok(add(machine->sched, path));
        if (i % 2)
            check_ok(add(machine->xyz, path));
    }
    check_ok(vitals_unregister(machine->sched));
    check_ok(vitals_unregister(machine->xyz));
    assert_objects(machine, "");
    check_ok(fake_register(machine->ctx, &machine->fakes[0], &machine->sched));
    check_ok(add(machine->sched, "/1033"));
    assert_objects(machine, "/1033=1033");
}

static void so_many_targets_have_objects(void **state)
{
    struct machine *machine = *state;
    struct objects *objects = &machine->ctx->objects;
    struct error_text error;
    char target[16];
    int i;

    for (i = 0; i <= OBJECT_TARGETS_MAX; i++) {
        const struct object_claim claim = {
            .owner = machine, .target = target, .path = "/a", .number = VITALS_NUMBER_ANY};

        snprintf(target, sizeof(target), "t%d", i);
        assert_int_equal(objects_add(objects, &claim, &error), i < OBJECT_TARGETS_MAX ? 0 : -E2BIG);
    }
    assert_contains(error.text, "target 't64' is one too many: 64 have objects");
    check_ok(objects_remove(objects, machine, "t0", "/a", &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_machine, free_machine)
        TEST(numbers_begin_with_0),
        TEST(numbers_may_have_gaps),
        TEST(the_next_number_is_above_all_others),
        TEST(a_number_is_no_position),
        TEST(who_returns_has_its_number_again),
        TEST(the_number_of_another_can_not_be_had),
        TEST(a_number_that_was_given_stays_with_its_path),
        TEST(a_number_that_was_asked_for_follows_who_asks),
        TEST(who_returns_may_ask_for_another_number),
        TEST(a_number_is_from_0_to_its_limit),
        TEST(each_target_counts_for_itself),
        TEST(two_contexts_share_nothing),
        TEST(an_object_of_two_providers_is_one),
        TEST(all_providers_say_the_same_number),
        TEST(a_provider_removes_what_it_has),
        TEST(a_provider_that_goes_takes_its_objects_along),
        TEST(the_vm_itself_is_none),
        TEST(a_path_has_1_to_1023_bytes),
        TEST(the_thread_can_be_told),
        TEST(a_thread_is_told_of_what_there_is),
        TEST(a_thread_goes_with_its_object),
        TEST(another_provider_leaves_the_thread_as_it_was_told),
        TEST(a_list_is_brought_up_to_date),
        TEST(so_many_that_are_gone_are_known),
        TEST(the_one_that_is_gone_for_longest_is_forgotten),
        TEST(a_provider_with_many_objects_goes),
        TEST(so_many_targets_have_objects),
#undef TEST
    };

    return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
