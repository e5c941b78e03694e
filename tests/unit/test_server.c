/* SPDX-License-Identifier: MIT */
/* The server: its two ways of running, its clients' rights and limits, and who waits for whom. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "qmp/call.h"
#include "server/internal.h"

/* ---- helpers -------------------------------------------------------------------------------- */

struct site {
    struct vitals_server *server;
    struct vitals_ctx *ctx;
    struct vitals_listener *listener;
    const char *path;
    struct fake fake; /* lives until its context is freed */
};

static void make_site(struct site *site, const struct vitals_server_options *options)
{
    check_ok(vitals_server_new(options, &site->server));
    site->ctx = new_ctx();
    site->path = strdup(in_dir("qmp.sock"));
    site->listener = listen_at(site->server, site->ctx, site->path);
}

static int open_site(void **state)
{
    struct site *site = calloc(1, sizeof(*site));

    if (make_dir(state))
        return -1;
    make_site(site, NULL);
    *state = site;
    return 0;
}

static void free_site(struct site *site)
{
    vitals_server_free(site->server);
    check_ok(vitals_ctx_free(site->ctx));
    free((char *)site->path);
}

static int close_site(void **state)
{
    free_site(*state);
    free(*state);
    return remove_dir(state);
}

static void open_peer(struct site *site, struct peer *peer)
{
    peer_open(peer, site->server->has_thread ? NULL : site->server, site->path);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000 * 1000}, NULL);
}

/* A statistic of the VM whose collect() calls @inside. */
static void register_inside(struct site *site, void (*inside)(struct fake *, struct vitals_sink *),
                            void *opaque)
{
    site->fake = (struct fake){
        .provider = "sched", .target = "vm", .names = {"runs"}, .inside = inside, .opaque = opaque};
    check_ok(fake_register(site->ctx, &site->fake, NULL));
}

static int readable_bytes(int fd)
{
    int n = 0;

    assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
    return n;
}

static bool is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) > 0;
}

/* "start", n times "middle", "end". */
static char *repeat(const char *start, const char *middle, size_t n, const char *end)
{
    struct buf text = {0};
    size_t i;

    buf_puts(&text, start);
    for (i = 0; i < n; i++)
        buf_puts(&text, middle);
    buf_append(&text, end, strlen(end) + 1);
    return text.data;
}

static void send_repeated(struct peer *peer, const char *start, const char *middle, size_t n,
                          const char *end)
{
    char *text = repeat(start, middle, n, end);

    peer_send(peer, text);
    free(text);
}

/* ---- in the host's loop --------------------------------------------------------------------- */

static void a_client_is_greeted_and_answered(void **state)
{
    struct peer peer;

    open_peer(*state, &peer);
    assert_answers(&peer);
    peer_close(&peer);
}

static void an_idle_server_has_nothing_to_do(void **state)
{
    struct site *site = *state;
    struct peer peer;

    assert_false(process(site->server));
    assert_false(is_readable(vitals_server_fd(site->server)));
    open_peer(site, &peer);
    assert_answers(&peer);
    settle(site->server);
    assert_false(is_readable(vitals_server_fd(site->server)));
    assert_false(process(site->server));
    peer_send(&peer, " ");
    assert_true(is_readable(vitals_server_fd(site->server)));
    assert_true(process(site->server));
    settle(site->server);
    assert_false(is_readable(vitals_server_fd(site->server)));
    peer_close(&peer);
}

static void a_client_that_has_gone_leaves_nothing(void **state)
{
    struct site *site = *state;
    struct peer peer;

    open_peer(site, &peer);
    assert_int_equal(site->server->n_clients, 1);
    peer_send(&peer, "{'execute':");
    settle(site->server);
    peer_close(&peer);
    settle(site->server);
    assert_int_equal(site->server->n_clients, 0);
    assert_int_equal(site->server->held, 0);
}

/* Of the only user there is. */
static uint64_t time_had(const struct site *site)
{
    return LIST_FIRST(&site->server->turns.all_users)->share.had_ns;
}

/* Nobody has a turn for it. */
static void to_connect_and_to_leave_takes_time_of_the_user(void **state)
{
    struct site *site = *state;
    struct peer stays, comes;
    uint64_t before, between;

    open_peer(site, &stays);
    settle(site->server);
    before = time_had(site);
    assert_int_equal(peer_connect(&comes, site->server, site->path), 0);
    settle(site->server);
    assert_int_equal(site->server->n_clients, 2);
    between = time_had(site);
    assert_true(between > before);
    peer_close(&comes);
    settle(site->server);
    assert_int_equal(site->server->n_clients, 1);
    assert_true(time_had(site) > between);
    peer_close(&stays);
}

static void a_client_that_asks_and_goes_does_no_harm(void **state)
{
    struct site *site = *state;
    struct peer peer;
    int i;

    signal(SIGPIPE, SIG_DFL); /* a server that raises it would end the program */
    for (i = 0; i < 20; i++) {
        check_ok(peer_connect(&peer, site->server, site->path));
        send_repeated(&peer, "", QUERY_NAME, 100, "");
        if (i % 2)
            settle(site->server);
        peer_close(&peer);
    }
    settle(site->server);
    assert_int_equal(site->server->n_clients, 0);
}

static void many_clients_are_answered(void **state)
{
    enum { N = 200 };
    struct peer peers[N];
    int i;

    for (i = 0; i < N; i++)
        open_peer(*state, &peers[i]);
    for (i = 0; i < N; i++)
        peer_send(&peers[i], QUERY_NAME);
    for (i = N - 1; i >= 0; i--)
        assert_line(&peers[i], "{\"return\": {}}");
    for (i = 0; i < N; i++)
        peer_close(&peers[i]);
}

static void each_socket_serves_its_own_context(void **state)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = "other"};
    struct site *site = *state;
    struct vitals_listener *listener;
    struct vitals_ctx *other;
    struct peer peer, second;

    check_ok(vitals_ctx_new(&options, &other));
    listener = listen_at(site->server, other, in_dir("other.sock"));
    open_peer(site, &peer);
    peer_open(&second, site->server, in_dir("other.sock"));
    assert_answers(&peer);
    peer_send(&second, QUERY_NAME);
    assert_line(&second, "{\"return\": {\"name\": \"other\"}}");
    peer_close(&peer);
    peer_close(&second);
    check_ok(vitals_listener_close(listener));
    check_ok(vitals_ctx_free(other));
}

/* ---- with a thread -------------------------------------------------------------------------- */

static void a_thread_serves(void **state)
{
    struct site *site = *state;
    struct peer peer;

    check_ok(vitals_server_start(site->server));
    open_peer(site, &peer);
    assert_answers(&peer);
    check_error(vitals_server_start(site->server), EBUSY);
    check_error(vitals_server_process(site->server), EBUSY);
    assert_answers(&peer);
    peer_close(&peer);
}

static void a_thread_can_be_stopped_and_started_again(void **state)
{
    struct site *site = *state;
    struct peer peer;
    int i;

    check_ok(vitals_server_stop(site->server));
    for (i = 0; i < 5; i++) {
        check_ok(vitals_server_start(site->server));
        open_peer(site, &peer);
        assert_answers(&peer);
        check_ok(vitals_server_stop(site->server));
        peer_send(&peer, QUERY_NAME);
        peer.server = site->server; /* now the host's loop goes on with the same client */
        assert_line(&peer, "{\"return\": {}}");
        peer_close(&peer);
    }
}

/* What the thread had received already is served by the host's loop. */
static void a_stop_loses_no_request(void **state)
{
    enum { REQUESTS = 500 };
    struct site *site = *state;
    struct peer peer;
    int i;

    check_ok(vitals_server_start(site->server));
    open_peer(site, &peer);
    send_repeated(&peer, "", QUERY_NAME, REQUESTS, "");
    assert_line(&peer, "{\"return\": {}}");
    check_ok(vitals_server_stop(site->server));
    peer.server = site->server;
    for (i = 1; i < REQUESTS; i++)
        assert_line(&peer, "{\"return\": {}}");
    settle(site->server);
    assert_int_equal(site->server->turns.n_waiting, 0);
    peer_close(&peer);
}

static void a_server_can_be_freed_while_it_runs(void **state)
{
    struct site site = {.server = NULL};
    struct peer peer;

    (void)state;
    vitals_listener_close(((struct site *)*state)->listener);
    make_site(&site, NULL);
    check_ok(vitals_server_start(site.server));
    open_peer(&site, &peer);
    peer_send(&peer, "{'execute':");
    free_site(&site);
    assert_closed(&peer);
    peer_close(&peer);
    assert_int_equal(access(in_dir("qmp.sock"), F_OK), -1);
}

/* All threads but the server's have the signal blocked: if it is delivered, it ends the program. */
static void the_thread_takes_no_signals(void **state)
{
    struct site *site = *state;
    const struct timespec patience = {.tv_sec = 5};
    sigset_t signals, old;
    struct peer peer;

    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    check_ok(vitals_server_start(site->server));
    pthread_sigmask(SIG_BLOCK, &signals, &old);
    kill(getpid(), SIGUSR1);
    open_peer(site, &peer);
    assert_answers(&peer);
    assert_int_equal(sigtimedwait(&signals, NULL, &patience), SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    peer_close(&peer);
}

static void sockets_can_be_opened_while_it_runs(void **state)
{
    struct site *site = *state;
    struct vitals_listener *listener;
    struct peer peer;
    int i;

    check_ok(vitals_server_start(site->server));
    for (i = 0; i < 20; i++) {
        listener = listen_at(site->server, site->ctx, in_dir("more.sock"));
        peer_open(&peer, NULL, in_dir("more.sock"));
        assert_answers(&peer);
        check_ok(vitals_listener_close(listener));
        assert_closed(&peer);
        peer_close(&peer);
    }
}

/* ---- closing a socket ----------------------------------------------------------------------- */

static void closing_a_socket_closes_its_clients_only(void **state)
{
    struct site *site = *state;
    struct vitals_listener *other = listen_at(site->server, site->ctx, in_dir("other.sock"));
    struct peer stays, goes, half;

    open_peer(site, &stays);
    peer_open(&goes, site->server, in_dir("other.sock"));
    peer_open(&half, site->server, in_dir("other.sock"));
    peer_send(&half, "{'execute':'query-");
    send_repeated(&goes, "", QUERY_NAME, 50, "");
    process(site->server);
    check_ok(vitals_listener_close(other));
    while (peer_line(&goes))
        ;
    assert_closed(&half);
    assert_answers(&stays);
    peer_close(&stays);
    peer_close(&goes);
    peer_close(&half);
}

struct visit {
    sem_t entered, leave;
};

static void stay(struct fake *fake, struct vitals_sink *sink)
{
    struct visit *visit = fake->opaque;

    (void)sink;
    sem_post(&visit->entered);
    sem_wait(&visit->leave);
}

struct closing {
    struct vitals_listener *listener;
    pthread_t thread;
    atomic_int result; /* 1: not there yet */
};

static void *close_listener(void *opaque)
{
    struct closing *closing = opaque;

    closing->result = vitals_listener_close(closing->listener);
    return NULL;
}

#define QUERY_VM "{'execute':'query-stats','arguments':{'target':'vm'}}\n"

/* Else the context could be freed under the query's feet. */
static void closing_waits_for_the_query_under_way(void **state)
{
    struct site *site = *state;
    struct visit visit;
    struct closing closing = {.listener = site->listener, .result = 1};
    struct peer peer;

    sem_init(&visit.entered, 0, 0);
    sem_init(&visit.leave, 0, 0);
    register_inside(site, stay, &visit);
    check_ok(vitals_server_start(site->server));
    open_peer(site, &peer);
    peer_send(&peer, QUERY_VM);
    sem_wait(&visit.entered);
    assert_int_equal(pthread_create(&closing.thread, NULL, close_listener, &closing), 0);
    sleep_ms(50);
    assert_int_equal(closing.result, 1);
    sem_post(&visit.leave);
    pthread_join(closing.thread, NULL);
    check_ok(closing.result);
    while (peer_line(&peer)) /* the answer may have been sent */
        ;
    peer_close(&peer);
    sem_destroy(&visit.entered);
    sem_destroy(&visit.leave);
}

/* ---- from inside collect() ------------------------------------------------------------------ */

struct attempt {
    struct site *site;
    int closed, stopped, processed, listened;
};

static void try_to_stop(struct fake *fake, struct vitals_sink *sink)
{
    struct attempt *attempt = fake->opaque;
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT,
                                                  .path = in_dir("inside.sock")};

    (void)sink;
    attempt->closed = vitals_listener_close(attempt->site->listener);
    attempt->processed = vitals_server_process(attempt->site->server);
    attempt->listened =
        vitals_server_listen(attempt->site->server, attempt->site->ctx, &options, NULL);
    if (attempt->site->server->has_thread)
        attempt->stopped = vitals_server_stop(attempt->site->server);
}

static void ask_the_vm(struct site *site, struct peer *peer)
{
    open_peer(site, peer);
    peer_send(peer, QUERY_VM);
    assert_line(peer, "{\"return\": {\"vm\": [{\"provider\": \"sched\", \"stats\": "
                      "[{\"name\": \"runs\", \"value\": 0}]}]}}");
    peer_close(peer);
}

static void a_server_can_not_be_used_from_inside_its_collect(void **state)
{
    struct attempt attempt = {.site = *state};
    struct peer peer;

    register_inside(attempt.site, try_to_stop, &attempt);
    ask_the_vm(attempt.site, &peer);
    check_error(attempt.closed, EBUSY);
    check_error(attempt.processed, EBUSY);
    check_error(attempt.listened, EBUSY);
    assert_int_equal(access(in_dir("inside.sock"), F_OK), -1);
}

static void nor_from_its_own_thread(void **state)
{
    struct attempt attempt = {.site = *state};
    struct peer peer;

    register_inside(attempt.site, try_to_stop, &attempt);
    check_ok(vitals_server_start(attempt.site->server));
    ask_the_vm(attempt.site, &peer);
    check_ok(vitals_server_stop(attempt.site->server));
    check_error(attempt.closed, EBUSY);
    check_error(attempt.stopped, EBUSY);
    check_error(attempt.processed, EBUSY);
}

/* ---- options -------------------------------------------------------------------------------- */

static void options_without_a_size_are_refused(void **state)
{
    const struct vitals_server_options options = {.clients_max = 1};
    struct vitals_server *server = NULL;

    (void)state;
    check_error(vitals_server_new(&options, &server), EINVAL);
    assert_null(server);
}

static void older_options_are_taken(void **state)
{
    const struct vitals_server_options options = {
        .size = offsetof(struct vitals_server_options, memory_max),
        .clients_max = 7,
        .memory_max = 1,
    };
    struct vitals_server_options *older = older_struct(&options, options.size);
    struct vitals_server *server;

    (void)state;
    check_ok(vitals_server_new(older, &server));
    assert_int_equal(server->options.clients_max, 7);
    assert_int_equal(server->options.memory_max, VITALS_MEMORY_MAX);
    vitals_server_free(server);
    free(older);
}

static void newer_options_are_taken_if_they_ask_for_nothing_new(void **state)
{
    struct {
        struct vitals_server_options options;
        uint64_t added_later;
    } newer = {.options = {.size = sizeof(newer), .clients_max = 7}, .added_later = 1};
    struct vitals_server *server = NULL;

    (void)state;
    check_error(vitals_server_new(&newer.options, &server), E2BIG);
    assert_null(server);
    newer.added_later = 0;
    check_ok(vitals_server_new(&newer.options, &server));
    assert_int_equal(server->options.clients_max, 7);
    vitals_server_free(server);
}

static void options_that_are_zero_are_the_defaults(void **state)
{
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT};
    struct vitals_server *server;

    (void)state;
    check_ok(vitals_server_new(&options, &server));
    assert_int_equal(server->options.clients_max, VITALS_CLIENTS_MAX);
    assert_int_equal(server->options.memory_max, VITALS_MEMORY_MAX);
    vitals_server_free(server);
}

static void freeing_null_is_allowed(void **state)
{
    (void)state;
    vitals_server_free(NULL);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void there_may_be_clients_max_clients(void **state)
{
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT, .clients_max = 2};
    struct site site = {.server = NULL};
    struct peer first, second, third;

    vitals_listener_close(((struct site *)*state)->listener);
    make_site(&site, &options);
    open_peer(&site, &first);
    open_peer(&site, &second);
    check_ok(peer_connect(&third, site.server, site.path));
    assert_line(&third, "{\"error\": {\"class\": \"GenericError\", "
                        "\"desc\": \"Too many clients, at most 2\"}}");
    assert_closed(&third);
    peer_close(&third);
    assert_answers(&first);
    peer_close(&second);
    open_peer(&site, &third);
    assert_answers(&third);
    peer_close(&first);
    peer_close(&third);
    free_site(&site);
}

enum { KIB = 1024 };

static void send_half(struct peer *peer, size_t len)
{
    send_repeated(peer, "{'execute':'query-name','id':'", "x", len, "");
    settle(peer->server);
}

/* Also where one of them holds more than any client of the other, and for longer. */
static void clients_of_one_vm_never_push_out_those_of_another(void **state)
{
    enum { N = 3 };
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT,
                                                  .memory_max = 600 * KIB};
    struct site site = {.server = NULL};
    struct vitals_listener *listener;
    struct vitals_ctx *other = new_ctx();
    struct peer peers[N], victim;
    int i;

    vitals_listener_close(((struct site *)*state)->listener);
    make_site(&site, &options);
    listener = listen_at(site.server, other, in_dir("other.sock"));
    peer_open(&victim, site.server, in_dir("other.sock"));
    send_half(&victim, 200 * KIB); /* 256 KiB are held for it */
    for (i = 0; i < N; i++) {
        open_peer(&site, &peers[i]);
        send_half(&peers[i], 100 * KIB); /* 128 KiB each */
    }
    assert_int_equal(site.server->n_clients, N);
    assert_true(site.server->held <= options.memory_max);
    peer_send(&victim, "'}");
    assert_non_null(peer_line(&victim));
    assert_closed(&peers[0]); /* it holds as much as the others, and for longer */
    for (i = 0; i < N; i++)
        peer_close(&peers[i]);
    peer_close(&victim);
    check_ok(vitals_listener_close(listener));
    check_ok(vitals_ctx_free(other));
    free_site(&site);
}

static void beyond_memory_max_the_largest_client_goes(void **state)
{
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT,
                                                  .memory_max = 380 * KIB};
    struct site site = {.server = NULL};
    struct peer small, large, more;

    vitals_listener_close(((struct site *)*state)->listener);
    make_site(&site, &options);
    open_peer(&site, &small);
    open_peer(&site, &large);
    open_peer(&site, &more);
    send_repeated(&small, "{'execute':'query-name','id':'", "x", 10 * KIB, "");
    send_repeated(&large, "{'execute':'query-name','id':'", "x", 150 * KIB, "");
    settle(site.server);
    assert_int_equal(site.server->n_clients, 3);
    send_repeated(&more, "{'execute':'query-name','id':'", "x", 120 * KIB, "");
    settle(site.server);
    assert_true(site.server->held <= options.memory_max);
    assert_int_equal(site.server->n_clients, 2);
    assert_closed(&large);
    peer_send(&small, "'}");
    assert_non_null(peer_line(&small));
    peer_send(&more, "'}");
    assert_non_null(peer_line(&more));
    settle(site.server);
    assert_int_equal(site.server->held, 0);
    peer_close(&small);
    peer_close(&large);
    peer_close(&more);
    free_site(&site);
}

static void one_client_may_use_all_memory_but_no_more(void **state)
{
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT,
                                                  .memory_max = 64 * KIB};
    struct site site = {.server = NULL};
    struct peer peer;

    vitals_listener_close(((struct site *)*state)->listener);
    make_site(&site, &options);
    open_peer(&site, &peer);
    send_repeated(&peer, "{'execute':'query-name','id':'", "x", 60 * KIB, "'}");
    assert_non_null(peer_line(&peer));
    send_repeated(&peer, "{'execute':'query-name','id':'", "x", 80 * KIB, "");
    assert_closed(&peer);
    settle(site.server);
    assert_int_equal(site.server->held, 0);
    peer_close(&peer);
    free_site(&site);
}

/* ---- the end of a conversation -------------------------------------------------------------- */

static void a_half_closed_connection_is_answered(void **state)
{
    struct peer peer;
    int i;

    open_peer(*state, &peer);
    send_repeated(&peer, "", QUERY_NAME, 20, "");
    shutdown(peer.fd, SHUT_WR);
    for (i = 0; i < 20; i++)
        assert_line(&peer, "{\"return\": {}}");
    assert_closed(&peer);
    peer_close(&peer);
}

static void half_a_message_is_an_error_at_the_end(void **state)
{
    struct peer peer;

    open_peer(*state, &peer);
    peer_send(&peer, QUERY_NAME "{'execute':");
    shutdown(peer.fd, SHUT_WR);
    assert_line(&peer, "{\"return\": {}}");
    assert_contains(peer_line(&peer), "JSON parse error");
    assert_closed(&peer);
    peer_close(&peer);
}

/* ---- many requests -------------------------------------------------------------------------- */

static void send_numbered(struct peer *peer, int n, int padding)
{
    struct buf text = {0};
    int i;

    for (i = 0; i < n; i++)
        buf_printf(&text, "{'execute':'query-stats-schemas','id':%d}%*s", i, padding, "\n");
    buf_append(&text, "", 1);
    peer_send(peer, text.data);
    buf_free(&text);
}

static void assert_numbered(struct peer *peer, int number)
{
    const char *line = peer_line(peer);
    char expected[32];

    assert_non_null(line);
    snprintf(expected, sizeof(expected), ", \"id\": %d}", number);
    assert_string_equal(line + strlen(line) - strlen(expected), expected);
}

static void a_hundred_requests_at_once_are_answered_in_order(void **state)
{
    struct peer peer;
    int i;

    open_peer(*state, &peer);
    send_numbered(&peer, 100, 1);
    for (i = 0; i < 100; i++)
        assert_numbered(&peer, i);
    peer_close(&peer);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    struct site *site = *state;
    const char *p;
    char byte[2] = "";
    struct peer peer;

    open_peer(site, &peer);
    for (p = QUERY_NAME; *p; p++) {
        byte[0] = *p;
        peer_send(&peer, byte);
        settle(site->server);
    }
    assert_line(&peer, "{\"return\": {}}");
    peer_close(&peer);
}

/* A schema of some 300 KiB, more than a socket takes at once. */
static void register_many(struct site *site)
{
    enum { N = 4096 };
    struct vitals_stat *stats = calloc(N, sizeof(*stats));
    struct vitals_group_ops ops;
    char(*names)[16] = calloc(N, sizeof(*names));
    uint32_t i;

    site->fake = (struct fake){.provider = "many", .target = "vm", .names = {"x"}};
    ops = fake_ops(&site->fake);
    for (i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "s%u", i);
        stats[i] = (struct vitals_stat){.name = names[i], .base = 10, .count = 1, .slot = i};
    }
    ops.stats = stats;
    ops.n_stats = ops.row_len = N;
    check_ok(vitals_register(site->ctx, &ops, NULL));
    free(stats);
    free(names);
}

static int unread_bytes(const struct peer *peer)
{
    int n = 0;

    assert_int_equal(ioctl(peer->fd, SIOCOUTQ, &n), 0);
    return n;
}

static void a_client_that_does_not_read_is_not_read_from(void **state)
{
    enum { REQUESTS = 60 };
    struct site *site = *state;
    struct peer lazy, other;
    int i, unread;

    register_many(site);
    open_peer(site, &lazy);
    open_peer(site, &other);
    send_numbered(&lazy, REQUESTS, 1 * KIB);
    settle(site->server);
    unread = unread_bytes(&lazy);
    assert_true(unread > (REQUESTS - 2 * SERVER_READ_SIZE / KIB) * KIB);
    assert_true(site->server->held < 2 * 1024 * KIB); /* one reply, and what was read at once */
    for (i = 0; i < 10; i++)
        assert_answers(&other);
    assert_int_equal(unread_bytes(&lazy), unread);
    for (i = 0; i < REQUESTS; i++)
        assert_numbered(&lazy, i);
    settle(site->server);
    assert_int_equal(site->server->held, 0);
    peer_close(&lazy);
    peer_close(&other);
}

static void a_client_that_never_reads_can_go(void **state)
{
    struct site *site = *state;
    struct peer lazy;

    register_many(site);
    open_peer(site, &lazy);
    send_numbered(&lazy, 10, 1);
    settle(site->server);
    assert_true(site->server->held > 0);
    peer_close(&lazy);
    settle(site->server);
    assert_int_equal(site->server->n_clients, 0);
    assert_int_equal(site->server->held, 0);
}

/* ---- replies that are written in parts ------------------------------------------------------- */

enum { OBJECTS = 20000 }; /* a reply of some 1.5 MiB, which no socket takes at once */

#define QUERY_VCPUS "{'execute':'query-stats','arguments':{'target':'vcpu'}}\n"

static void register_objects(struct site *site, struct vitals_group **ret_group)
{
    static char paths[OBJECTS][16];
    static const char *list[OBJECTS + 1];
    int i;

    for (i = 0; i < OBJECTS; i++) {
        snprintf(paths[i], sizeof(paths[i]), "cpu/%d", i);
        list[i] = paths[i];
    }
    site->fake =
        (struct fake){.provider = "sched", .target = "vcpu", .names = {"runs"}, .objects = list};
    check_ok(fake_register(site->ctx, &site->fake, ret_group));
}

static void assert_has_all_objects(const char *line)
{
    char path[32];
    int i;

    assert_non_null(line);
    for (i = 0; i < OBJECTS; i++) {
        snprintf(path, sizeof(path), "{\"path\": \"cpu/%d\",", i);
        line = strstr(line, path);
        assert_non_null(line);
    }
    assert_string_equal(strchr(line, '}'), "}]}]}]}}");
}

static void begin_long_reply(struct site *site, struct peer *peer)
{
    register_objects(site, NULL);
    open_peer(site, peer);
    peer_send(peer, QUERY_VCPUS);
    settle(site->server);
}

/* Bytes of what is written for one client, and waits. */
static size_t largest_output(const struct vitals_server *server)
{
    size_t largest = 0;
    uint32_t i;

    for (i = 0; i < server->n_slots; i++) {
        const struct transport *transport = server->slots[i].owner;

        if (server->slots[i].kind == SLOT_TRANSPORT && transport->output.cap > largest)
            largest = transport->output.cap;
    }
    return largest;
}

static void a_reply_that_nobody_reads_is_not_written(void **state)
{
    struct site *site = *state;
    struct peer lazy, other;
    size_t held;

    begin_long_reply(site, &lazy);
    held = site->server->held;
    assert_true(held > OBJECTS * sizeof(uint64_t)); /* its rows */
    assert_in_range(largest_output(site->server), 1, 2 * QMP_PART);
    open_peer(site, &other);
    assert_answers(&other);
    assert_int_equal(site->server->held, held);
    peer_send(&lazy, QUERY_NAME);
    settle(site->server);
    assert_int_equal(site->server->held, held); /* it is not read from, either */
    assert_has_all_objects(peer_line(&lazy));
    assert_line(&lazy, "{\"return\": {}}");
    settle(site->server);
    assert_int_equal(site->server->held, 0);
    peer_close(&lazy);
    peer_close(&other);
}

static bool is_open(void *opaque, uint64_t asked_ns)
{
    assert_true(asked_ns);
    return *(bool *)opaque;
}

static void who_waits_at_a_gate_has_no_turn_until_it_may_have_opened(void **state)
{
    struct site *site = *state;
    bool opens = false;
    const struct qmp_gate gate = {.opens = is_open, .opaque = &opens};
    struct peer first, second, gone;

    listener_set_gate(site->listener, &gate);
    open_peer(site, &first);
    open_peer(site, &second);
    open_peer(site, &gone);
    peer_send(&first, QUERY_NAME QUERY_NAME);
    peer_send(&second, QUERY_NAME);
    peer_send(&gone, QUERY_NAME);
    settle(site->server);
    assert_int_equal(server_n_waiting(site->server), 0);
    server_ask_again(site->server);
    settle(site->server);
    assert_false(is_readable(first.fd));
    peer_close(&gone);
    opens = true;
    settle(site->server);
    assert_false(is_readable(first.fd));
    server_ask_again(site->server);
    for (int i = 0; i < 2; i++)
        assert_line(&first, "{\"return\": {}}");
    assert_line(&second, "{\"return\": {}}");
    peer_close(&first);
    peer_close(&second);
}

static void a_client_may_say_no_more_than_one_long_request(void **state)
{
    struct site *site = *state;
    struct peer peer;

    begin_long_reply(site, &peer);
    assert_int_equal(shutdown(peer.fd, SHUT_WR), 0);
    assert_has_all_objects(peer_line(&peer));
    assert_closed(&peer);
    peer_close(&peer);
}

static void a_client_may_go_in_the_middle_of_a_reply(void **state)
{
    struct site *site = *state;
    struct peer peer, other;

    begin_long_reply(site, &peer);
    open_peer(site, &other);
    peer_send(&other, QUERY_VCPUS);
    settle(site->server);
    peer_close(&peer);
    settle(site->server);
    assert_int_equal(site->server->n_clients, 1);
    assert_has_all_objects(peer_line(&other));
    settle(site->server);
    assert_int_equal(site->server->held, 0);
    peer_close(&other);
}

static void a_provider_may_go_in_the_middle_of_a_reply(void **state)
{
    struct site *site = *state;
    struct vitals_group *group;
    struct peer peer;

    register_objects(site, &group);
    open_peer(site, &peer);
    peer_send(&peer, QUERY_VCPUS);
    settle(site->server);
    check_ok(vitals_unregister(group));
    assert_has_all_objects(peer_line(&peer)); /* they were collected before */
    assert_answers(&peer);
    peer_close(&peer);
}

static void a_listener_may_be_closed_in_the_middle_of_a_reply(void **state)
{
    struct site *site = *state;
    struct peer peer;

    begin_long_reply(site, &peer);
    check_ok(vitals_listener_close(site->listener));
    assert_int_equal(site->server->held, 0);
    assert_null(peer_line(&peer));
    peer_close(&peer);
}

static void a_busy_client_does_not_keep_others_waiting(void **state)
{
    struct site *site = *state;
    struct peer busy, other;
    int turns = 0;

    open_peer(site, &busy);
    open_peer(site, &other);
    send_numbered(&busy, 300, 1);
    process(site->server);
    peer_send(&other, QUERY_NAME);
    while (!is_readable(other.fd)) {
        process(site->server);
        turns++;
    }
    assert_true(turns < 10);
    peer_close(&busy);
    peer_close(&other);
}

/* ---- loops that are told once ---------------------------------------------------------------- */

static int edge_of(struct vitals_server *server)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, vitals_server_fd(server), &event), 0);
    return epoll_fd;
}

/* Until no edge comes any more. */
static void run_edge_triggered(struct vitals_server *server, int epoll_fd)
{
    struct epoll_event event;

    while (epoll_wait(epoll_fd, &event, 1, 2) > 0)
        while (process(server))
            ;
}

static int lines_of(struct peer *peer)
{
    char bytes[65536];
    ssize_t n, i;
    int lines = 0;

    while ((n = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        for (i = 0; i < n; i++)
            lines += bytes[i] == '\n';
    return lines;
}

/* More than epoll gives at a time, with more requests than there is time for in one call. */
static void an_edge_triggered_loop_serves_all(void **state)
{
    enum { CLIENTS = 300, REQUESTS = 50 };
    struct site *site = *state;
    struct peer peers[CLIENTS];
    int epoll_fd = edge_of(site->server), i;

    for (i = 0; i < CLIENTS; i++) {
        check_ok(peer_connect(&peers[i], site->server, site->path));
        peer_send(&peers[i], "{'execute':'qmp_capabilities'}\n");
        send_numbered(&peers[i], REQUESTS, 1);
    }
    run_edge_triggered(site->server, epoll_fd);
    for (i = 0; i < CLIENTS; i++) {
        assert_int_equal(lines_of(&peers[i]), 1 + 1 + REQUESTS); /* with the greeting */
        peer_close(&peers[i]);
    }
    close(epoll_fd);
}

/* What is received at a time is less. */
static void an_edge_triggered_loop_takes_a_long_request(void **state)
{
    struct site *site = *state;
    int epoll_fd = edge_of(site->server);
    struct peer peer;

    open_peer(site, &peer);
    run_edge_triggered(site->server, epoll_fd);
    send_repeated(&peer, "{'execute':'query-name','arguments':{}", " ", 5 * SERVER_READ_SIZE,
                  "}\n");
    run_edge_triggered(site->server, epoll_fd);
    assert_int_equal(lines_of(&peer), 1);
    peer_close(&peer);
    close(epoll_fd);
}

/* ---- noise ---------------------------------------------------------------------------------- */

/* How many refusals of noise may have been sent since @start: one in a pause, behind the first. */
static int64_t refusals_until_now(int64_t start)
{
    return NOISE_MESSAGES + 2 + (now_ms() - start) / NOISE_PAUSE_MS;
}

static void noise_is_slowed_down_but_answered_in_the_end(void **state)
{
    enum { REFUSED = 80 };
    struct site *site = *state;
    static const char refusal[] = "{\"error\": {\"class\": \"GenericError\", "
                                  "\"desc\": \"JSON parse error, stray '@'\"}}";
    struct peer noisy, other;
    int64_t start;
    int i;

    open_peer(site, &noisy);
    open_peer(site, &other);
    start = now_ms();
    send_repeated(&noisy, "", "@\n", REFUSED, QUERY_NAME);
    for (i = 0; i < 100; i++) {
        assert_answers(&other);
        assert_true(readable_bytes(noisy.fd) / (int)strlen(refusal) <= refusals_until_now(start));
    }
    for (i = 0; i < REFUSED; i++)
        assert_line(&noisy, refusal);
    assert_line(&noisy, "{\"return\": {}}");
    assert_true(now_ms() - start >= (REFUSED - NOISE_MESSAGES - 2) * NOISE_PAUSE_MS);
    for (i = 0; i < 20; i++) { /* a message of good form ends it */
        assert_answers(&noisy);
        assert_true(TAILQ_EMPTY(&site->server->timers.lists[TIMER_NOISE_PAUSE]));
    }
    peer_close(&noisy);
    peer_close(&other);
}

static void a_few_errors_are_no_noise(void **state)
{
    struct peer peer;
    int i;

    open_peer(*state, &peer);
    for (i = 0; i < 4 * NOISE_MESSAGES; i++) {
        peer_send(&peer, "@\n");
        assert_contains(peer_line(&peer), "stray");
        if (i % NOISE_MESSAGES == NOISE_MESSAGES - 1)
            assert_answers(&peer);
    }
    peer_close(&peer);
}

static void a_noisy_client_can_go(void **state)
{
    struct site *site = *state;
    struct peer peer;

    open_peer(site, &peer);
    send_repeated(&peer, "", "@\n", 200, "");
    settle(site->server);
    assert_int_equal(site->server->n_clients, 1);
    peer_close(&peer);
    settle(site->server);
    sleep_ms(2 * NOISE_PAUSE_MS);
    settle(site->server);
    assert_int_equal(site->server->n_clients, 0);
}

/* ---- no file descriptors left --------------------------------------------------------------- */

/* Takes all that are free, so that accept() finds none. */
static size_t take_all_fds(int *fds, size_t max)
{
    size_t n = 0;

    while (n < max && (fds[n] = dup(0)) >= 0)
        n++;
    return n;
}

static void without_an_fd_a_client_is_closed_not_left_waiting(void **state)
{
    enum { FEW = 256 };
    struct site *site = *state;
    struct rlimit old, few;
    int fds[FEW];
    struct peer before, refused;
    size_t n;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = (struct rlimit){.rlim_cur = FEW, .rlim_max = old.rlim_max};
    open_peer(site, &before);
    check_ok(peer_connect(&refused, site->server, site->path));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    n = take_all_fds(fds, FEW);
    assert_true(n > 0 && n < FEW);
    assert_closed(&refused);
    assert_answers(&before);
    while (n)
        close(fds[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    peer_close(&refused);
    open_peer(site, &refused);
    assert_answers(&refused);
    peer_close(&refused);
    peer_close(&before);
}

static void a_server_needs_fds(void **state)
{
    enum { FEW = 256 };
    struct vitals_server *server = NULL;
    struct rlimit old, few;
    int fds[FEW], err = -EMFILE;
    size_t n;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = (struct rlimit){.rlim_cur = FEW, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (n = take_all_fds(fds, FEW); n && err; close(fds[--n])) { /* one more fd each time */
        err = vitals_server_new(NULL, &server);
        assert_true(err == 0 || err == -EMFILE);
        assert_true((server == NULL) == (err != 0));
    }
    while (n)
        close(fds[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    check_ok(err);
    vitals_server_free(server);
}

/* ---- who pays for those who come between two turns ------------------------------------------ */

static _Atomic uint64_t clock_ahead_ns;

uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);

uint64_t __wrap_clock_now_ns(void)
{
    return __real_clock_now_ns() + clock_ahead_ns;
}

#define HOUR_US (3600u * 1000 * 1000)
#define HOUR_NS (HOUR_US * 1000ull)

struct long_visit {
    struct vitals_server *server;
    pthread_t thread;
    bool begun;
};

/* Has the lock for an hour. */
static void *visit_for_long(void *opaque)
{
    struct long_visit *visit = opaque;

    check_ok(server_lock(visit->server));
    clock_ahead_ns += HOUR_NS;
    server_unlock(visit->server);
    return NULL;
}

/* In the first query: somebody waits for the lock when its turn ends. */
static void wait_for_a_visitor(struct fake *fake, struct vitals_sink *sink)
{
    struct long_visit *visited = fake->opaque;

    (void)sink;
    if (visited->begun)
        return;
    visited->begun = true;
    if (pthread_create(&visited->thread, NULL, visit_for_long, visited))
        abort();
    while (!visited->server->n_visitors)
        usleep(1000);
}

static void a_visit_is_not_on_the_next_users_account(void **state)
{
    static const char query[] = "{'execute':'query-stats','arguments':{'target':'vm'}}";
    struct site *site = *state;
    struct long_visit visited = {.server = site->server};
    struct peer first, second;
    const struct turns_user *user;

    site->fake = (struct fake){.provider = "sched",
                               .target = "vm",
                               .names = {"runs"},
                               .inside = wait_for_a_visitor,
                               .opaque = &visited};
    check_ok(fake_register(site->ctx, &site->fake, NULL));
    site->server->options.budget_us = HOUR_US;
    open_peer(site, &first);
    open_peer(site, &second);
    assert_int_equal(send(first.fd, query, sizeof(query) - 1, 0), sizeof(query) - 1);
    assert_int_equal(send(second.fd, query, sizeof(query) - 1, 0), sizeof(query) - 1);
    assert_true(vitals_server_process(site->server) >= 0);
    pthread_join(visited.thread, NULL);
    assert_non_null(peer_line(&first));
    assert_non_null(peer_line(&second));
    assert_int_equal(clock_ahead_ns, HOUR_NS);
    user = LIST_FIRST(&site->server->turns.all_users);
    assert_in_range(user->share.had_ns, 1, HOUR_NS - 1);
    peer_close(&first);
    peer_close(&second);
}

#define WITH_SITE(test) cmocka_unit_test_setup_teardown(test, open_site, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SITE(a_client_is_greeted_and_answered),
        WITH_SITE(an_idle_server_has_nothing_to_do),
        WITH_SITE(a_client_that_has_gone_leaves_nothing),
        WITH_SITE(to_connect_and_to_leave_takes_time_of_the_user),
        WITH_SITE(a_client_that_asks_and_goes_does_no_harm),
        WITH_SITE(many_clients_are_answered),
        WITH_SITE(each_socket_serves_its_own_context),
        WITH_SITE(a_thread_serves),
        WITH_SITE(a_thread_can_be_stopped_and_started_again),
        WITH_SITE(a_stop_loses_no_request),
        WITH_SITE(a_server_can_be_freed_while_it_runs),
        WITH_SITE(the_thread_takes_no_signals),
        WITH_SITE(sockets_can_be_opened_while_it_runs),
        WITH_SITE(closing_a_socket_closes_its_clients_only),
        WITH_SITE(closing_waits_for_the_query_under_way),
        WITH_SITE(a_server_can_not_be_used_from_inside_its_collect),
        WITH_SITE(nor_from_its_own_thread),
        cmocka_unit_test(options_without_a_size_are_refused),
        cmocka_unit_test(older_options_are_taken),
        cmocka_unit_test(newer_options_are_taken_if_they_ask_for_nothing_new),
        cmocka_unit_test(options_that_are_zero_are_the_defaults),
        cmocka_unit_test(freeing_null_is_allowed),
        WITH_SITE(there_may_be_clients_max_clients),
        WITH_SITE(clients_of_one_vm_never_push_out_those_of_another),
        WITH_SITE(beyond_memory_max_the_largest_client_goes),
        WITH_SITE(one_client_may_use_all_memory_but_no_more),
        WITH_SITE(a_half_closed_connection_is_answered),
        WITH_SITE(half_a_message_is_an_error_at_the_end),
        WITH_SITE(a_hundred_requests_at_once_are_answered_in_order),
        WITH_SITE(a_request_may_come_byte_by_byte),
        WITH_SITE(a_client_that_does_not_read_is_not_read_from),
        WITH_SITE(a_client_that_never_reads_can_go),
        WITH_SITE(a_reply_that_nobody_reads_is_not_written),
        WITH_SITE(who_waits_at_a_gate_has_no_turn_until_it_may_have_opened),
        WITH_SITE(a_client_may_say_no_more_than_one_long_request),
        WITH_SITE(a_client_may_go_in_the_middle_of_a_reply),
        WITH_SITE(a_provider_may_go_in_the_middle_of_a_reply),
        WITH_SITE(a_listener_may_be_closed_in_the_middle_of_a_reply),
        WITH_SITE(a_busy_client_does_not_keep_others_waiting),
        WITH_SITE(an_edge_triggered_loop_serves_all),
        WITH_SITE(an_edge_triggered_loop_takes_a_long_request),
        WITH_SITE(noise_is_slowed_down_but_answered_in_the_end),
        WITH_SITE(a_few_errors_are_no_noise),
        WITH_SITE(a_noisy_client_can_go),
        WITH_SITE(without_an_fd_a_client_is_closed_not_left_waiting),
        cmocka_unit_test(a_server_needs_fds),
        WITH_SITE(a_visit_is_not_on_the_next_users_account),
    };

    return cmocka_run_group_tests_name("the server", tests, NULL, NULL);
}
