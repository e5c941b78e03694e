/* SPDX-License-Identifier: MIT */
/* Who waits for whom: queries of several threads, and groups that come and go meanwhile. */
#include "ask.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "fake.h"
#include "stats/registry.h"
#include "vitals/kvm.h"

/* A thread that queries, and a collect() in which it stays until it is let go. */
struct visit {
    struct vitals_ctx *ctx;
    pthread_t thread;
    sem_t entered, leave;
    char *answer;
};

static void stay(struct fake *fake, struct vitals_sink *sink)
{
    struct visit *visit = fake->opaque;

    (void)sink;
    sem_post(&visit->entered);
    sem_wait(&visit->leave);
}

static void *query(void *opaque)
{
    struct visit *visit = opaque;

    visit->answer = ask_all(visit->ctx, "vm");
    return NULL;
}

/* Returns when the thread is inside collect(). */
static void start_visit(struct visit *visit, struct vitals_ctx *ctx)
{
    visit->ctx = ctx;
    sem_init(&visit->entered, 0, 0);
    sem_init(&visit->leave, 0, 0);
    assert_int_equal(pthread_create(&visit->thread, NULL, query, visit), 0);
    sem_wait(&visit->entered);
}

static void end_visit(struct visit *visit, const char *expected)
{
    sem_post(&visit->leave);
    pthread_join(visit->thread, NULL);
    assert_string_equal(visit->answer, expected);
    free(visit->answer);
    sem_destroy(&visit->entered);
    sem_destroy(&visit->leave);
}

/* ---- removal -------------------------------------------------------------------------------- */

struct removal {
    struct vitals_group *group;
    pthread_t thread;
    atomic_int result; /* 1: not there yet */
};

static void *unregister(void *opaque)
{
    struct removal *removal = opaque;

    removal->result = vitals_unregister(removal->group);
    return NULL;
}

/* Who unregisters a group has the lock until it waits, or has taken it off the list. */
static bool waits_to_leave(struct vitals_ctx *ctx, const struct vitals_group *group)
{
    const struct vitals_group *each;
    bool is;

    pthread_mutex_lock(&ctx->lock);
    each = ctx->groups;
    while (each && each != group)
        each = each->next;
    is = each && each->leaving;
    pthread_mutex_unlock(&ctx->lock);
    return is;
}

/* Returns when the thread waits, or has wrongly not waited. */
static void start_removal(struct removal *removal, struct vitals_ctx *ctx)
{
    removal->result = 1;
    assert_int_equal(pthread_create(&removal->thread, NULL, unregister, removal), 0);
    while (removal->result == 1 && !waits_to_leave(ctx, removal->group))
        sched_yield();
}

static void unregister_waits_for_a_collect_under_way(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct visit visit;
    struct removal removal;
    struct fake fake = {
        .provider = "sched", .target = "vm", .names = {"runs"}, .inside = stay, .opaque = &visit};

    (void)state;
    check_ok(fake_register(ctx, &fake, &removal.group));
    start_visit(&visit, ctx);
    start_removal(&removal, ctx);
    assert_int_equal(removal.result, 1);
    assert_int_equal(fake.releases, 0);
    end_visit(&visit, "vm sched:runs=0");
    pthread_join(removal.thread, NULL);
    check_ok(removal.result);
    assert_int_equal(fake.releases, 1);
    vitals_ctx_free(ctx);
    assert_int_equal(fake.releases, 1);
}

static void a_group_that_leaves_is_not_asked_any_more(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct visit visit;
    struct removal removal;
    struct fake leaving = {
        .provider = "sched", .target = "vm", .names = {"runs"}, .inside = stay, .opaque = &visit};
    struct fake staying = {.provider = "mem", .target = "vm", .names = {"used"}};

    (void)state;
    check_ok(fake_register(ctx, &leaving, &removal.group));
    check_ok(fake_register(ctx, &staying, NULL));
    start_visit(&visit, ctx);
    start_removal(&removal, ctx);
    assert_answer(ctx, "vm mem:used=0", .target = "vm");
    assert_int_equal(leaving.collects, 1);
    end_visit(&visit, "vm sched:runs=0 mem:used=0");
    pthread_join(removal.thread, NULL);
    vitals_ctx_free(ctx);
}

static void another_group_can_be_removed_meanwhile(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct visit visit;
    struct vitals_group *other;
    struct fake busy = {
        .provider = "sched", .target = "vm", .names = {"runs"}, .inside = stay, .opaque = &visit};
    struct fake idle = {.provider = "mem", .target = "vm", .names = {"used"}};

    (void)state;
    check_ok(fake_register(ctx, &busy, NULL));
    check_ok(fake_register(ctx, &idle, &other));
    start_visit(&visit, ctx);
    check_ok(vitals_unregister(other));
    assert_int_equal(idle.releases, 1);
    end_visit(&visit, "vm sched:runs=0");
    vitals_ctx_free(ctx);
}

static void a_group_can_be_registered_meanwhile(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct visit visit;
    struct fake busy = {
        .provider = "sched", .target = "vm", .names = {"runs"}, .inside = stay, .opaque = &visit};
    struct fake other = {
        .provider = "cpu", .target = "vcpu", .names = {"runs"}, .objects = LIST("cpu/0")};
    struct fake added = {.provider = "mem", .target = "vm", .names = {"used"}};

    (void)state;
    check_ok(fake_register(ctx, &busy, NULL));
    start_visit(&visit, ctx);
    check_ok(fake_register(ctx, &other, NULL));
    assert_answer(ctx, "cpu/0 cpu:runs=0", .target = "vcpu");
    check_ok(fake_register(ctx, &added, NULL)); /* the query that is under way began before it */
    end_visit(&visit, "vm sched:runs=0");
    vitals_ctx_free(ctx);
}

/* ---- from inside collect() ------------------------------------------------------------------ */

struct attempt {
    struct vitals_ctx *ctx;
    struct vitals_group *group;
    struct vitals_kvm *kvm;
    int unregistered, freed, kvm_freed;
};

static void try_to_remove(struct fake *fake, struct vitals_sink *sink)
{
    struct attempt *attempt = fake->opaque;

    (void)sink;
    attempt->unregistered = vitals_unregister(attempt->group);
    attempt->freed = vitals_ctx_free(attempt->ctx);
    attempt->kvm_freed = vitals_kvm_free(attempt->kvm);
}

static void nothing_can_be_removed_from_inside_collect(void **state)
{
    struct attempt attempt = {.ctx = new_ctx()};
    struct fake fake = {.provider = "sched",
                        .target = "vm",
                        .names = {"runs"},
                        .inside = try_to_remove,
                        .opaque = &attempt};

    (void)state;
    check_ok(fake_register(attempt.ctx, &fake, &attempt.group));
    check_ok(vitals_kvm_new(attempt.ctx, -1, &attempt.kvm));
    assert_answer(attempt.ctx, "vm sched:runs=0", .target = "vm");
    check_error(attempt.unregistered, EBUSY);
    check_error(attempt.freed, EBUSY);
    check_error(attempt.kvm_freed, EBUSY);
    assert_int_equal(fake.releases, 0);
    assert_answer(attempt.ctx, "vm sched:runs=0", .target = "vm");
    check_ok(vitals_kvm_free(attempt.kvm));
    check_ok(vitals_unregister(attempt.group));
    check_ok(vitals_ctx_free(attempt.ctx));
    assert_int_equal(fake.releases, 1);
}

static void a_group_of_the_same_context_can_not_be_removed_either(void **state)
{
    struct attempt attempt = {.ctx = new_ctx()};
    struct fake collecting = {.provider = "sched",
                              .target = "vm",
                              .names = {"runs"},
                              .inside = try_to_remove,
                              .opaque = &attempt};
    struct fake other = {.provider = "mem", .target = "vcpu", .names = {"used"}};

    (void)state;
    check_ok(fake_register(attempt.ctx, &collecting, NULL));
    check_ok(fake_register(attempt.ctx, &other, &attempt.group));
    assert_answer(attempt.ctx, "vm sched:runs=0", .target = "vm");
    check_error(attempt.unregistered, EBUSY);
    assert_int_equal(other.releases, 0);
    vitals_ctx_free(attempt.ctx);
}

static void another_context_can_be_freed_from_inside_collect(void **state)
{
    struct vitals_ctx *ctx = new_ctx();
    struct attempt attempt = {.ctx = new_ctx()};
    struct fake collecting = {.provider = "sched",
                              .target = "vm",
                              .names = {"runs"},
                              .inside = try_to_remove,
                              .opaque = &attempt};
    struct fake other = {.provider = "mem", .target = "vm", .names = {"used"}};

    (void)state;
    check_ok(fake_register(ctx, &collecting, NULL));
    check_ok(fake_register(attempt.ctx, &other, &attempt.group));
    assert_answer(ctx, "vm sched:runs=0", .target = "vm");
    check_ok(attempt.unregistered);
    check_ok(attempt.freed);
    assert_int_equal(other.releases, 1);
    vitals_ctx_free(ctx);
}

static void register_another(struct fake *fake, struct vitals_sink *sink)
{
    struct attempt *attempt = fake->opaque;
    static const char *const names[] = {"used"};
    static struct fake added;

    (void)sink;
    added = (struct fake){.provider = "mem", .target = "vm", .names = {names[0]}};
    if (fake->collects == 1)
        attempt->unregistered = fake_register(attempt->ctx, &added, &attempt->group);
}

static void a_group_can_be_registered_from_inside_collect(void **state)
{
    struct attempt attempt = {.ctx = new_ctx()};
    struct fake fake = {.provider = "sched",
                        .target = "vm",
                        .names = {"runs"},
                        .inside = register_another,
                        .opaque = &attempt};

    (void)state;
    check_ok(fake_register(attempt.ctx, &fake, NULL));
    free(ask_all(attempt.ctx, "vm"));
    check_ok(attempt.unregistered);
    assert_answer(attempt.ctx, "vm sched:runs=0 mem:used=0", .target = "vm");
    vitals_ctx_free(attempt.ctx);
}

/* ---- one thread at a time, or several ------------------------------------------------------- */

enum { THREADS = 4, QUERIES = 20 };

struct crowd {
    struct vitals_ctx *ctx;
    atomic_int inside, most;
    sem_t together;
};

static void count_inside(struct fake *fake, struct vitals_sink *sink)
{
    struct crowd *crowd = fake->opaque;
    int inside = ++crowd->inside;

    (void)sink;
    if (inside > crowd->most)
        crowd->most = inside;
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000}, NULL);
    crowd->inside--;
}

static void *query_often(void *opaque)
{
    struct crowd *crowd = opaque;
    int i;

    for (i = 0; i < QUERIES; i++)
        free(ask_all(crowd->ctx, "vm"));
    return NULL;
}

static void query_in_threads(struct crowd *crowd, void *(*run)(void *), int n)
{
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, crowd), 0);
    for (i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

static void a_group_is_collected_by_one_thread_at_a_time(void **state)
{
    struct crowd crowd = {.ctx = new_ctx()};
    struct fake fake = {.provider = "sched",
                        .target = "vm",
                        .names = {"runs"},
                        .inside = count_inside,
                        .opaque = &crowd};

    (void)state;
    check_ok(fake_register(crowd.ctx, &fake, NULL));
    query_in_threads(&crowd, query_often, THREADS);
    assert_int_equal(fake.collects, THREADS * QUERIES);
    assert_int_equal(crowd.most, 1);
    vitals_ctx_free(crowd.ctx);
}

/* Goes on when two threads are inside at the same time, or after half a minute. */
static void meet(struct fake *fake, struct vitals_sink *sink)
{
    struct crowd *crowd = fake->opaque;
    struct timespec until;

    (void)sink;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    if (++crowd->inside == 2) {
        crowd->most = 2;
        sem_post(&crowd->together);
    } else {
        sem_timedwait(&crowd->together, &until);
    }
    crowd->inside--;
}

static void *query_once(void *opaque)
{
    struct crowd *crowd = opaque;

    free(ask_all(crowd->ctx, "vm"));
    return NULL;
}

static void a_concurrent_group_is_collected_by_several(void **state)
{
    struct crowd crowd = {.ctx = new_ctx()};
    struct fake fake = {.provider = "sched",
                        .target = "vm",
                        .names = {"runs"},
                        .inside = meet,
                        .opaque = &crowd,
                        .flags = VITALS_GROUP_CONCURRENT};

    (void)state;
    sem_init(&crowd.together, 0, 0);
    check_ok(fake_register(crowd.ctx, &fake, NULL));
    query_in_threads(&crowd, query_once, 2);
    assert_int_equal(crowd.most, 2);
    vitals_ctx_free(crowd.ctx);
    sem_destroy(&crowd.together);
}

static void *query_each_target(void *opaque)
{
    struct crowd *crowd = opaque;
    static atomic_int turn;

    free(ask_all(crowd->ctx, turn++ % 2 ? "vm" : "vcpu"));
    return NULL;
}

static void two_groups_are_collected_at_any_time(void **state)
{
    struct crowd crowd = {.ctx = new_ctx()};
    struct fake vm = {
        .provider = "sched", .target = "vm", .names = {"runs"}, .inside = meet, .opaque = &crowd};
    struct fake vcpu = {
        .provider = "sched", .target = "vcpu", .names = {"runs"}, .inside = meet, .opaque = &crowd};

    (void)state;
    sem_init(&crowd.together, 0, 0);
    check_ok(fake_register(crowd.ctx, &vm, NULL));
    check_ok(fake_register(crowd.ctx, &vcpu, NULL));
    query_in_threads(&crowd, query_each_target, 2);
    assert_int_equal(crowd.most, 2);
    vitals_ctx_free(crowd.ctx);
    sem_destroy(&crowd.together);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unregister_waits_for_a_collect_under_way),
        cmocka_unit_test(a_group_that_leaves_is_not_asked_any_more),
        cmocka_unit_test(another_group_can_be_removed_meanwhile),
        cmocka_unit_test(a_group_can_be_registered_meanwhile),
        cmocka_unit_test(nothing_can_be_removed_from_inside_collect),
        cmocka_unit_test(a_group_of_the_same_context_can_not_be_removed_either),
        cmocka_unit_test(another_context_can_be_freed_from_inside_collect),
        cmocka_unit_test(a_group_can_be_registered_from_inside_collect),
        cmocka_unit_test(a_group_is_collected_by_one_thread_at_a_time),
        cmocka_unit_test(a_concurrent_group_is_collected_by_several),
        cmocka_unit_test(two_groups_are_collected_at_any_time),
    };

    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
