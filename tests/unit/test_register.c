/* SPDX-License-Identifier: MIT */
/*
 * Registering groups: what is refused and why, that everything is copied, and that release() is
 * called once on each way a group can go.
 */
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/sized.h"
#include "check.h"
#include "fake.h"
#include "vitals/counters.h"

#define NAME_63 "a23456789-123456789-123456789-123456789-123456789-123456789-123"

/* The text of the context's last error. */
static void assert_error_text(struct vitals_ctx *ctx, const char *expected)
{
    char text[256];

    vitals_error_text(ctx, text, sizeof(text));
    assert_string_equal(text, expected);
}

/* ---- names ---------------------------------------------------------------------------------- */

static const char *const good_names[] = {"a", "z9", "a-b_c", "halt_poll_success_hist", NAME_63};
static const char *const bad_names[] = {"",    "A",   "9a",  "-a",       "_a",    "a.b", "a b",
                                        "a/b", "aBc", "a\n", "\xc3\xa4", "a\xff", "a\"", "a'"};

typedef struct fake (*fake_named)(const char *name);

static struct fake provider_named(const char *name)
{
    return (struct fake){.provider = name, .target = "vm", .names = {"runs"}};
}

static struct fake target_named(const char *name)
{
    return (struct fake){.provider = "sched", .target = name, .names = {"runs"}};
}

static struct fake statistic_named(const char *name)
{
    return (struct fake){.provider = "sched", .target = "vm", .names = {name}};
}

static const fake_named kinds[] = {provider_named, target_named, statistic_named};

static void register_named(fake_named make, const char *name, int expected)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = make(name);

    assert_int_equal(fake_register(ctx, &fake, NULL), expected);
    assert_int_equal(fake.releases, expected ? 1 : 0);
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 1);
}

static void good_names_are_taken(void **state)
{
    size_t kind, i;

    (void)state;
    for (kind = 0; kind < N_ELEMENTS(kinds); kind++)
        for (i = 0; i < N_ELEMENTS(good_names); i++)
            register_named(kinds[kind], good_names[i], 0);
}

static void bad_names_are_refused(void **state)
{
    size_t kind, i;

    (void)state;
    for (kind = 0; kind < N_ELEMENTS(kinds); kind++)
        for (i = 0; i < N_ELEMENTS(bad_names); i++)
            register_named(kinds[kind], bad_names[i], -EINVAL);
}

static void a_missing_name_is_refused(void **state)
{
    (void)state;
    register_named(provider_named, NULL, -EINVAL);
    register_named(target_named, NULL, -EINVAL);
}

static void a_statistic_without_a_name_is_refused(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = statistic_named("runs");
    struct vitals_group_ops ops = fake_ops(&fake);
    const struct vitals_stat nameless = {.base = 10, .count = 1};

    (void)state;
    ops.stats = &nameless;
    check_error(vitals_register(ctx, &ops, NULL), EINVAL);
    assert_int_equal(fake.releases, 1);
    vitals_ctx_free(ctx);
}

static void a_name_of_64_bytes_is_past_a_limit(void **state)
{
    size_t kind;

    (void)state;
    for (kind = 0; kind < N_ELEMENTS(kinds); kind++)
        register_named(kinds[kind], NAME_63 "4", -E2BIG);
}

/* ---- the shape of a statistic --------------------------------------------------------------- */

#define COUNTER .name = "runs", .base = 10, .count = 1
#define LINEAR(width)                                                                              \
    .name = "waits", .type = VITALS_LINEAR_HIST, .base = 10, .bucket_size = (width)
#define LOG2 .name = "waits", .type = VITALS_LOG_HIST, .base = 10

struct shape {
    const char *what;
    int expected;
    uint32_t row_len;
    struct vitals_stat stat;
};

static const struct shape shapes[] = {
    {"a counter", 0, 1, {COUNTER}},
    {"an instant", 0, 1, {COUNTER, .type = VITALS_INSTANT}},
    {"a peak", 0, 1, {COUNTER, .type = VITALS_PEAK}},
    {"a type past the last", -EINVAL, 1, {COUNTER, .type = VITALS_LOG_HIST + 1}},
    {"the largest type", -EINVAL, 1, {COUNTER, .type = UINT8_MAX}},
    {"bytes", 0, 1, {COUNTER, .unit = VITALS_BYTES}},
    {"seconds", 0, 1, {COUNTER, .unit = VITALS_SECONDS, .exponent = -9}},
    {"cycles", 0, 1, {COUNTER, .unit = VITALS_CYCLES}},
    {"a boolean", 0, 1, {COUNTER, .unit = VITALS_BOOLEAN}},
    {"a unit past the last", -EINVAL, 1, {COUNTER, .unit = VITALS_BOOLEAN + 1}},
    {"the largest unit", -EINVAL, 1, {COUNTER, .unit = UINT8_MAX}},
    {"base 2", 0, 1, {.name = "runs", .base = 2, .count = 1}},
    {"base 0", -EINVAL, 1, {.name = "runs", .base = 0, .count = 1}},
    {"base 1", -EINVAL, 1, {.name = "runs", .base = 1, .count = 1}},
    {"base 3", -EINVAL, 1, {.name = "runs", .base = 3, .count = 1}},
    {"base 16", -EINVAL, 1, {.name = "runs", .base = 16, .count = 1}},
    {"the smallest exponent", 0, 1, {COUNTER, .exponent = INT16_MIN}},
    {"the largest exponent", 0, 1, {COUNTER, .exponent = INT16_MAX}},
    {"no elements", -EINVAL, 1, {.name = "runs", .base = 10, .count = 0}},
    {"a counter of two elements", -EINVAL, 2, {.name = "runs", .base = 10, .count = 2}},
    {"a counter with buckets' width", -EINVAL, 1, {COUNTER, .bucket_size = 1}},
    {"a linear histogram", 0, 4, {LINEAR(10), .count = 4}},
    {"a linear histogram without a width", -EINVAL, 4, {LINEAR(0), .count = 4}},
    {"a linear histogram without buckets", -EINVAL, 4, {LINEAR(10), .count = 0}},
    {"a linear histogram of one bucket", 0, 1, {LINEAR(UINT32_MAX), .count = 1}},
    {"a logarithmic histogram", 0, 32, {LOG2, .count = 32}},
    {"a logarithmic histogram with a width", -EINVAL, 32, {LOG2, .count = 32, .bucket_size = 1}},
    {"a histogram of all there may be", 0, UINT16_MAX, {LOG2, .count = UINT16_MAX}},
    {"a slice at the end of the row", 0, 8, {LOG2, .count = 3, .slot = 5}},
    {"a slice one past the end", -EINVAL, 8, {LOG2, .count = 3, .slot = 6}},
    {"a slice behind the row", -EINVAL, 8, {COUNTER, .slot = 8}},
    {"a slice that wraps around", -EINVAL, 8, {LOG2, .count = 3, .slot = UINT32_MAX - 1}},
    {"a slice in an empty row", -EINVAL, 0, {COUNTER}},
};

static void register_shape(const struct shape *shape)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = statistic_named("x");
    struct vitals_group_ops ops = fake_ops(&fake);
    int result;

    ops.stats = &shape->stat;
    ops.row_len = shape->row_len;
    result = vitals_register(ctx, &ops, NULL);
    if (result != shape->expected)
        fail_msg("%s: %d, expected %d", shape->what, result, shape->expected);
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 1);
}

static void a_statistic_must_have_a_shape_that_makes_sense(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(shapes); i++)
        register_shape(&shapes[i]);
}

/* ---- slices --------------------------------------------------------------------------------- */

struct overlap {
    const char *what;
    uint32_t slot, count; /* of a counter or histogram beside one of elements 4 to 7 */
    int expected;
};

static const struct overlap overlaps[] = {
    {"before it", 3, 1, 0},
    {"its first element", 4, 1, -EINVAL},
    {"a counter inside", 6, 1, -EINVAL},
    {"its last element", 7, 1, -EINVAL},
    {"behind it", 8, 1, 0},
    {"a histogram up to it", 1, 3, 0},
    {"a histogram with its first element", 2, 3, -EINVAL},
    {"a histogram around it", 3, 6, -EINVAL},
    {"the same elements", 4, 4, -EINVAL},
    {"a histogram from its last element on", 7, 4, -EINVAL},
};

static void no_two_statistics_have_an_element(void **state)
{
    char text[200];
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(overlaps); i++) {
        const struct overlap *overlap = &overlaps[i];
        const struct vitals_stat stats[] = {
            {.name = "first", .type = VITALS_LOG_HIST, .base = 10, .count = 4, .slot = 4},
            {.name = "second",
             .type = VITALS_LOG_HIST,
             .base = 10,
             .count = (uint16_t)overlap->count,
             .slot = overlap->slot},
        };
        struct vitals_ctx *ctx = new_ctx();
        struct fake fake = statistic_named("x");
        struct vitals_group_ops ops = fake_ops(&fake);
        int result;

        ops.stats = stats;
        ops.n_stats = 2;
        ops.row_len = 16;
        result = vitals_register(ctx, &ops, NULL);
        if (result != overlap->expected)
            fail_msg("%s: %d, expected %d", overlap->what, result, overlap->expected);
        vitals_error_text(ctx, text, sizeof(text));
        if (result)
            assert_non_null(strstr(text, "'second'"));
        vitals_ctx_free(ctx);
    }
}

/* ---- the group ------------------------------------------------------------------------------ */

/* Registers, and checks the result and that release() has been called, or has not. */
static void try_register(struct vitals_ctx *ctx, struct fake *fake, struct vitals_group_ops *ops,
                         int expected)
{
    struct vitals_group *group = NULL;

    assert_int_equal(vitals_register(ctx, ops, &group), expected);
    assert_int_equal(fake->releases, expected ? 1 : 0);
    if (expected)
        assert_null(group);
    else
        assert_non_null(group);
}

#define WITH_OPS(fake_, ops_)                                                                      \
    struct vitals_ctx *ctx = new_ctx();                                                            \
    struct fake fake_ = {.provider = "sched", .target = "vm", .names = {"runs", "waits"}};         \
    struct vitals_group_ops ops_ = fake_ops(&fake_);                                               \
    (void)state

static void a_group_needs_collect(void **state)
{
    WITH_OPS(fake, ops);

    ops.collect = NULL;
    try_register(ctx, &fake, &ops, -EINVAL);
    vitals_ctx_free(ctx);
}

static void a_group_needs_statistics(void **state)
{
    WITH_OPS(fake, ops);

    ops.n_stats = 0;
    try_register(ctx, &fake, &ops, -EINVAL);
    vitals_ctx_free(ctx);
}

static void statistics_that_are_null_are_refused(void **state)
{
    WITH_OPS(fake, ops);

    ops.stats = NULL;
    try_register(ctx, &fake, &ops, -EINVAL);
    vitals_ctx_free(ctx);
}

static void unknown_flags_are_refused(void **state)
{
    WITH_OPS(fake, ops);

    ops.flags = VITALS_GROUP_CONCURRENT | 1u << 31;
    try_register(ctx, &fake, &ops, -EINVAL);
    vitals_ctx_free(ctx);
}

static void statistics_of_a_shorter_struct_are_refused(void **state)
{
    WITH_OPS(fake, ops);

    ops.stat_size = sizeof(struct vitals_stat) - 1;
    try_register(ctx, &fake, &ops, -EINVAL);
    vitals_ctx_free(ctx);
}

/* Where the members of a shorter struct end is not known, so not even release() can be read. */
static void a_group_of_a_shorter_struct_is_refused_unread(void **state)
{
    size_t *ops = malloc(sizeof(size_t));
    struct vitals_ctx *ctx = new_ctx();
    char text[100];

    (void)state;
    *ops = sizeof(size_t);
    check_error(vitals_register(ctx, (void *)ops, NULL), EINVAL);
    vitals_error_text(ctx, text, sizeof(text));
    assert_contains(text, "size");
    free(ops);
    vitals_ctx_free(ctx);
}

static void two_statistics_of_one_name_are_refused(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = {.provider = "sched", .target = "vm", .names = {"runs", "waits", "runs"}};

    (void)state;
    check_error(fake_register(ctx, &fake, NULL), EEXIST);
    assert_int_equal(fake.releases, 1);
    vitals_ctx_free(ctx);
}

/* ---- limits --------------------------------------------------------------------------------- */

static struct vitals_stat *many_stats(uint32_t n)
{
    struct vitals_stat *stats = calloc(n, sizeof(*stats));
    uint32_t i;

    for (i = 0; i < n; i++) {
        char name[16];

        snprintf(name, sizeof(name), "s%u", i);
        stats[i] = (struct vitals_stat){.name = strdup(name), .base = 10, .count = 1, .slot = i};
    }
    return stats;
}

static void free_stats(struct vitals_stat *stats, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        free((char *)stats[i].name);
    free(stats);
}

static void register_many(uint32_t n, uint32_t row_len, int expected)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = statistic_named("x");
    struct vitals_group_ops ops = fake_ops(&fake);
    struct vitals_stat *stats = many_stats(n);

    ops.stats = stats;
    ops.n_stats = n;
    ops.row_len = row_len;
    assert_int_equal(vitals_register(ctx, &ops, NULL), expected);
    free_stats(stats, n);
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 1);
}

static void a_group_may_have_4096_statistics(void **state)
{
    (void)state;
    register_many(VITALS_STATS_MAX, VITALS_STATS_MAX, 0);
    register_many(VITALS_STATS_MAX + 1, VITALS_STATS_MAX + 1, -E2BIG);
}

static void a_row_may_have_65536_elements(void **state)
{
    (void)state;
    register_many(1, VITALS_ROW_MAX, 0);
    register_many(1, VITALS_ROW_MAX + 1, -E2BIG);
    register_many(1, UINT32_MAX, -E2BIG);
}

/* ---- clashes -------------------------------------------------------------------------------- */

static void two_providers_of_a_target_may_have_one_name(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake first = {
        .provider = "sched", .target = "vcpu", .names = {"runs", "exits"}, .objects = LIST("cpu")};
    struct fake second = {.provider = "xyz",
                          .target = "vcpu",
                          .names = {"somestat", "exits"},
                          .objects = LIST("cpu"),
                          .base = 5};

    (void)state;
    check_ok(fake_register(ctx, &first, NULL));
    check_ok(fake_register(ctx, &second, NULL));
    assert_answer(ctx, "cpu sched:exits=1 xyz:exits=6", .target = "vcpu",
                  .filters = FILTERS({NULL, LIST("exits")}));
    assert_answer(ctx, "cpu xyz:exits=6", .target = "vcpu",
                  .filters = FILTERS({"xyz", LIST("exits")}));
    vitals_ctx_free(ctx);
}

static void a_name_may_be_used_again_for_another_target(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake vm = {.provider = "sched", .target = "vm", .names = {"runs"}};
    struct fake vcpu = {.provider = "xyz", .target = "vcpu", .names = {"runs"}};

    (void)state;
    check_ok(fake_register(ctx, &vm, NULL));
    check_ok(fake_register(ctx, &vcpu, NULL));
    vitals_ctx_free(ctx);
}

static const char *const first_disk[] = {"disk/0", NULL};
static const char *const second_disk[] = {"disk/1", NULL};
static const char *const both_disks[] = {"disk/0", "disk/1", NULL};

static void a_provider_has_several_groups_for_a_target(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake first = {.provider = "drive", .target = "block", .names = {"reads", "writes"}};
    struct fake second = {
        .provider = "drive", .target = "block", .names = {"reads", "writes"}, .base = 100};
    struct fake other = {
        .provider = "drive", .target = "block", .names = {"reads", "flushes"}, .base = 200};
    struct vitals_group *group;

    (void)state;
    first.objects = first_disk;
    second.objects = second_disk;
    other.objects = LIST("disk/2");
    check_ok(fake_register(ctx, &first, &group));
    check_ok(fake_register(ctx, &second, NULL));
    check_ok(fake_register(ctx, &other, NULL));
    assert_answer(ctx,
                  "disk/0 drive:reads=0,writes=1; disk/1 drive:reads=100,writes=101; "
                  "disk/2 drive:reads=200,flushes=201",
                  .target = "block");
    check_ok(vitals_unregister(group));
    assert_answer(ctx, "disk/1 drive:reads=100,writes=101; disk/2 drive:reads=200,flushes=201",
                  .target = "block");
    check_ok(fake_register(ctx, &first, NULL));
    assert_answer(ctx, "disk/1 drive:reads=100; disk/2 drive:reads=200; disk/0 drive:reads=0",
                  .target = "block", .filters = FILTERS({NULL, LIST("reads")}));
    vitals_ctx_free(ctx);
}

static void equal_groups_have_one_schema(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = {.provider = "drive", .target = "block", .names = {"reads", "writes"}};
    struct fake other = {.provider = "drive", .target = "block", .names = {"writes", "reads"}};
    struct schema_list list;
    int i;

    (void)state;
    fake.objects = other.objects = first_disk;
    for (i = 0; i < 3; i++) {
        check_ok(fake_register(ctx, &fake, NULL));
        check_ok(fake_register(ctx, &other, NULL));
    }
    check_ok(registry_list_schemas(ctx, NULL, &list));
    assert_int_equal(list.n, 2);
    schema_list_free(&list);
    vitals_ctx_free(ctx);
}

/* The first group that has an object gives its row, whether the schemas are one or two. */
static void an_object_of_two_groups_comes_once(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake first = {.provider = "drive", .target = "block", .names = {"reads"}, .base = 100};
    struct fake same = {.provider = "drive", .target = "block", .names = {"reads"}};
    struct fake wider = {.provider = "drive", .target = "block", .names = {"reads", "writes"}};
    struct fake foreign = {.provider = "other", .target = "block", .names = {"reads"}};

    (void)state;
    first.objects = first_disk;
    same.objects = wider.objects = foreign.objects = both_disks;
    check_ok(fake_register(ctx, &first, NULL));
    check_ok(fake_register(ctx, &wider, NULL));
    check_ok(fake_register(ctx, &same, NULL));
    check_ok(fake_register(ctx, &foreign, NULL));
    assert_answer(ctx,
                  "disk/0 drive:reads=100 other:reads=0; "
                  "disk/1 drive:reads=10,writes=11 other:reads=10",
                  .target = "block");
    vitals_ctx_free(ctx);
}

static void a_group_that_fails_takes_no_other_along(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake first = {.provider = "drive", .target = "block", .names = {"reads"}, .base = 100};
    struct fake failing = {
        .provider = "drive", .target = "block", .names = {"reads"}, .result = -EIO};
    struct fake last = {.provider = "drive", .target = "block", .names = {"reads"}, .base = 200};

    (void)state;
    first.objects = first_disk;
    failing.objects = last.objects = both_disks;
    check_ok(fake_register(ctx, &first, NULL));
    check_ok(fake_register(ctx, &failing, NULL));
    check_ok(fake_register(ctx, &last, NULL));
    assert_answer(ctx, "disk/0 drive:reads=100; disk/1 drive:reads=210", .target = "block");
    first.result = -EIO;
    assert_answer(ctx, "disk/0 drive:reads=200; disk/1 drive:reads=210", .target = "block");
    last.result = -EIO;
    assert_answer(ctx, "", .target = "block");
    vitals_ctx_free(ctx);
}

/* As many as fit into a reply at a time: none is lost or twice where the rows are too many for one. */
static void many_groups_answer_in_parts(void **state)
{
    enum { N = 40 };
    struct stats_collection collection = {.rows_max = 3 * sizeof(uint64_t)};
    struct stats_request request = {.target = "block", .all_stats = true, .all_objects = true};
    struct vitals_ctx *ctx = new_ctx();
    struct fake fakes[N];
    const char *objects[N][2];
    char paths[N][16];
    size_t n = 0, i;

    (void)state;
    for (i = 0; i < N; i++) {
        snprintf(paths[i], sizeof(paths[i]), "disk/%zu", i);
        objects[i][0] = paths[i];
        objects[i][1] = NULL;
        fakes[i] = (struct fake){.provider = "drive", .target = "block", .names = {"reads"}};
        fakes[i].objects = objects[i];
        fakes[i].base = i;
        check_ok(fake_register(ctx, &fakes[i], NULL));
    }
    check_ok(stats_collect(&collection, ctx, &request));
    for (;; check_ok(stats_collect_more(&collection, ctx, &request))) {
        for (i = collection.first; i < collection.objects.count; i++, n++) {
            assert_int_equal(collection.n_parts, 1);
            assert_string_equal(collection.objects.paths[i], paths[n]);
            assert_int_equal(stats_part_row(&collection.parts[0], i)[0], n);
        }
        if (!collection.n_cut)
            break;
    }
    assert_int_equal(n, N);
    stats_collection_free(&collection);
    vitals_ctx_free(ctx);
}

static void a_statistic_is_described_in_one_way(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake first = {.provider = "drive", .target = "block", .names = {"reads"}};
    struct fake second = {.provider = "drive", .target = "block", .names = {"flushes", "reads"}};
    struct fake elsewhere = {.provider = "drive", .target = "net", .names = {"reads"}};
    struct vitals_group_ops ops;
    struct vitals_stat *stats;

    (void)state;
    check_ok(fake_register(ctx, &first, NULL));
    ops = fake_ops(&second);
    stats = (struct vitals_stat *)ops.stats;
    stats[1].unit = VITALS_BYTES;
    check_error(vitals_register(ctx, &ops, NULL), EEXIST);
    assert_error_text(ctx, "statistic 'reads' has another description in another group of "
                           "provider 'drive' and target 'block'");
    assert_int_equal(second.releases, 1);
    stats[1].unit = VITALS_NONE;
    check_ok(vitals_register(ctx, &ops, NULL));
    ops = fake_ops(&elsewhere);
    ((struct vitals_stat *)ops.stats)->unit = VITALS_BYTES;
    check_ok(vitals_register(ctx, &ops, NULL));
    vitals_ctx_free(ctx);
}

/* Its schema may change, and what it has then must not be another's. */
static void a_provider_of_the_library_has_one_group(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = {.provider = "own", .target = "block", .names = {"reads"}};
    struct vitals_counters *counters, *others;

    (void)state;
    check_ok(vitals_counters_new(ctx, "own", "block", &counters));
    check_error(vitals_counters_new(ctx, "own", "block", &others), EEXIST);
    check_error(fake_register(ctx, &fake, NULL), EEXIST);
    vitals_counters_free(counters);
    check_ok(fake_register(ctx, &fake, NULL));
    check_error(vitals_counters_new(ctx, "own", "block", &counters), EEXIST);
    assert_error_text(ctx, "provider 'own' has a group for target 'block'");
    vitals_ctx_free(ctx);
}

static void targets_are_limited(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    char target[16], text[80];
    struct fake fake = {.provider = "own", .target = target, .names = {"reads"}};
    struct vitals_group *group = NULL;
    int i;

    (void)state;
    fake.objects = first_disk;
    for (i = 0; i < VITALS_TARGETS_MAX; i++) {
        snprintf(target, sizeof(target), "t%d", i);
        check_ok(fake_register(ctx, &fake, &group));
        check_ok(fake_register(ctx, &fake, NULL));
    }
    snprintf(target, sizeof(target), "t%d", i);
    check_error(fake_register(ctx, &fake, NULL), E2BIG);
    snprintf(text, sizeof(text), "target '%s': there are %d others already", target,
             VITALS_TARGETS_MAX);
    assert_error_text(ctx, text);
    check_ok(vitals_unregister(group));
    check_error(fake_register(ctx, &fake, NULL), E2BIG); /* another group has it still */
    snprintf(target, sizeof(target), "t0");
    check_ok(fake_register(ctx, &fake, NULL));
    vitals_ctx_free(ctx);
}

static void a_target_is_not_called_as_the_list_of_vcpus(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = {.provider = "own", .target = "vcpus", .names = {"reads"}};

    (void)state;
    check_error(fake_register(ctx, &fake, NULL), EINVAL);
    assert_error_text(ctx, "target 'vcpus' would be taken for target 'vcpu'");
    vitals_ctx_free(ctx);
}

static void a_name_is_free_again_when_its_group_has_gone(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake first = {.provider = "sched", .target = "vm", .names = {"runs"}};
    struct fake second = {.provider = "sched", .target = "vm", .names = {"runs"}, .base = 7};
    struct vitals_group *group;

    (void)state;
    check_ok(fake_register(ctx, &first, &group));
    check_ok(vitals_unregister(group));
    check_ok(fake_register(ctx, &second, NULL));
    assert_answer(ctx, "vm sched:runs=7", .target = "vm");
    vitals_ctx_free(ctx);
}

static void contexts_know_nothing_of_each_other(void **state)
{
    struct vitals_ctx *one = new_ctx(), *other = new_ctx();
    struct fake first = {.provider = "sched", .target = "vm", .names = {"runs"}};
    struct fake second = {.provider = "sched", .target = "vm", .names = {"runs"}, .base = 5};

    (void)state;
    check_ok(fake_register(one, &first, NULL));
    check_ok(fake_register(other, &second, NULL));
    assert_answer(one, "vm sched:runs=0", .target = "vm");
    assert_answer(other, "vm sched:runs=5", .target = "vm");
    vitals_ctx_free(one);
    assert_int_equal(second.releases, 0);
    vitals_ctx_free(other);
}

/* ---- the end of a group --------------------------------------------------------------------- */

static void unregister_releases_once(void **state)
{
    struct vitals_group *group;
    WITH_OPS(fake, ops);

    check_ok(vitals_register(ctx, &ops, &group));
    assert_int_equal(fake.releases, 0);
    check_ok(vitals_unregister(group));
    assert_int_equal(fake.releases, 1);
    check_ok(vitals_ctx_free(ctx));
    assert_int_equal(fake.releases, 1);
}

static void freeing_the_context_releases_once(void **state)
{
    WITH_OPS(fake, ops);

    check_ok(vitals_register(ctx, &ops, NULL));
    assert_int_equal(fake.releases, 0);
    check_ok(vitals_ctx_free(ctx));
    assert_int_equal(fake.releases, 1);
}

static void a_group_that_was_collected_is_released_once(void **state)
{
    struct vitals_group *group;
    WITH_OPS(fake, ops);

    check_ok(vitals_register(ctx, &ops, &group));
    assert_answer(ctx, "vm sched:runs=0,waits=1", .target = "vm");
    assert_answer(ctx, "vm sched:runs=0,waits=1", .target = "vm");
    assert_int_equal(fake.releases, 0);
    check_ok(vitals_unregister(group));
    assert_int_equal(fake.releases, 1);
    assert_answer(ctx, "", .target = "vm");
    assert_int_equal(fake.collects, 2);
    vitals_ctx_free(ctx);
}

static void release_may_be_null(void **state)
{
    WITH_OPS(fake, ops);

    ops.release = NULL;
    check_ok(vitals_register(ctx, &ops, NULL));
    check_ok(vitals_register(ctx, &ops, NULL));
    ops.collect = NULL;
    check_error(vitals_register(ctx, &ops, NULL), EINVAL);
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 0);
}

/* ---- copies and newer callers --------------------------------------------------------------- */

static void what_is_passed_in_may_be_overwritten(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct fake fake = {.provider = "x", .target = "vm", .names = {"x"}, .base = 3};
    char provider[] = "sched", target[] = "vm", name[] = "runs", help[] = "Times.";
    struct vitals_stat stat = {.name = name, .help = help, .base = 10, .count = 1};
    struct vitals_group_ops ops = fake_ops(&fake);

    (void)state;
    ops.provider = provider;
    ops.target = target;
    ops.stats = &stat;
    check_ok(vitals_register(ctx, &ops, NULL));
    memset(provider, '!', sizeof(provider));
    memset(target, '!', sizeof(target));
    memset(name, '!', sizeof(name));
    memset(help, '!', sizeof(help));
    memset(&stat, '!', sizeof(stat));
    memset(&ops, '!', sizeof(ops));
    assert_answer(ctx, "vm sched:runs=3", .target = "vm");
    vitals_ctx_free(ctx);
}

struct newer_stat {
    struct vitals_stat stat;
    uint64_t added_later[3];
};

struct newer_ops {
    struct vitals_group_ops ops;
    uint64_t added_later[3];
};

static struct newer_ops newer_ops(struct fake *fake, const struct newer_stat *stats)
{
    struct newer_ops newer = {.ops = fake_ops(fake)};

    newer.ops.size = sizeof(newer);
    newer.ops.stat_size = sizeof(*stats);
    newer.ops.stats = &stats[0].stat;
    return newer;
}

/* Two of a newer header, whose one unknown byte of the second is @last. */
#define NEWER_STATS(last)                                                                          \
    {                                                                                              \
        {{.name = "runs", .base = 10, .count = 1, .slot = 1}, {0, 0, 0}},                          \
            {{.name = "waits", .base = 10, .count = 1, .slot = 0}, {0, 0, (last)}},                \
    }

static void newer_structs_are_taken_if_they_ask_for_nothing_new(void **state)
{
    const struct newer_stat stats[] = NEWER_STATS(0);
    WITH_OPS(fake, ops);
    struct newer_ops newer = newer_ops(&fake, stats);

    (void)ops;
    try_register(ctx, &fake, &newer.ops, 0);
    assert_answer(ctx, "vm sched:runs=1,waits=0", .target = "vm");
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 1);
}

/* The text names the first byte of those that are not known, at the offset @byte, which is 2. */
static void check_refused_byte(struct vitals_ctx *ctx, const char *before, size_t byte,
                               const char *type)
{
    char text[200], expected[200];

    vitals_error_text(ctx, text, sizeof(text));
    snprintf(expected, sizeof(expected), "%sbyte %zu of the %s for vitals_register() is 0x02",
             before, byte, type);
    assert_contains(text, expected);
}

static void an_unknown_member_of_a_newer_group_is_refused(void **state)
{
    const struct newer_stat stats[] = NEWER_STATS(0);
    WITH_OPS(fake, ops);
    struct newer_ops newer = newer_ops(&fake, stats);

    newer.added_later[1] = 0x02;
    newer.added_later[2] = 0x03;
    try_register(ctx, &fake, &newer.ops, -E2BIG);
    check_refused_byte(ctx, "", sizeof(ops) + 8, "struct vitals_group_ops");
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 1);
}

static void an_unknown_member_of_a_newer_statistic_is_refused(void **state)
{
    const struct newer_stat stats[] = NEWER_STATS(0x02);
    WITH_OPS(fake, ops);
    struct newer_ops newer = newer_ops(&fake, stats);

    (void)ops;
    try_register(ctx, &fake, &newer.ops, -E2BIG);
    check_refused_byte(ctx, "statistic 1: ", sizeof(struct vitals_stat) + 16, "struct vitals_stat");
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 1);
}

/* Sizes that no struct has, and each is long enough to have release(). */
static void a_group_of_an_odd_size_is_refused_and_released(void **state)
{
    const size_t sizes[] = {sizeof(struct vitals_group_ops) + 1, SIZED_MAX + 8, SIZE_MAX};
    size_t i;

    for (i = 0; i < N_ELEMENTS(sizes); i++) {
        WITH_OPS(fake, ops);

        ops.size = sizes[i];
        try_register(ctx, &fake, &ops, i ? -E2BIG : -EINVAL);
        vitals_ctx_free(ctx);
        assert_int_equal(fake.releases, 1);
    }
}

static void statistics_of_an_odd_size_are_refused(void **state)
{
    const size_t sizes[] = {0, sizeof(struct vitals_stat) + 1, SIZED_MAX + 8, SIZE_MAX};
    size_t i;

    for (i = 0; i < N_ELEMENTS(sizes); i++) {
        WITH_OPS(fake, ops);

        ops.stat_size = sizes[i];
        try_register(ctx, &fake, &ops, i < 2 ? -EINVAL : -E2BIG);
        vitals_ctx_free(ctx);
        assert_int_equal(fake.releases, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_names_are_taken),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(a_missing_name_is_refused),
        cmocka_unit_test(a_statistic_without_a_name_is_refused),
        cmocka_unit_test(a_name_of_64_bytes_is_past_a_limit),
        cmocka_unit_test(a_statistic_must_have_a_shape_that_makes_sense),
        cmocka_unit_test(no_two_statistics_have_an_element),
        cmocka_unit_test(a_group_needs_collect),
        cmocka_unit_test(a_group_needs_statistics),
        cmocka_unit_test(statistics_that_are_null_are_refused),
        cmocka_unit_test(unknown_flags_are_refused),
        cmocka_unit_test(statistics_of_a_shorter_struct_are_refused),
        cmocka_unit_test(a_group_of_a_shorter_struct_is_refused_unread),
        cmocka_unit_test(two_statistics_of_one_name_are_refused),
        cmocka_unit_test(a_group_may_have_4096_statistics),
        cmocka_unit_test(a_row_may_have_65536_elements),
        cmocka_unit_test(two_providers_of_a_target_may_have_one_name),
        cmocka_unit_test(a_name_may_be_used_again_for_another_target),
        cmocka_unit_test(a_provider_has_several_groups_for_a_target),
        cmocka_unit_test(equal_groups_have_one_schema),
        cmocka_unit_test(an_object_of_two_groups_comes_once),
        cmocka_unit_test(a_group_that_fails_takes_no_other_along),
        cmocka_unit_test(many_groups_answer_in_parts),
        cmocka_unit_test(a_statistic_is_described_in_one_way),
        cmocka_unit_test(a_provider_of_the_library_has_one_group),
        cmocka_unit_test(targets_are_limited),
        cmocka_unit_test(a_target_is_not_called_as_the_list_of_vcpus),
        cmocka_unit_test(a_name_is_free_again_when_its_group_has_gone),
        cmocka_unit_test(contexts_know_nothing_of_each_other),
        cmocka_unit_test(unregister_releases_once),
        cmocka_unit_test(freeing_the_context_releases_once),
        cmocka_unit_test(a_group_that_was_collected_is_released_once),
        cmocka_unit_test(release_may_be_null),
        cmocka_unit_test(what_is_passed_in_may_be_overwritten),
        cmocka_unit_test(newer_structs_are_taken_if_they_ask_for_nothing_new),
        cmocka_unit_test(an_unknown_member_of_a_newer_group_is_refused),
        cmocka_unit_test(an_unknown_member_of_a_newer_statistic_is_refused),
        cmocka_unit_test(a_group_of_an_odd_size_is_refused_and_released),
        cmocka_unit_test(statistics_of_an_odd_size_are_refused),
    };

    return cmocka_run_group_tests_name("registering groups", tests, NULL, NULL);
}
