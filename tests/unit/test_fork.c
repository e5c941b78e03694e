/* SPDX-License-Identifier: MIT */
/* What a child made by fork() does to its parent's server: nothing, or all where it takes over. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "server/internal.h"

enum { CHILD_SECONDS_MAX = 60 }; /* a child that hangs is killed */

struct site {
    struct vitals_server *server;
    struct vitals_ctx *ctx;
    struct vitals_listener *listener;
    struct fake fake;
    char path[256];
};

static int open_site(void **state)
{
    struct site *site = calloc(1, sizeof(*site));

    if (!site || make_dir(state))
        abort();
    site->server = new_server();
    site->ctx = new_ctx();
    strcpy(site->path, in_dir("qmp.sock"));
    site->listener = listen_at(site->server, site->ctx, site->path);
    *state = site;
    return 0;
}

static int close_site(void **state)
{
    struct site *site = *state;

    vitals_server_free(site->server);
    check_ok(vitals_ctx_free(site->ctx));
    free(site);
    return remove_dir(state);
}

/* ---- children ------------------------------------------------------------------------------- */

/*
 * Its exit status says which of its checks failed: the first is 1. Of one that was killed it is -1: it
 * is for the caller to fail, who may have to let a thread go before.
 */
static int status_of_child(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_child(int (*run)(struct site *site), struct site *site)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        alarm(CHILD_SECONDS_MAX);
        _exit(run(site));
    }
    return status_of_child(child);
}

static int free_all(struct site *site)
{
    vitals_server_free(site->server);
    return vitals_ctx_free(site->ctx) != 0;
}

static int call_everything(struct site *site)
{
    struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .path = in_dir("other")};
    int pair[2];

    if (vitals_server_process(site->server) != -ECHILD)
        return 1;
    if (vitals_server_start(site->server) != -ECHILD)
        return 2;
    if (vitals_server_stop(site->server) != -ECHILD)
        return 3;
    if (vitals_server_listen(site->server, site->ctx, &options, NULL) != -ECHILD)
        return 4;
    if (vitals_listener_close(site->listener) != -ECHILD)
        return 5;
    if (vitals_server_close_clients(site->server, site->ctx) != -ECHILD)
        return 6;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
        vitals_server_add_client(site->server, site->ctx, pair[0], NULL) != -ECHILD)
        return 7;
    return fcntl(pair[0], F_GETFD) < 0 ? 8 : 0;
}

static void assert_serves(struct site *site, struct peer *old)
{
    struct peer peer;

    assert_answers(old);
    assert_int_equal(access(site->path, F_OK), 0);
    peer_open(&peer, old->server, site->path);
    assert_answers(&peer);
    peer_close(&peer);
}

/* ---- a child that is not to serve ----------------------------------------------------------- */

static void a_child_that_frees_its_copy_leaves_the_parent_alone(void **state)
{
    struct site *site = *state;
    struct peer peer;

    peer_open(&peer, site->server, site->path);
    assert_int_equal(run_child(free_all, site), 0);
    assert_serves(site, &peer);
    peer_close(&peer);
}

static void so_it_does_where_the_server_has_a_thread(void **state)
{
    struct site *site = *state;
    struct peer peer;

    check_ok(vitals_server_start(site->server));
    peer_open(&peer, NULL, site->path);
    assert_int_equal(run_child(free_all, site), 0);
    assert_serves(site, &peer);
    peer_close(&peer);
}

static void a_client_of_an_old_kernel_is_not_shut_down_by_a_child(void **state)
{
    struct site *site = *state;
    struct peer peer;
    uint32_t i;

    peer_open(&peer, site->server, site->path);
    site->listener->passes_files = true;
    for (i = 0; i < site->server->n_slots; i++)
        if (site->server->slots[i].kind == SLOT_TRANSPORT)
            ((struct transport *)site->server->slots[i].owner)->passes_files = true;
    peer_send(&peer, "{'execute':");
    assert_int_equal(run_child(free_all, site), 0);
    peer_send(&peer, "'query-name'}");
    assert_line(&peer, "{\"return\": {}}");
    assert_serves(site, &peer);
    peer_close(&peer);
}

static void all_other_calls_do_nothing(void **state)
{
    struct site *site = *state;
    struct peer peer;

    peer_open(&peer, site->server, site->path);
    peer_send(&peer, QUERY_NAME); /* the child must not answer it */
    assert_int_equal(run_child(call_everything, site), 0);
    assert_line(&peer, "{\"return\": {}}");
    assert_serves(site, &peer);
    peer_close(&peer);
}

/* ---- where a thread of the parent is in the midst of something ------------------------------ */

struct pause {
    sem_t reached, go_on;
};

static void wait_inside(struct fake *fake, struct vitals_sink *sink)
{
    struct pause *pause = fake->opaque;

    (void)sink;
    sem_post(&pause->reached);
    sem_wait(&pause->go_on);
}

static void open_pause(struct site *site, struct pause *pause, struct vitals_group **ret_group)
{
    sem_init(&pause->reached, 0, 0);
    sem_init(&pause->go_on, 0, 0);
    site->fake = (struct fake){.provider = "sched",
                               .target = "vm",
                               .names = {"runs"},
                               .inside = wait_inside,
                               .opaque = pause};
    check_ok(fake_register(site->ctx, &site->fake, ret_group));
}

#define QUERY_VM "{'execute':'query-stats','arguments':{'target':'vm'}}"

/* The server's thread is inside collect() then. */
static void ask_until_paused(struct site *site, struct pause *pause, struct peer *peer)
{
    check_ok(vitals_server_start(site->server));
    peer_open(peer, NULL, site->path);
    peer_send(peer, QUERY_VM);
    sem_wait(&pause->reached);
}

/* A thread of the parent is inside collect() meanwhile, and answers its client afterwards. */
static void check_child_of_a_collecting_parent(struct site *site, int (*run)(struct site *site))
{
    struct pause pause;
    struct peer peer;
    int status;

    open_pause(site, &pause, NULL);
    ask_until_paused(site, &pause, &peer);
    status = run_child(run, site);
    sem_post(&pause.go_on);
    assert_int_equal(status, 0);
    assert_non_null(peer_line(&peer));
    peer_close(&peer);
}

static void a_child_does_not_wait_for_threads_that_it_does_not_have(void **state)
{
    struct site *site = *state;
    struct pause pause;
    struct peer peer;
    int status;

    open_pause(site, &pause, NULL);
    ask_until_paused(site, &pause, &peer);
    status = run_child(free_all, site);
    sem_post(&pause.go_on);
    assert_int_equal(status, 0);
    assert_line(&peer, "{\"return\": {\"vm\": [{\"provider\": \"sched\", \"stats\": "
                       "[{\"name\": \"runs\", \"value\": 0}]}]}}");
    assert_int_equal(site->fake.releases, 0);
    assert_serves(site, &peer);
    peer_close(&peer);
}

/* True: a thread waits to unregister the context's only group. False: it did not wait, and has done it. */
static bool comes_to_wait(struct vitals_ctx *ctx)
{
    bool leaves = false, is_there = true;

    while (is_there && !leaves) {
        usleep(1000);
        pthread_mutex_lock(&ctx->lock);
        is_there = ctx->groups;
        leaves = is_there && ctx->groups->leaving;
        pthread_mutex_unlock(&ctx->lock);
    }
    return leaves;
}

static void *unregister(void *group)
{
    return (void *)(intptr_t)vitals_unregister(group);
}

static void nor_for_one_that_waits_to_unregister(void **state)
{
    struct site *site = *state;
    struct vitals_group *group;
    struct pause pause;
    struct peer peer;
    pthread_t thread;
    int status;

    open_pause(site, &pause, &group);
    check_ok(vitals_server_start(site->server));
    peer_open(&peer, NULL, site->path);
    peer_send(&peer, QUERY_VM);
    sem_wait(&pause.reached);
    assert_int_equal(pthread_create(&thread, NULL, unregister, group), 0);
    assert_true(comes_to_wait(site->ctx));
    status = run_child(free_all, site);
    sem_post(&pause.go_on);
    pthread_join(thread, NULL);
    assert_int_equal(status, 0);
    assert_non_null(peer_line(&peer));
    assert_serves(site, &peer);
    peer_close(&peer);
}

#ifndef __SANITIZE_THREAD__
/* In a thread of the child's, which has the stack and the number of one of the parent's. */
static int unregister_in_a_thread(struct site *site)
{
    void *result = (void *)(intptr_t)-1;
    pthread_t thread;

    if (pthread_create(&thread, NULL, unregister, site->ctx->groups))
        return 1;
    pthread_join(thread, &result);
    return result ? 2 : 0;
}

static void a_thread_of_the_child_is_not_taken_for_one_inside_collect(void **state)
{
    check_child_of_a_collecting_parent(*state, unregister_in_a_thread);
}
#endif

static void what_a_thread_was_changing_is_left_as_it_is(void **state)
{
    struct site *site = *state;
    pid_t child;

    pthread_mutex_lock(&site->ctx->lock); /* as the thread of a query has it for a moment */
    child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS_MAX);
        vitals_server_free(site->server);
        _exit(vitals_ctx_free(site->ctx) != -ECHILD);
    }
    pthread_mutex_unlock(&site->ctx->lock);
    assert_int_equal(status_of_child(child), 0);
}

/* ---- a child that takes over ---------------------------------------------------------------- */

/* Serves until the other end of its standard input is closed. */
static int serve(struct site *site, int life)
{
    char byte;

    if (vitals_server_process(site->server) != -ECHILD)
        return 1;
    if (vitals_server_take_over(site->server) || vitals_server_take_over(site->server))
        return 2;
    if (vitals_server_start(site->server))
        return 3;
    if (read(life, &byte, 1) != 0)
        return 4;
    if (vitals_ctx_free(site->ctx) != -EBUSY) /* as before the fork */
        return 6;
    vitals_server_free(site->server);
    return vitals_ctx_free(site->ctx) ? 5 : 0;
}

/* As daemon(3): the process that made the server ends, and its child goes on. */
static void make_daemon(struct site *site, int life, int status)
{
    pid_t child;

    site->server = new_server();
    site->ctx = new_ctx();
    listen_at(site->server, site->ctx, site->path);
    check_ok(vitals_server_start(site->server));
    check_ok(vitals_server_stop(site->server));
    child = fork();
    if (child == 0) {
        uint8_t result;

        alarm(CHILD_SECONDS_MAX);
        result = (uint8_t)serve(site, life);
        _exit(write(status, &result, 1) != 1);
    }
    _exit(child < 0);
}

static void a_daemon_serves_in_its_parents_place(void **state)
{
    struct site site = {0};
    struct peer peer;
    int life[2], status[2];
    uint8_t result;
    pid_t child;

    (void)state;
    strcpy(site.path, in_dir("daemon.sock"));
    assert_int_equal(pipe2(life, O_CLOEXEC) | pipe2(status, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        close(life[1]);
        make_daemon(&site, life[0], status[1]);
    }
    close(life[0]);
    close(status[1]);
    assert_int_equal(status_of_child(child), 0);
    peer_open(&peer, NULL, site.path);
    assert_serves(&site, &peer);
    close(life[1]);
    assert_int_equal(read(status[0], &result, 1), 1);
    assert_int_equal(result, 0);
    assert_int_not_equal(access(site.path, F_OK), 0); /* it was the daemon's to remove */
    close(status[0]);
    peer_close(&peer);
}

/* In the child, while its thread is inside collect(). */
static int unregister_meanwhile(struct site *site)
{
    struct vitals_group *group = site->ctx->groups;
    struct pause *pause = site->fake.opaque;
    pthread_t thread;
    void *result;

    sem_wait(&pause->reached);
    if (vitals_ctx_free(site->ctx) != -EBUSY)
        return 11;
    if (pthread_create(&thread, NULL, unregister, group))
        return 12;
    if (!comes_to_wait(site->ctx) || site->fake.releases)
        return 13;
    sem_post(&pause->go_on);
    pthread_join(thread, &result);
    return result ? 14 : site->fake.releases != 1 ? 15 : 0;
}

static int take_over_and_unregister(struct site *site)
{
    if (vitals_server_take_over(site->server))
        return 1;
    if (ctx_is_copy(site->ctx))
        return 2;
    return vitals_server_start(site->server) ? 3 : unregister_meanwhile(site);
}

static void queries_of_a_child_that_took_over_are_waited_for(void **state)
{
    struct site *site = *state;
    struct pause pause;
    struct peer peer;

    open_pause(site, &pause, NULL);
    assert_int_equal(peer_connect(&peer, site->server, site->path), 0);
    peer_send(&peer, "{'execute':'qmp_capabilities'}" QUERY_VM); /* for the child to answer */
    assert_int_equal(run_child(take_over_and_unregister, site), 0);
    peer_close(&peer);
}

/* The parent serves on; the child has a server of its own. */
static int serve_and_unregister(struct site *site)
{
    static const char REQUESTS[] = "{'execute':'qmp_capabilities'}" QUERY_VM;
    struct vitals_server *server;
    int pair[2];

    vitals_server_free(site->server);
    if (vitals_server_new(NULL, &server) || vitals_server_start(server))
        return 1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
        vitals_server_add_client(server, site->ctx, pair[0], NULL))
        return 2;
    if (write(pair[1], REQUESTS, sizeof(REQUESTS) - 1) < 0)
        return 3;
    return unregister_meanwhile(site);
}

static void so_are_those_of_a_child_with_a_server_of_its_own(void **state)
{
    struct site *site = *state;
    struct pause pause;

    open_pause(site, &pause, NULL);
    assert_int_equal(run_child(serve_and_unregister, site), 0);
}

/* Answers one query with a server of its own. */
static int ask_anew(struct site *site)
{
    struct vitals_server *server;
    struct peer peer;
    int fd = peer_pair(&peer, NULL);

    site->fake.inside = NULL;
    vitals_server_free(site->server);
    if (vitals_server_new(NULL, &server) || vitals_server_add_client(server, site->ctx, fd, NULL))
        return 1;
    peer.server = server;
    peer_negotiate(&peer);
    peer_send(&peer, QUERY_VM);
    return strstr(peer_line(&peer), "\"runs\"") ? 0 : 2;
}

static void a_childs_query_does_not_wait_for_one_of_the_parent(void **state)
{
    check_child_of_a_collecting_parent(*state, ask_anew);
}

/* What the parent's thread had pinned is not waited for, by a child that uses the context before. */
static int use_and_unregister(struct site *site)
{
    struct vitals_group *group = site->ctx->groups;

    if (vitals_object_set_thread(site->ctx, "vcpu", "/none", 1) != -ENOENT)
        return 1;
    return ctx_is_copy(site->ctx) ? 2 : vitals_unregister(group) != 0;
}

static void pins_of_the_parent_are_not_the_childs(void **state)
{
    check_child_of_a_collecting_parent(*state, use_and_unregister);
}

/* A thread of the parent let others in while it served, at the fork. */
static int take_over_and_look(struct site *site)
{
    eventfd_t value;

    if (vitals_server_take_over(site->server) || site->server->serving)
        return 1;
    if (!site->server->turns.n_waiting != !site->server->awake)
        return 2;
    return !eventfd_read(site->server->wake_fd, &value) != site->server->awake ? 3 : 0;
}

static void it_has_what_it_needs_to_wake_up(void **state)
{
    struct site *site = *state;
    struct peer peer;

    peer_open(&peer, site->server, site->path);
    site->server->serving = site->server->awake = true;
    assert_int_equal(run_child(take_over_and_look, site), 0);
    site->server->turns.n_waiting++; /* no need of who waits: nobody is served */
    site->server->awake = true;
    assert_int_equal(run_child(take_over_and_look, site), 0);
    site->server->turns.n_waiting--;
    site->server->serving = site->server->awake = false;
    peer_close(&peer);
}

static int take_over_what_is_held(struct site *site)
{
    return vitals_server_take_over(site->server) != -EBUSY || !ctx_is_copy(site->ctx);
}

static void a_context_that_a_thread_was_changing_can_not_be_taken_over(void **state)
{
    struct site *site = *state;
    pthread_mutex_t *locks[] = {&site->ctx->lock, &site->ctx->objects.lock};
    int i, status;

    for (i = 0; i < 2; i++) {
        pthread_mutex_lock(locks[i]);
        status = run_child(take_over_what_is_held, site);
        pthread_mutex_unlock(locks[i]);
        assert_int_equal(status, 0);
    }
}

static int take_over(struct site *site)
{
    return vitals_server_take_over(site->server) != -EBUSY;
}

static void a_server_with_a_thread_can_not_be_taken_over(void **state)
{
    struct site *site = *state;
    struct peer peer;

    check_ok(vitals_server_start(site->server));
    assert_int_equal(run_child(take_over, site), 0);
    peer_open(&peer, NULL, site->path);
    assert_serves(site, &peer);
    peer_close(&peer);
}

static void ones_own_server_is_taken_over_already(void **state)
{
    struct site *site = *state;

    check_ok(vitals_server_take_over(site->server));
}

#define WITH_SITE(test) cmocka_unit_test_setup_teardown(test, open_site, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SITE(a_child_that_frees_its_copy_leaves_the_parent_alone),
        WITH_SITE(so_it_does_where_the_server_has_a_thread),
        WITH_SITE(a_client_of_an_old_kernel_is_not_shut_down_by_a_child),
        WITH_SITE(all_other_calls_do_nothing),
        WITH_SITE(a_child_does_not_wait_for_threads_that_it_does_not_have),
        WITH_SITE(nor_for_one_that_waits_to_unregister),
#ifndef __SANITIZE_THREAD__ /* which ends a child that makes a thread */
        WITH_SITE(a_thread_of_the_child_is_not_taken_for_one_inside_collect),
#endif
        WITH_SITE(what_a_thread_was_changing_is_left_as_it_is),
        WITH_SITE(a_daemon_serves_in_its_parents_place),
        WITH_SITE(queries_of_a_child_that_took_over_are_waited_for),
        WITH_SITE(so_are_those_of_a_child_with_a_server_of_its_own),
        WITH_SITE(a_childs_query_does_not_wait_for_one_of_the_parent),
        WITH_SITE(pins_of_the_parent_are_not_the_childs),
        WITH_SITE(it_has_what_it_needs_to_wake_up),
        WITH_SITE(a_context_that_a_thread_was_changing_can_not_be_taken_over),
        WITH_SITE(a_server_with_a_thread_can_not_be_taken_over),
        WITH_SITE(ones_own_server_is_taken_over_already),
    };

    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
