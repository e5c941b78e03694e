/* SPDX-License-Identifier: MIT */
/* Groups that may block: they cost those who ask for them, and nobody else. */
#define _GNU_SOURCE
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
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

static int close_site(void **state)
{
    struct site *site = *state;

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
#define RETURNS(list) "{\"return\": {\"vm\": [" list "]}}"

static void assert_bystander_is_served(struct site *site)
{
    peer_send(&site->other, ASK_QUICK);
    assert_line(&site->other, RETURNS(QUICK));
}

static void let_go(struct site *site)
{
    sem_post(&site->go_on);
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

/* The child has no thread of the parent's. */
static void a_child_begins_anew(void **state)
{
    struct site *site = *state;
    int status;
    pid_t child;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        alarm(CHILD_SECONDS_MAX);
        _exit(vitals_unregister(site->slow_group) != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    let_go(site);
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
    int status;
    pid_t child;

    add_slow(site, LONG_MS);
    peer_send(&site->peer, ASK_ALL);
    sem_wait(&site->inside);
    check_ok(vitals_server_stop(site->server)); /* one with a thread is not taken over */
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        alarm(CHILD_SECONDS_MAX);
        _exit(take_over_and_answer(site));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    let_go(site);
    assert_int_equal(status, 0);
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
