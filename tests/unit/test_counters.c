/* SPDX-License-Identifier: MIT */
/* Counters and histograms that the library owns. */
#include "ask.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "fake.h"
#include "stats/registry.h"
#include "vitals/vitals.h"

static struct vitals_counters *new_counters(struct vitals_ctx *ctx, const char *target)
{
    struct vitals_counters *counters;

    check_ok(vitals_counters_new(ctx, "own", target, &counters));
    return counters;
}

static struct vitals_counter *new_counter(struct vitals_counters *counters, const char *object,
                                          const char *name)
{
    struct vitals_counter *counter = NULL;

    check_ok(vitals_counter_new(counters, object, name, NULL, &counter));
    assert_non_null(counter);
    return counter;
}

static void end(struct vitals_counters *counters, struct vitals_ctx *ctx)
{
    check_ok(vitals_counters_free(counters));
    check_ok(vitals_ctx_free(ctx));
}

/* ---- numbers -------------------------------------------------------------------------------- */

static void a_counter_counts(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_counters *counters = new_counters(ctx, "vm");
    struct vitals_counter *a, *b;

    (void)state;
    assert_answer(ctx, "", .target = "vm");
    a = new_counter(counters, NULL, "a");
    assert_answer(ctx, "vm own:a=0", .target = "vm");
    b = new_counter(counters, NULL, "b");
    vitals_counter_add(a, 3);
    vitals_counter_add(a, 4);
    vitals_counter_add(b, UINT64_MAX);
    assert_answer(ctx, "vm own:a=7,b=18446744073709551615", .target = "vm");
    vitals_counter_add(b, 2);
    assert_answer(ctx, "vm own:b=1", .target = "vm", .filters = FILTERS({"own", LIST("b")}));
    end(counters, ctx);
}

static void an_instant_goes_down(void **state)
{
    const struct vitals_stat stat = {
        .name = "open", .type = VITALS_INSTANT, .unit = VITALS_BYTES, .base = 2, .exponent = 10};
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_counters *counters = new_counters(ctx, "vm");
    struct vitals_counter *open = NULL;

    (void)state;
    check_ok(vitals_counter_new_as(counters, NULL, &stat, sizeof(stat), &open));
    vitals_counter_add(open, 5);
    vitals_counter_add(open, (uint64_t)-2);
    assert_answer(ctx, "vm own:open=3", .target = "vm");
    end(counters, ctx);
}

static void null_counts_nothing(void **state)
{
    const struct vitals_stat stat = {.name = "h", .type = VITALS_LOG_HIST, .count = 2};
    struct vitals_histogram *histogram = NULL;
    struct vitals_counter *counter = NULL;

    (void)state;
    check_error(vitals_object_add(vitals_counters_group(NULL), "vda", 1), EINVAL);
    check_error(vitals_object_remove(vitals_counters_group(NULL), "vda"), EINVAL);
    vitals_counter_add(NULL, 1);
    vitals_histogram_observe(NULL, 1);
    check_error(vitals_counter_new(NULL, NULL, "a", NULL, &counter), EINVAL);
    check_error(vitals_histogram_new(NULL, NULL, &stat, sizeof(stat), &histogram), EINVAL);
    check_error(vitals_counters_remove(NULL, NULL), EINVAL);
    assert_null(vitals_counters_group(NULL));
    check_ok(vitals_counters_free(NULL));
}

/* More than one line of a cache, with other statistics in between. */
static void many_counters_keep_apart(void **state)
{
    enum { N = 50 };
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_counters *counters = new_counters(ctx, "vm");
    struct vitals_counter *all[N];
    char name[N][8];
    size_t i;

    (void)state;
    for (i = 0; i < N; i++) {
        snprintf(name[i], sizeof(name[i]), "s%zu", i);
        all[i] = new_counter(counters, NULL, name[i]);
    }
    for (i = 0; i < N; i++)
        vitals_counter_add(all[i], 100 + i);
    assert_answer(ctx, "vm own:s0=100,s7=107,s8=108,s49=149", .target = "vm",
                  .filters = FILTERS({"own", LIST("s0", "s7", "s8", "s49")}));
    end(counters, ctx);
}

/* ---- histograms ----------------------------------------------------------------------------- */

static void a_histogram_counts_in_buckets(void **state)
{
    const struct vitals_stat log = {
        .name = "log", .type = VITALS_LOG_HIST, .unit = VITALS_SECONDS, .exponent = -9, .count = 4};
    const struct vitals_stat linear = {
        .name = "linear", .type = VITALS_LINEAR_HIST, .count = 3, .bucket_size = 10};
    static const uint64_t values[] = {0, 1, 2, 3, 4, 9, 10, 19, 20, 21, UINT64_MAX};
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_counters *counters = new_counters(ctx, "vm");
    struct vitals_histogram *of_log = NULL, *of_linear = NULL;
    size_t i;

    (void)state;
    check_ok(vitals_histogram_new(counters, NULL, &log, sizeof(log), &of_log));
    check_ok(vitals_histogram_new(counters, NULL, &linear, sizeof(linear), &of_linear));
    for (i = 0; i < N_ELEMENTS(values); i++) {
        vitals_histogram_observe(of_log, values[i]);
        vitals_histogram_observe(of_linear, values[i]);
    }
    assert_answer(ctx, "vm own:log=[1 1 2 7],linear=[6 2 3]", .target = "vm");
    end(counters, ctx);
}

/* ---- objects -------------------------------------------------------------------------------- */

static void each_object_has_its_own(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_counters *counters = new_counters(ctx, "vcpu");
    struct vitals_counter *a0 = new_counter(counters, "cpu/0", "a");
    struct vitals_counter *a1 = new_counter(counters, "cpu/1", "a");
    struct vitals_counter *b1 = new_counter(counters, "cpu/1", "b");

    (void)state;
    vitals_counter_add(a0, 1);
    vitals_counter_add(a1, 2);
    vitals_counter_add(b1, 3);
    assert_answer(ctx, "cpu/0 own:a=1,b=0; cpu/1 own:a=2,b=3", .target = "vcpu");
    assert_answer(ctx, "cpu/1 own:a=2,b=3", .target = "vcpu", .objects = LIST("cpu/1"));
    check_ok(vitals_object_add(vitals_counters_group(counters), "cpu/0", 7));
    check_ok(vitals_counters_remove(counters, "cpu/0"));
    check_error(vitals_counters_remove(counters, "cpu/0"), ENOENT);
    vitals_counter_add(a1, 2);
    assert_answer(ctx, "cpu/1 own:a=4,b=3", .target = "vcpu");
    vitals_counter_add(new_counter(counters, "cpu/0", "b"), 9);
    assert_answer(ctx, "cpu/1 own:a=4,b=3; cpu/0 own:a=0,b=9", .target = "vcpu");
    end(counters, ctx);
}

/* ---- what is refused ------------------------------------------------------------------------ */

struct refused {
    const char *object;
    struct vitals_stat stat;
    int err;
    const char *text;
};

static const struct refused counters_refused[] = {
    {NULL, {.name = "a"}, EEXIST, "'a'"},
    {NULL, {.name = "a", .unit = VITALS_BYTES}, EEXIST, "another description"},
    {"object", {.name = "b"}, EINVAL, "NULL"},
    {NULL, {.name = "B"}, EINVAL, "'B'"},
    {NULL, {.name = NULL}, EINVAL, "name"},
    {NULL, {.name = "b", .slot = 1}, EINVAL, "slot"},
    {NULL, {.name = "b", .count = 2}, EINVAL, "count"},
    {NULL, {.name = "b", .base = 3}, EINVAL, "base"},
    {NULL, {.name = "b", .type = VITALS_PEAK}, EINVAL, "type"},
    {NULL, {.name = "b", .type = VITALS_LOG_HIST, .count = 2}, EINVAL, "type"},
};
static const struct refused histograms_refused[] = {
    {NULL, {.name = "b", .type = VITALS_CUMULATIVE, .count = 1}, EINVAL, "type"},
    {NULL, {.name = "b", .type = VITALS_LOG_HIST}, EINVAL, "count"},
    {NULL, {.name = "b", .type = VITALS_LINEAR_HIST, .count = 2}, EINVAL, "bucket_size"},
    {NULL, {.name = "a", .type = VITALS_LOG_HIST, .count = 2}, EEXIST, "another description"},
};

static void check_refused(struct vitals_ctx *ctx, const struct refused *refused, int result)
{
    char text[200];

    vitals_error_text(ctx, text, sizeof(text));
    if (result != -refused->err)
        fail_msg("%s: %d, expected %d", refused->text, result, -refused->err);
    assert_contains(text, refused->text);
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_counters *counters = new_counters(ctx, "vm"), *other = NULL;
    struct vitals_histogram *histogram = NULL;
    struct vitals_counter *counter = NULL;
    size_t i;

    (void)state;
    new_counter(counters, NULL, "a");
    for (i = 0; i < N_ELEMENTS(counters_refused); i++) {
        const struct refused *refused = &counters_refused[i];

        check_refused(ctx, refused,
                      vitals_counter_new_as(counters, refused->object, &refused->stat,
                                            sizeof(refused->stat), &counter));
    }
    for (i = 0; i < N_ELEMENTS(histograms_refused); i++) {
        const struct refused *refused = &histograms_refused[i];

        check_refused(ctx, refused,
                      vitals_histogram_new(counters, refused->object, &refused->stat,
                                           sizeof(refused->stat), &histogram));
    }
    assert_null(counter);
    assert_null(histogram);
    assert_answer(ctx, "vm own:a=0", .target = "vm");
    check_error(vitals_counters_new(ctx, "own", "vm", &other), EEXIST);
    check_error(vitals_counters_new(ctx, "Own", "vm", &other), EINVAL);
    check_error(vitals_ctx_free(ctx), EBUSY);
    end(counters, ctx);
}

static void a_stat_of_another_release_is_taken_as_ever(void **state)
{
    struct {
        struct vitals_stat stat;
        uint64_t grown;
    } newer = {.stat = {.name = "a"}};
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_counters *counters = new_counters(ctx, "vm");
    struct vitals_counter *counter = NULL;

    (void)state;
    newer.grown = 1;
    check_error(vitals_counter_new_as(counters, NULL, &newer.stat, sizeof(newer), &counter), E2BIG);
    newer.grown = 0;
    check_ok(vitals_counter_new_as(counters, NULL, &newer.stat, sizeof(newer), &counter));
    check_error(vitals_counter_new_as(counters, NULL, &newer.stat, 8, &counter), EINVAL);
    end(counters, ctx);
}

static void a_group_has_as_many_statistics_as_any(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct vitals_counters *counters = new_counters(ctx, "vm");
    struct vitals_counter *counter = NULL;
    char name[16];
    int i;

    (void)state;
    for (i = 0; i < VITALS_STATS_MAX; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        check_ok(vitals_counter_new(counters, NULL, name, NULL, &counter));
    }
    check_error(vitals_counter_new(counters, NULL, "one_more", NULL, &counter), E2BIG);
    end(counters, ctx);
}

/* ---- threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, ADDITIONS = 20000 };

struct crowd {
    struct vitals_counters *counters;
    struct vitals_counter *shared;
    struct vitals_histogram *histogram;
    atomic_uint next;
    atomic_bool done;
};

/* Each has an object of its own besides, which comes and goes. */
static void *count(void *opaque)
{
    struct crowd *crowd = opaque;
    struct vitals_counter *own = NULL;
    char path[16];
    int i;

    snprintf(path, sizeof(path), "cpu/%u", 1 + crowd->next++);
    for (i = 0; i < ADDITIONS; i++) {
        if (i % 1000 == 0) {
            if (own)
                check_ok(vitals_counters_remove(crowd->counters, path));
            own = new_counter(crowd->counters, path, i % 2000 ? "own" : "other");
        }
        vitals_counter_add(own, 1);
        vitals_counter_add(crowd->shared, 1);
        vitals_histogram_observe(crowd->histogram, (uint64_t)i % 4);
    }
    return NULL;
}

static void *ask_again_and_again(void *opaque)
{
    struct crowd *crowd = opaque;

    while (!crowd->done)
        free(ask_all(vitals_counters_group(crowd->counters)->ctx, "vcpu"));
    return NULL;
}

static void threads_count_together_while_queries_run(void **state)
{
    const struct vitals_stat stat = {.name = "h", .type = VITALS_LOG_HIST, .count = 3};
    struct vitals_ctx *ctx = new_ctx();
    struct crowd crowd = {.counters = new_counters(ctx, "vcpu")};
    pthread_t threads[THREADS], asker;
    int i;

    (void)state;
    crowd.shared = new_counter(crowd.counters, "cpu/0", "shared");
    check_ok(vitals_histogram_new(crowd.counters, "cpu/0", &stat, sizeof(stat), &crowd.histogram));
    assert_int_equal(pthread_create(&asker, NULL, ask_again_and_again, &crowd), 0);
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, &crowd), 0);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    crowd.done = true;
    pthread_join(asker, NULL);
    assert_answer(ctx, "cpu/0 own:shared=80000,h=[20000 20000 40000]", .target = "vcpu",
                  .objects = LIST("cpu/0"), .filters = FILTERS({"own", LIST("shared", "h")}));
    end(crowd.counters, ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_counts),
        cmocka_unit_test(an_instant_goes_down),
        cmocka_unit_test(null_counts_nothing),
        cmocka_unit_test(many_counters_keep_apart),
        cmocka_unit_test(a_histogram_counts_in_buckets),
        cmocka_unit_test(each_object_has_its_own),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_stat_of_another_release_is_taken_as_ever),
        cmocka_unit_test(a_group_has_as_many_statistics_as_any),
        cmocka_unit_test(threads_count_together_while_queries_run),
    };

    return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
