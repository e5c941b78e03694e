/* SPDX-License-Identifier: MIT */
/* Groups that may block: they cost those who ask for them, and nobody else. */
#define _GNU_SOURCE
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "base/clock.h"
#include "server/internal.h"
#include "stats/apart.h"

/* A deadline that does not come, and one that has come at once. */
enum { LONG_MS = 3600 * 1000, SHORT_MS = 1, CHILD_SECONDS_MAX = 60 };

/* ---- the clock ------------------------------------------------------------------------------ */

/* How far it was put on, and what happens when a thread has looked at it once. */
static atomic_ullong clock_ahead_ns;
static _Thread_local void (*behind_look)(void *opaque);
static _Thread_local void *behind_look_opaque;

uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);

uint64_t __wrap_clock_now_ns(void)
{
    void (*behind)(void *opaque) = behind_look;
    uint64_t now = __real_clock_now_ns() + clock_ahead_ns;

    behind_look = NULL;
    if (behind)
        behind(behind_look_opaque);
    return now;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* Runs when a thread was woken, before it has its lock again. Then it waits once more, or not. */
static _Thread_local void (*behind_wait)(void *opaque);
static _Thread_local void *behind_wait_opaque;
static _Thread_local bool was_held_up;
static sem_t waits_again;

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    void (*behind)(void *opaque) = behind_wait;
    int err;

    if (was_held_up)
        sem_post(&waits_again); /* with the lock: whoever signals comes behind it */
    err = __real_pthread_cond_wait(condition, mutex);
    behind_wait = NULL;
    if (!behind)
        return err;
    pthread_mutex_unlock(mutex);
    behind(behind_wait_opaque);
    pthread_mutex_lock(mutex);
    was_held_up = true;
    return err;
}

int __real_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *before);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *before);

/* The kernel's clock was not put on. */
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *before)
{
    struct itimerspec real = *when;

    if (when->it_value.tv_sec)
        real.it_value.tv_sec -= (time_t)(clock_ahead_ns / 1000000000);
    return __real_timerfd_settime(fd, flags, &real, before);
}

struct site {
    struct log_book log;
    struct vitals_ctx *ctx;
    struct vitals_server *server;
    struct vitals_listener *listener;
    struct fake quick, slow;
    struct vitals_group *slow_group;
    sem_t inside, go_on;  /* of the slow group's collect() */
    pthread_mutex_t lock; /* the VMM's */
    atomic_uint threads;  /* that were told to the VMM */
    struct peer peer, other;
};

static void block(struct fake *fake, struct vitals_sink *sink)
{
    struct site *site = fake->opaque;

    (void)sink;
    sem_post(&site->inside);
    sem_wait(&site->go_on);
}

static void note_thread(void *site)
{
    ((struct site *)site)->threads++;
}

static void add_slow(struct site *site, uint32_t deadline_ms)
{
    struct vitals_group_ops ops;

    site->slow = (struct fake){.provider = "slow",
                               .target = "vm",
                               .names = {"waits"},
                               .base = 5,
                               .flags = VITALS_GROUP_MAY_BLOCK,
                               .inside = block,
                               .opaque = site};
    ops = fake_ops(&site->slow);
    ops.deadline_ms = deadline_ms;
    check_ok(vitals_register(site->ctx, &ops, &site->slow_group));
}

static int open_site(void **state)
{
    clock_ahead_ns = 0;
    sem_init(&waits_again, 0, 0);
    struct site *site = calloc(1, sizeof(*site));
    struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT, .on_thread = note_thread};

    if (!site || make_dir(state))
        abort();
    options.on_thread_opaque = site;
    sem_init(&site->inside, 0, 0);
    sem_init(&site->go_on, 0, 0);
    pthread_mutex_init(&site->lock, NULL);
    site->ctx = ctx_with_log(&site->log);
    site->quick = (struct fake){.provider = "quick", .target = "vm", .names = {"runs"}, .base = 3};
    check_ok(fake_register(site->ctx, &site->quick, NULL));
    check_ok(vitals_server_new(&options, &site->server));
    site->listener = listen_at(site->server, site->ctx, in_dir("qmp.sock"));
    check_ok(vitals_server_start(site->server));
    peer_open(&site->peer, NULL, in_dir("qmp.sock"));
    peer_open(&site->other, NULL, in_dir("qmp.sock"));
    *state = site;
    return 0;
}

static void let_go(struct site *site)
{
    sem_post(&site->go_on);
}

static int close_site(void **state)
{
    struct site *site = *state;

    for (int i = 0; i < 8; i++)
        let_go(site); /* also where a test has failed */
    peer_close(&site->peer);
    peer_close(&site->other);
    vitals_server_free(site->server);
    check_ok(vitals_ctx_free(site->ctx));
    free(site);
    return remove_dir(state);
}

/* ---- queries -------------------------------------------------------------------------------- */

#define QUERY         "{'execute':'query-stats','arguments':{'target':'vm'"
#define ASK_ALL       QUERY "}}\n"
#define ASK_QUICK     QUERY ",'filters':[{'provider':'quick'}]}}\n"
#define QUICK         "{\"provider\": \"quick\", \"stats\": [{\"name\": \"runs\", \"value\": 3}]}"
#define SLOW          "{\"provider\": \"slow\", \"stats\": [{\"name\": \"waits\", \"value\": 5}]}"
#define ASK_FAILURES  "{'execute':'query-stats-schemas','arguments':{'failures':true}}\n"
#define RETURNS(list) "{\"return\": {\"vm\": [" list "]}}"

static void assert_bystander_is_served(struct site *site)
{
    peer_send(&site->other, ASK_QUICK);
    assert_line(&site->other, RETURNS(QUICK));
}

static void who_asks_gets_what_took_long(void **state)
{
    struct site *site = *state;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    assert_bystander_is_served(site);
    let_go(site);
    assert_line(&site->peer, RETURNS(QUICK ", " SLOW));
    assert_int_equal(site->slow.collects, 1);
    assert_int_equal(site->threads, 2); /* the server's, and one for the call */
    assert_int_equal(site->log.lines, 0);
}

static void no_value_is_older_than_the_question(void **state)
{
    struct site *site = *state;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    peer_send(&site->other, ASK_ALL QUERY_NAME); /* behind the beginning of the call under way */
    let_go(site);
    assert_line(&site->peer, RETURNS(QUICK ", " SLOW));
    sem_wait(&site->inside);
    let_go(site);
    assert_line(&site->other, RETURNS(QUICK ", " SLOW));
    assert_line(&site->other, "{\"return\": {}}");
    assert_int_equal(site->slow.collects, 2);
}

static void behind_the_deadline_it_is_left_out(void **state)
{
    struct site *site = *state;
    int i;

    add_slow(site, SHORT_MS);
    for (i = 0; i < 3; i++) {
        peer_send(&site->peer, ASK_ALL);
        assert_line(&site->peer, RETURNS(QUICK));
    }
    sem_wait(&site->inside);
    assert_int_equal(site->slow.collects, 1);
    assert_int_equal(site->log.lines, 1);
    assert_contains(site->log.last, "provider 'slow', target 'vm': nothing can be read");
    assert_int_equal(registry_last_result(site->ctx, "slow", "vm"), -ETIMEDOUT);
    peer_send(&site->peer, ASK_FAILURES);
    assert_contains(peer_line(&site->peer), "\"failure\": \"Connection timed out\"");
    let_go(site);
}

static void a_group_that_nobody_wants_is_not_asked(void **state)
{
    struct site *site = *state;

    add_slow(site, LONG_MS);
    assert_bystander_is_served(site);
    assert_int_equal(site->slow.collects, 0);
    assert_int_equal(site->threads, 1);
}

static void what_is_reserved_must_be_0(void **state)
{
    struct site *site = *state;
    struct vitals_group_ops ops;

    site->slow = (struct fake){.provider = "slow", .target = "vm", .names = {"waits"}};
    ops = fake_ops(&site->slow);
    ops.reserved = 1;
    check_error(vitals_register(site->ctx, &ops, NULL), EINVAL);
    assert_int_equal(site->slow.releases, 1);
}

/* Whoever waited for one entry for longer than the next one may take. */
static void each_entry_has_its_own_time(void **state)
{
    struct site *site = *state;
    struct fake other = {.provider = "other",
                         .target = "vm",
                         .names = {"runs"},
                         .base = 7,
                         .flags = VITALS_GROUP_MAY_BLOCK};
    struct vitals_group_ops ops = fake_ops(&other);
    struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT,
                                            .dialect = VITALS_DIALECT_FLAT};
    struct vitals_listener *listener;
    struct vitals_group *group;
    struct peer flat;

    ops.deadline_ms = LONG_MS;
    check_ok(vitals_register(site->ctx, &ops, &group));
    add_slow(site, 3 * LONG_MS);
    options.path = in_dir("flat.sock");
    check_ok(vitals_server_listen(site->server, site->ctx, &options, &listener));
    peer_open(&flat, NULL, in_dir("flat.sock"));
    peer_send(&flat, "{'execute':'query-stats','arguments':{'target':'vm','providers':["
                     "{'provider':'slow'},{'provider':'other'}]}}\n");
    sem_wait(&site->inside);
    clock_ahead_ns += 2 * LONG_MS * UINT64_C(1000000);
    let_go(site);
    assert_line(&flat, "{\"return\": [{\"provider\": \"slow\", \"stats\": [{\"name\": \"waits\", "
                       "\"value\": 5}]}, {\"provider\": \"other\", \"stats\": [{\"name\": "
                       "\"runs\", \"value\": 7}]}]}");
    peer_close(&flat);
    check_ok(vitals_unregister(group));
}

/* ---- several servers ------------------------------------------------------------------------ */

static void *look_now(void *opaque)
{
    struct site *site = opaque;
    const struct thread_hook none = {0};

    apart_look(site->slow_group, clock_now_ns(), &none);
    return NULL;
}

/* Another server begins the call, if nothing keeps it from that. */
static void let_another_look(void *opaque)
{
    struct site *site = opaque;
    struct timespec end;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, look_now, site), 0);
    pthread_detach(thread);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec++;
    if (sem_timedwait(&site->inside, &end) == 0)
        sem_post(&site->inside);
}

/* What it has begun later than a server looked at the clock is not past its deadline. */
static void another_server_may_begin_the_call(void **state)
{
    struct site *site = *state;
    const struct thread_hook none = {0};
    uint64_t since_ns = clock_now_ns();

    add_slow(site, LONG_MS);
    behind_look = let_another_look;
    behind_look_opaque = site;
    assert_false(apart_look(site->slow_group, since_ns, &none));
    sem_wait(&site->inside);
    assert_int_equal(site->slow.collects, 1);
    let_go(site);
    while (!apart_look(site->slow_group, since_ns, &none))
        usleep(1000);
}

/* Two servers. Each waits for the hook of the call that it has begun. */
struct wakeup {
    struct site *site;
    pthread_t second;
    sem_t go_on; /* the hook of the second call */
    atomic_bool has_begun;
};

static void wait_in_hook(void *opaque)
{
    struct wakeup *wakeup = opaque;

    wakeup->has_begun = true;
    sem_wait(&wakeup->go_on);
}

static void *look_second(void *opaque)
{
    struct wakeup *wakeup = opaque;
    const struct thread_hook hook = {wait_in_hook, wakeup};

    while (!wakeup->has_begun)
        apart_look(wakeup->site->slow_group, clock_now_ns(), &hook);
    return NULL;
}

/* The first one is awake, but the second one has the lock before it. */
static void let_second_begin(void *opaque)
{
    struct wakeup *wakeup = opaque;

    assert_int_equal(pthread_create(&wakeup->second, NULL, look_second, wakeup), 0);
    while (!wakeup->has_begun)
        usleep(1000);
}

static void run_hook(void *opaque)
{
    (void)opaque;
}

static void *look_first(void *opaque)
{
    struct wakeup *wakeup = opaque;
    const struct thread_hook hook = {.run = run_hook};

    behind_wait = let_second_begin;
    behind_wait_opaque = wakeup;
    apart_look(wakeup->site->slow_group, clock_now_ns(), &hook);
    return NULL;
}

static void join_soon(pthread_t thread)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += CHILD_SECONDS_MAX;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &end), 0);
}

static void the_hook_of_a_later_call_wakes_all(void **state)
{
    struct site *site = *state;
    struct wakeup wakeup = {.site = site};
    pthread_t first;

    sem_init(&wakeup.go_on, 0, 0);
    add_slow(site, LONG_MS);
    site->slow.inside = NULL;
    assert_int_equal(pthread_create(&first, NULL, look_first, &wakeup), 0);
    sem_wait(&waits_again);
    sem_post(&wakeup.go_on);
    join_soon(first);
    join_soon(wakeup.second);
    check_ok(vitals_unregister(site->slow_group));
    sem_destroy(&wakeup.go_on);
}

/* ---- rows ----------------------------------------------------------------------------------- */

enum { ROWS_MAX = VITALS_APART_ROWS_MAX / (VITALS_ROW_MAX * sizeof(uint64_t)) };

/* Of rows as long as they may be, so many have room. The last one is one past the limit. */
static const char *const disks[ROWS_MAX + 2] = {"d0", "d1", "d2", "d3", "d4",
                                                "d5", "d6", "d7", "d8"};

static void add_disks(struct site *site, const char *const *objects)
{
    struct vitals_group_ops ops;

    site->slow = (struct fake){.provider = "slow",
                               .target = "disk",
                               .names = {"waits"},
                               .base = 5,
                               .objects = objects,
                               .flags = VITALS_GROUP_MAY_BLOCK};
    ops = fake_ops(&site->slow);
    ops.deadline_ms = LONG_MS;
    ops.row_len = VITALS_ROW_MAX;
    check_ok(vitals_register(site->ctx, &ops, &site->slow_group));
}

/* The reply has the objects up to @last. */
static void assert_disks(struct site *site, size_t last)
{
    char expected[4096] = "{\"return\": {\"disk\": [";
    size_t len = strlen(expected);

    for (size_t i = 0; i <= last; i++)
        len += (size_t)snprintf(expected + len, sizeof(expected) - len,
                                "%s{\"path\": \"d%zu\", \"providers\": [{\"provider\": \"slow\", "
                                "\"stats\": [{\"name\": \"waits\", \"value\": %zu}]}]}",
                                i ? ", " : "", i, 5 + 10 * i);
    snprintf(expected + len, sizeof(expected) - len, "]}}");
    peer_send(&site->peer, "{'execute':'query-stats','arguments':{'target':'disk'}}\n");
    assert_line(&site->peer, expected);
}

static void rows_have_a_limit(void **state)
{
    static const char *const fit[] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", NULL};
    struct site *site = *state;

    assert_int_equal(N_ELEMENTS(fit) - 1, ROWS_MAX);
    add_disks(site, fit);
    assert_disks(site, ROWS_MAX - 1);
    assert_int_equal(registry_last_result(site->ctx, "slow", "disk"), 0);
    assert_int_equal(site->log.lines, 0);
    check_ok(vitals_unregister(site->slow_group));
    add_disks(site, disks);
    for (int i = 0; i < 3; i++)
        assert_disks(site, ROWS_MAX - 1);
    assert_int_equal(registry_last_result(site->ctx, "slow", "disk"), -ENOBUFS);
    assert_int_equal(site->log.lines, 1);
    assert_contains(site->log.last, "its rows are too many");
}

/* They count with the rows of the others, and what has no room comes with the next part. */
static void rows_count_in_the_query(void **state)
{
    struct site *site = *state;
    struct fake quick = {
        .provider = "quick", .target = "disk", .names = {"runs"}, .objects = disks};
    struct stats_collection collection = {.rows_max = VITALS_APART_ROWS_MAX};
    struct stats_request request = {
        .target = "disk", .all_stats = true, .all_objects = true, .since_ns = clock_now_ns()};
    const struct thread_hook none = {0};
    size_t n;

    check_ok(fake_register(site->ctx, &quick, NULL));
    add_disks(site, disks);
    while (!stats_is_ready(site->ctx, &request, &none))
        usleep(1000);
    check_ok(stats_collect(&collection, site->ctx, &request));
    assert_in_range(collection.rows_size, 1, VITALS_APART_ROWS_MAX);
    assert_int_not_equal(collection.n_cut, 0);
    for (n = collection.objects.count; collection.n_cut; n = collection.objects.count) {
        check_ok(stats_collect_more(&collection, site->ctx, &request));
        assert_in_range(collection.rows_size, 1, VITALS_APART_ROWS_MAX);
        assert_true(collection.objects.count > n);
    }
    assert_int_equal(n, ROWS_MAX + 1);
    assert_null(stats_part_row(&collection.parts[1], ROWS_MAX));
    stats_collection_free(&collection);
    check_ok(vitals_unregister(site->slow_group));
}

/* A document of HTTP, and a program's look at its own contexts, wait for nobody. */
static void who_can_not_wait_does_without(void **state)
{
    struct site *site = *state;
    struct stats_collection collection = {0};
    struct stats_request request = {.target = "vm", .all_stats = true, .all_objects = true};

    add_slow(site, LONG_MS);
    check_ok(stats_collect(&collection, site->ctx, &request));
    assert_int_equal(collection.n_parts, 1);
    assert_string_equal(collection.parts[0].schema->provider, "quick");
    assert_int_equal(site->slow.collects, 0);
    assert_contains(site->log.last, "provider 'slow', target 'vm': nothing can be read");
    stats_collection_free(&collection);
}

/* ---- what the VMM does meanwhile ------------------------------------------------------------ */

static void block_on_the_vmms_lock(struct fake *fake, struct vitals_sink *sink)
{
    struct site *site = fake->opaque;

    (void)sink;
    sem_post(&site->inside);
    pthread_mutex_lock(&site->lock);
    pthread_mutex_unlock(&site->lock);
}

/* It would be a deadlock. */
static void a_lock_of_collect_may_be_held_over_calls_of_the_server(void **state)
{
    struct site *site = *state;
    struct vitals_listener *listener;
    struct peer added;
    int fd;

    add_slow(site, LONG_MS);
    site->slow.inside = block_on_the_vmms_lock;
    pthread_mutex_lock(&site->lock);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    listener = listen_at(site->server, site->ctx, in_dir("second.sock"));
    check_ok(vitals_listener_close(listener));
    fd = peer_pair(&added, NULL);
    check_ok(vitals_server_add_client(site->server, site->ctx, fd, NULL));
    check_ok(vitals_server_stop(site->server));
    check_ok(vitals_server_start(site->server));
    pthread_mutex_unlock(&site->lock);
    assert_line(&site->peer, RETURNS(QUICK ", " SLOW));
    peer_close(&added);
}

/* It never comes back while all this is done, and somebody waits for it all the time. */
static void all_else_goes_on_beside_an_endless_collect(void **state)
{
    struct site *site = *state;
    struct fake other = {.provider = "other", .target = "vm", .names = {"runs"}};
    struct fake blocks = {
        .provider = "blocks", .target = "disk", .names = {"runs"}, .flags = VITALS_GROUP_MAY_BLOCK};
    struct vitals_group *other_group, *blocks_group;
    struct vitals_listener *listener;
    struct peer added;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    for (int i = 0; i < 10; i++) {
        assert_bystander_is_served(site);
        check_ok(fake_register(site->ctx, &other, &other_group));
        check_ok(fake_register(site->ctx, &blocks, &blocks_group));
        check_ok(vitals_object_add(blocks_group, "d0", VITALS_NUMBER_ANY));
        listener = listen_at(site->server, site->ctx, in_dir("second.sock"));
        check_ok(vitals_server_add_client(site->server, site->ctx, peer_pair(&added, NULL), NULL));
        assert_bystander_is_served(site);
        check_ok(vitals_object_remove(blocks_group, "d0"));
        check_ok(vitals_unregister(blocks_group));
        check_ok(vitals_unregister(other_group));
        check_ok(vitals_listener_close(listener));
        check_ok(vitals_server_stop(site->server));
        check_ok(vitals_server_start(site->server));
        peer_close(&added);
    }
    assert_int_equal(site->slow.collects, 1);
    let_go(site);
    assert_line(&site->peer, RETURNS(QUICK ", " SLOW));
}

static void nobody_waits_to_close_or_free(void **state)
{
    struct site *site = *state;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    check_ok(vitals_listener_close(site->listener));
    vitals_server_free(site->server);
    site->server = new_server();
    let_go(site);
}

static void *unregister(void *opaque)
{
    struct site *site = opaque;

    return (void *)(intptr_t)vitals_unregister(site->slow_group);
}

/* Until a thread waits to unregister it. */
static void wait_for_leaving(struct site *site)
{
    bool leaves = false;

    while (!leaves) {
        usleep(1000);
        pthread_mutex_lock(&site->ctx->lock);
        leaves = site->slow_group->leaving;
        pthread_mutex_unlock(&site->ctx->lock);
    }
}

static void only_unregistering_the_group_waits_for_it(void **state)
{
    struct site *site = *state;
    pthread_t thread;
    void *result;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    assert_int_equal(pthread_create(&thread, NULL, unregister, site), 0);
    wait_for_leaving(site);
    assert_line(&site->peer, RETURNS(QUICK)); /* it need not wait for a group that is leaving */
    assert_int_equal(site->slow.releases, 0);
    assert_bystander_is_served(site);
    let_go(site);
    pthread_join(thread, &result);
    assert_null(result);
    assert_int_equal(site->slow.releases, 1);
}

static void a_client_that_leaves_meanwhile_is_forgotten(void **state)
{
    struct site *site = *state;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    peer_close(&site->peer);
    site->peer = (struct peer){.fd = -1};
    assert_bystander_is_served(site);
    let_go(site);
    peer_open(&site->peer, NULL, in_dir("qmp.sock"));
}

/* While a call goes on, whose thread the child does not have. */
static void assert_child_succeeds(struct site *site, int (*run)(struct site *site))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (!child) {
        alarm(CHILD_SECONDS_MAX);
        _exit(run(site));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    let_go(site);
    assert_int_equal(status, 0);
}

static int unregister_slow(struct site *site)
{
    return vitals_unregister(site->slow_group) != 0;
}

static void a_child_begins_anew(void **state)
{
    struct site *site = *state;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    assert_child_succeeds(site, unregister_slow);
    assert_line(&site->peer, RETURNS(QUICK ", " SLOW));
}

#ifndef __SANITIZE_THREAD__ /* which ends a child that makes a thread */
/* The client of the parent that waits is the child's, and is answered. */
static int take_over_and_answer(struct site *site)
{
    site->slow.inside = NULL;
    if (vitals_server_take_over(site->server))
        return 1;
    site->peer.server = site->server;
    return strstr(peer_line(&site->peer), SLOW) ? 0 : 2;
}

static void a_child_that_takes_over_does_not_wait_for_a_call_of_the_parent(void **state)
{
    struct site *site = *state;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    check_ok(vitals_server_stop(site->server)); /* one with a thread is not taken over */
    assert_child_succeeds(site, take_over_and_answer);
}
#endif

#define WITH_SITE(test) cmocka_unit_test_setup_teardown(test, open_site, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SITE(who_asks_gets_what_took_long),
        WITH_SITE(no_value_is_older_than_the_question),
        WITH_SITE(behind_the_deadline_it_is_left_out),
        WITH_SITE(a_group_that_nobody_wants_is_not_asked),
        WITH_SITE(what_is_reserved_must_be_0),
        WITH_SITE(each_entry_has_its_own_time),
        WITH_SITE(another_server_may_begin_the_call),
        WITH_SITE(the_hook_of_a_later_call_wakes_all),
        WITH_SITE(rows_have_a_limit),
        WITH_SITE(rows_count_in_the_query),
        WITH_SITE(who_can_not_wait_does_without),
        WITH_SITE(a_lock_of_collect_may_be_held_over_calls_of_the_server),
        WITH_SITE(all_else_goes_on_beside_an_endless_collect),
        WITH_SITE(nobody_waits_to_close_or_free),
        WITH_SITE(only_unregistering_the_group_waits_for_it),
        WITH_SITE(a_client_that_leaves_meanwhile_is_forgotten),
        WITH_SITE(a_child_begins_anew),
#ifndef __SANITIZE_THREAD__
        WITH_SITE(a_child_that_takes_over_does_not_wait_for_a_call_of_the_parent),
#endif
    };

    return cmocka_run_group_tests_name("groups that may block", tests, NULL, NULL);
}
