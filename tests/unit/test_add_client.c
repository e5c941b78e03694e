/* SPDX-License-Identifier: MIT */
/* Clients whose connections were made elsewhere: which fd may be one, and what ends it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "peer.h"
#include "server/internal.h"

/* ---- helpers -------------------------------------------------------------------------------- */

struct site {
    struct vitals_server *server;
    struct vitals_ctx *ctx;
    struct fake fake, other; /* live until their context is freed */
};

static int open_site(void **state)
{
    struct site *site = calloc(1, sizeof(*site));

    site->server = new_server();
    site->ctx = new_ctx();
    *state = site;
    return make_dir(state) ? -1 : 0;
}

static int close_site(void **state)
{
    struct site *site = *state;

    vitals_server_free(site->server);
    check_ok(vitals_ctx_free(site->ctx));
    free(site);
    return remove_dir(state);
}

static int add_fd(struct site *site, int fd)
{
    return vitals_server_add_client(site->server, site->ctx, fd, NULL);
}

/* Returns the server's end. */
static int add_peer(struct site *site, struct peer *peer)
{
    int fd = peer_pair(peer, site->server->has_thread ? NULL : site->server);

    check_ok(add_fd(site, fd));
    return fd;
}

/* Refused, and still the caller's. */
static void assert_refused(struct site *site, int fd, int err)
{
    check_error(add_fd(site, fd), err);
    assert_int_equal(close(fd), 0);
    assert_int_equal(site->server->n_clients, 0);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* ---- conversations -------------------------------------------------------------------------- */

static void an_end_of_a_socketpair_is_served(void **state)
{
    struct peer peer;
    int fd = add_peer(*state, &peer);

    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    peer_negotiate(&peer);
    assert_answers(&peer);
    peer_close(&peer);
}

static const char *first_schemas(struct site *site, enum vitals_dialect dialect, struct peer *peer)
{
    const struct vitals_client_options options = {VITALS_CLIENT_OPTIONS_INIT, .dialect = dialect};
    int fd = peer_pair(peer, site->server);

    check_ok(vitals_server_add_client(site->server, site->ctx, fd, &options));
    peer_negotiate(peer);
    peer_send(peer, "{'execute':'query-stats-schemas'}\n");
    return peer_line(peer);
}

static void each_client_has_its_dialect(void **state)
{
    struct site *site = *state;
    struct peer grouped, flat;

    site->fake = (struct fake){.provider = "sched", .target = "vm", .names = {"runs"}};
    check_ok(fake_register(site->ctx, &site->fake, NULL));
    assert_contains(first_schemas(site, VITALS_DIALECT_GROUPED, &grouped),
                    "{\"vm\": [{\"provider\"");
    assert_contains(first_schemas(site, VITALS_DIALECT_FLAT, &flat), "\"target\": \"vm\"");
    peer_close(&grouped);
    peer_close(&flat);
}

static void ask_schemas(struct peer *peer)
{
    peer_send(peer, "{'execute':'query-stats-schemas'}\n");
}

/* Of two clients of a VM. The text may be gone meanwhile. */
static void each_client_has_its_providers(void **state)
{
    struct site *site = *state;
    char names[] = "later,other";
    const struct vitals_client_options options = {VITALS_CLIENT_OPTIONS_INIT, .providers = names};
    struct peer chosen, all;
    int fd = peer_pair(&chosen, site->server);

    site->fake = (struct fake){.provider = "sched", .target = "vm", .names = {"runs"}};
    site->other = (struct fake){.provider = "other", .target = "vm", .names = {"stops"}};
    check_ok(fake_register(site->ctx, &site->fake, NULL));
    check_ok(vitals_server_add_client(site->server, site->ctx, fd, &options));
    memset(names, 'x', sizeof(names) - 1);
    add_peer(site, &all);
    peer_negotiate(&chosen);
    peer_negotiate(&all);
    ask_schemas(&chosen);
    assert_line(&chosen, "{\"return\": {}}");
    check_ok(fake_register(site->ctx, &site->other, NULL));
    ask_schemas(&chosen);
    assert_contains(peer_line(&chosen), "{\"vm\": [{\"provider\": \"other\"");
    ask_schemas(&all);
    assert_contains(peer_line(&all), "{\"vm\": [{\"provider\": \"sched\"");
    peer_close(&chosen);
    peer_close(&all);
}

static void a_connection_accepted_elsewhere_is_served(void **state)
{
    int listening = listening_fd(in_dir("other.sock"));
    struct site *site = *state;
    struct peer peer;

    check_ok(peer_connect(&peer, site->server, in_dir("other.sock")));
    check_ok(add_fd(site, accept(listening, NULL, NULL)));
    peer_negotiate(&peer);
    assert_answers(&peer);
    peer_close(&peer);
    close(listening);
}

/* Whoever made it may have left it blocking: the server must not wait for it. */
static void a_client_that_does_not_read_keeps_nobody_waiting(void **state)
{
    struct site *site = *state;
    struct peer lazy, other;
    int i;

    add_peer(site, &lazy);
    for (i = 0; i < 5000; i++)
        assert_true(send(lazy.fd, QUERY_NAME, strlen(QUERY_NAME), MSG_DONTWAIT) > 0 ||
                    errno == EAGAIN);
    settle(site->server);
    add_peer(site, &other);
    peer_negotiate(&other);
    assert_answers(&other);
    peer_close(&lazy);
    peer_close(&other);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void it_is_closed_when_the_peer_closes(void **state)
{
    struct site *site = *state;
    struct peer peer;
    int fd = add_peer(site, &peer);

    peer_negotiate(&peer);
    peer_close(&peer);
    settle(site->server);
    assert_false(is_open(fd));
    assert_int_equal(site->server->n_clients, 0);
}

static void a_peer_that_has_gone_already_is_no_error(void **state)
{
    struct site *site = *state;
    struct peer peer;
    int fd = peer_pair(&peer, site->server);

    peer_close(&peer);
    check_ok(add_fd(site, fd));
    settle(site->server);
    assert_false(is_open(fd));
    assert_int_equal(site->server->n_clients, 0);
}

static void it_is_closed_when_the_server_is_freed(void **state)
{
    struct site other = {.server = new_server(), .ctx = ((struct site *)*state)->ctx};
    struct peer peer;
    int fd = add_peer(&other, &peer);

    peer_negotiate(&peer);
    vitals_server_free(other.server);
    peer.server = NULL;
    assert_closed(&peer);
    assert_false(is_open(fd));
    peer_close(&peer);
}

static void the_clients_of_one_context_can_be_closed(void **state)
{
    struct site *site = *state, other = {.server = site->server, .ctx = new_ctx()};
    struct peer stays, added, accepted, again;

    listen_at(site->server, other.ctx, in_dir("qmp.sock"));
    add_peer(site, &stays);
    add_peer(&other, &added);
    peer_open(&accepted, site->server, in_dir("qmp.sock"));
    peer_negotiate(&stays);
    peer_negotiate(&added);
    check_ok(vitals_server_close_clients(site->server, other.ctx));
    assert_closed(&added);
    assert_closed(&accepted);
    assert_answers(&stays);
    peer_open(&again, site->server, in_dir("qmp.sock")); /* the socket listens still */
    check_ok(vitals_server_close_clients(site->server, other.ctx));
    assert_closed(&again);
    vitals_server_free(site->server);
    site->server = NULL;
    check_ok(vitals_ctx_free(other.ctx));
    peer_close(&stays);
    peer_close(&added);
    peer_close(&accepted);
    peer_close(&again);
}

static void closing_the_socket_does_not_close_it(void **state)
{
    struct site *site = *state;
    struct vitals_listener *listener = listen_at(site->server, site->ctx, in_dir("qmp.sock"));
    struct peer peer;

    add_peer(site, &peer);
    peer_negotiate(&peer);
    check_ok(vitals_listener_close(listener));
    assert_answers(&peer);
    peer_close(&peer);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static int pair_of(int domain, int type)
{
    int fds[2];

    assert_int_equal(socketpair(domain, type, 0, fds), 0);
    close(fds[1]);
    return fds[0];
}

static void what_is_no_connected_stream_is_refused(void **state)
{
    struct site *site = *state;
    int pipes[2];

    assert_int_equal(pipe(pipes), 0);
    close(pipes[1]);
    assert_refused(site, pipes[0], ENOTSOCK);
    assert_refused(site, open("/dev/null", O_RDWR), ENOTSOCK);
    assert_refused(site, pair_of(AF_UNIX, SOCK_DGRAM), EINVAL);
    assert_refused(site, pair_of(AF_UNIX, SOCK_SEQPACKET), EINVAL);
    assert_refused(site, socket(AF_INET, SOCK_STREAM, 0), EINVAL);
    assert_refused(site, socket(AF_UNIX, SOCK_STREAM, 0), ENOTCONN);
    assert_refused(site, listening_fd(in_dir("listening.sock")), ENOTCONN);
    check_error(add_fd(site, -1), EBADF);
}

static void an_fd_is_served_once(void **state)
{
    struct site *site = *state;
    struct peer peer;
    int fd = add_peer(site, &peer);

    check_error(add_fd(site, fd), EEXIST);
    peer_negotiate(&peer);
    assert_answers(&peer);
    peer_close(&peer);
}

static void refuse_options(struct site *site, const struct vitals_client_options *options, int err)
{
    struct peer peer;
    int fd = peer_pair(&peer, site->server);

    check_error(vitals_server_add_client(site->server, site->ctx, fd, options), err);
    assert_int_equal(close(fd), 0);
    assert_closed(&peer); /* it was told nothing */
    peer_close(&peer);
}

static void wrong_options_leave_the_fd_with_the_caller(void **state)
{
    const struct vitals_client_options dialect = {VITALS_CLIENT_OPTIONS_INIT,
                                                  .dialect = (enum vitals_dialect)99};
    const struct vitals_client_options reserved = {VITALS_CLIENT_OPTIONS_INIT, .reserved = 1};
    const struct vitals_client_options size = {.size = sizeof(size_t) - 1};
    const struct {
        struct vitals_client_options options;
        uint64_t added_later;
    } newer = {.options = {.size = sizeof(newer)}, .added_later = 7};
    struct site *site = *state;
    char text[200];

    refuse_options(site, &dialect, EINVAL);
    refuse_options(site, &reserved, EINVAL);
    refuse_options(site, &size, EINVAL);
    refuse_options(site, &newer.options, E2BIG);
    vitals_error_text(site->ctx, text, sizeof(text));
    assert_contains(text, "of the struct vitals_client_options for vitals_server_add_client()");
}

static void wrong_providers_leave_the_fd_with_the_caller(void **state)
{
    const struct vitals_client_options empty = {VITALS_CLIENT_OPTIONS_INIT, .providers = "kvm,"};
    const struct vitals_client_options many = {VITALS_CLIENT_OPTIONS_INIT,
                                               .providers = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"};
    struct site *site = *state;
    char text[200];

    refuse_options(site, &empty, EINVAL);
    vitals_error_text(site->ctx, text, sizeof(text));
    assert_string_equal(text, "providers: entry 2 is empty");
    refuse_options(site, &many, E2BIG);
    vitals_error_text(site->ctx, text, sizeof(text));
    assert_string_equal(text, "providers: more than 16 names");
}

static void take_older_options(struct site *site, size_t size)
{
    const struct vitals_client_options options = {.size = size, .providers = "none"};
    struct vitals_client_options *older = older_struct(&options, size);
    struct peer peer;
    int fd = peer_pair(&peer, site->server);

    check_ok(vitals_server_add_client(site->server, site->ctx, fd, older));
    free(older);
    peer_negotiate(&peer);
    ask_schemas(&peer);
    assert_contains(peer_line(&peer), "{\"vm\": [{\"provider\": \"sched\"");
    peer_close(&peer);
}

static void older_options_are_taken(void **state)
{
    struct site *site = *state;

    site->fake = (struct fake){.provider = "sched", .target = "vm", .names = {"runs"}};
    check_ok(fake_register(site->ctx, &site->fake, NULL));
    take_older_options(site, offsetof(struct vitals_client_options, dialect));
    take_older_options(site, offsetof(struct vitals_client_options, providers));
}

/* ---- limits --------------------------------------------------------------------------------- */

static struct site limited_site(struct site *site, const struct vitals_server_options *options)
{
    struct site limited = {.ctx = site->ctx};

    check_ok(vitals_server_new(options, &limited.server));
    return limited;
}

static void it_counts_among_clients_max(void **state)
{
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT, .clients_max = 2};
    struct site site = limited_site(*state, &options);
    struct peer first, second, third;
    int fd;

    listen_at(site.server, site.ctx, in_dir("qmp.sock"));
    add_peer(&site, &first);
    peer_open(&second, site.server, in_dir("qmp.sock"));
    fd = peer_pair(&third, site.server);
    check_error(add_fd(&site, fd), EUSERS);
    peer_close(&second);
    settle(site.server);
    check_ok(add_fd(&site, fd));
    peer_negotiate(&third);
    check_ok(peer_connect(&second, site.server, in_dir("qmp.sock")));
    assert_contains(peer_line(&second), "Too many clients, at most 2");
    peer_close(&first);
    peer_close(&second);
    peer_close(&third);
    vitals_server_free(site.server);
}

static void it_counts_among_memory_max(void **state)
{
    enum { KIB = 1024 };
    const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT,
                                                  .memory_max = 64 * KIB};
    struct site site = limited_site(*state, &options);
    char text[80 * KIB + 1] = "";
    struct peer peer;

    add_peer(&site, &peer);
    peer_negotiate(&peer);
    memset(text, 'x', sizeof(text) - 1);
    peer_send(&peer, "{'id':'");
    peer_send(&peer, text);
    assert_closed(&peer);
    assert_int_equal(site.server->held, 0);
    peer_close(&peer);
    vitals_server_free(site.server);
}

/* ---- threads -------------------------------------------------------------------------------- */

static void a_thread_that_waits_serves_it(void **state)
{
    struct site *site = *state;
    struct peer peer;
    int i;

    check_ok(vitals_server_start(site->server));
    for (i = 0; i < 20; i++) {
        add_peer(site, &peer);
        peer_negotiate(&peer);
        assert_answers(&peer);
        check_ok(vitals_server_close_clients(site->server, site->ctx));
        assert_closed(&peer);
        peer_close(&peer);
    }
}

static void *add_and_ask(void *opaque)
{
    struct site *site = opaque;
    struct peer peer;
    int i;

    for (i = 0; i < 50; i++) {
        check_ok(add_fd(site, peer_pair(&peer, NULL)));
        peer_negotiate(&peer);
        assert_answers(&peer);
        peer_close(&peer);
    }
    return NULL;
}

static void threads_may_add_clients_at_a_time(void **state)
{
    struct site *site = *state;
    pthread_t threads[4];
    size_t i;

    check_ok(vitals_server_start(site->server));
    for (i = 0; i < N_ELEMENTS(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_and_ask, site), 0);
    for (i = 0; i < N_ELEMENTS(threads); i++)
        pthread_join(threads[i], NULL);
}

struct attempt {
    struct site *site;
    int fd, added, closed;
};

static void try_inside(struct fake *fake, struct vitals_sink *sink)
{
    struct attempt *attempt = fake->opaque;

    (void)sink;
    attempt->added = add_fd(attempt->site, attempt->fd);
    attempt->closed = vitals_server_close_clients(attempt->site->server, attempt->site->ctx);
}

static void none_is_added_or_closed_from_inside_collect(void **state)
{
    struct site *site = *state;
    struct attempt attempt = {.site = site};
    struct peer peer, other;

    attempt.fd = peer_pair(&other, site->server);
    site->fake = (struct fake){.provider = "sched",
                               .target = "vm",
                               .names = {"runs"},
                               .inside = try_inside,
                               .opaque = &attempt};
    check_ok(fake_register(site->ctx, &site->fake, NULL));
    add_peer(site, &peer);
    peer_negotiate(&peer);
    peer_send(&peer, "{'execute':'query-stats','arguments':{'target':'vm'}}\n");
    assert_contains(peer_line(&peer), "\"runs\"");
    check_error(attempt.added, EBUSY);
    check_error(attempt.closed, EBUSY);
    assert_int_equal(close(attempt.fd), 0);
    peer_close(&peer);
    peer_close(&other);
}

#define WITH_SITE(test) cmocka_unit_test_setup_teardown(test, open_site, close_site)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SITE(an_end_of_a_socketpair_is_served),
        WITH_SITE(each_client_has_its_dialect),
        WITH_SITE(each_client_has_its_providers),
        WITH_SITE(a_connection_accepted_elsewhere_is_served),
        WITH_SITE(a_client_that_does_not_read_keeps_nobody_waiting),
        WITH_SITE(it_is_closed_when_the_peer_closes),
        WITH_SITE(a_peer_that_has_gone_already_is_no_error),
        WITH_SITE(it_is_closed_when_the_server_is_freed),
        WITH_SITE(the_clients_of_one_context_can_be_closed),
        WITH_SITE(closing_the_socket_does_not_close_it),
        WITH_SITE(what_is_no_connected_stream_is_refused),
        WITH_SITE(an_fd_is_served_once),
        WITH_SITE(wrong_options_leave_the_fd_with_the_caller),
        WITH_SITE(wrong_providers_leave_the_fd_with_the_caller),
        WITH_SITE(older_options_are_taken),
        WITH_SITE(it_counts_among_clients_max),
        WITH_SITE(it_counts_among_memory_max),
        WITH_SITE(a_thread_that_waits_serves_it),
        WITH_SITE(threads_may_add_clients_at_a_time),
        WITH_SITE(none_is_added_or_closed_from_inside_collect),
    };

    return cmocka_run_group_tests_name("clients connected elsewhere", tests, NULL, NULL);
}
