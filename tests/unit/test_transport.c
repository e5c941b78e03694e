/* SPDX-License-Identifier: MIT */
/*
 * What the server does for any protocol: turns, output that nobody asked for, descriptors, limits.
 * The protocol here is a parrot's: it says hello, repeats each line, and says goodbye.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "files.h"
#include "peer.h"
#include "server/internal.h"

/* ---- the protocol --------------------------------------------------------------------------- */

enum { FDS_MAX = 1 + PROTOCOL_FDS_MAX };

/* Whether turns pass while another thread waits for the server's lock. */
struct watch {
    atomic_uint visits; /* that are over */
    unsigned seen;
    bool waits;
    atomic_uint turns, overtaken;
};

struct parrot {
    struct protocol protocol;
    struct watch *watch;
    struct buf line;    /* under way */
    const char *to_say; /* without being asked, before the count */
    int said;           /* how often it did */
    bool again;         /* it wants to say more each time */
    uint64_t slow_ns;   /* it takes so long to repeat a line */
    int repeated;
    int fds[FDS_MAX]; /* those that came */
    uint32_t n_fds;
    int *freed;
};

static struct parrot *parrot_of(struct protocol *protocol)
{
    return (struct parrot *)protocol;
}

static void greet(struct protocol *protocol, struct buf *out)
{
    (void)protocol;
    buf_puts(out, "hello\r\n");
}

static void take_time(uint64_t ns)
{
    uint64_t end = clock_now_ns() + ns;

    while (clock_now_ns() < end)
        ;
}

static void repeat_line(struct parrot *parrot, struct buf *out)
{
    take_time(parrot->slow_ns);
    parrot->repeated++;
    parrot->protocol.refused = parrot->line.len && parrot->line.data[0] == '@';
    if (parrot->line.len == 3 && !memcmp(parrot->line.data, "die", 3))
        out->failed = true;
    buf_append(out, parrot->line.data, parrot->line.len);
    buf_puts(out, "\r\n");
    buf_free(&parrot->line);
}

static size_t feed(struct protocol *protocol, const void *bytes, size_t len, struct buf *out)
{
    struct parrot *parrot = parrot_of(protocol);
    const char *newline = len ? memchr(bytes, '\n', len) : NULL;

    buf_append(&parrot->line, bytes, newline ? (size_t)(newline - (const char *)bytes) : len);
    if (!newline)
        return len;
    repeat_line(parrot, out);
    return (size_t)(newline + 1 - (const char *)bytes);
}

static bool take_fds(struct protocol *protocol, const int *fds, uint32_t count)
{
    struct parrot *parrot = parrot_of(protocol);

    assert_true(count <= PROTOCOL_FDS_MAX && parrot->n_fds + count <= FDS_MAX);
    memcpy(&parrot->fds[parrot->n_fds], fds, count * sizeof(*fds));
    parrot->n_fds += count;
    return true;
}

/* A visit that waits can't be over before the turn is: nothing else comes between the two looks. */
static void look_who_waits(struct parrot *parrot)
{
    const struct vitals_server *server = parrot->protocol.transport->server;
    struct watch *watch = parrot->watch;

    if (watch->waits && server->n_visitors && watch->seen == watch->visits)
        watch->overtaken++;
    take_time(20 * 1000);
    watch->waits = server->n_visitors;
    watch->seen = watch->visits;
    watch->turns++;
    transport_request_write(parrot->protocol.transport);
}

static void write_unasked(struct protocol *protocol, struct buf *out)
{
    struct parrot *parrot = parrot_of(protocol);

    if (parrot->watch) {
        look_who_waits(parrot);
        return;
    }
    buf_printf(out, "%s %d\r\n", parrot->to_say, ++parrot->said);
    if (parrot->again)
        transport_request_write(protocol->transport);
}

static void finish(struct protocol *protocol, struct buf *out)
{
    (void)protocol;
    buf_puts(out, "goodbye\r\n");
}

static size_t memory(const struct protocol *protocol)
{
    return ((const struct parrot *)protocol)->line.cap;
}

static void free_parrot(struct protocol *protocol)
{
    struct parrot *parrot = parrot_of(protocol);

    while (parrot->n_fds)
        close(parrot->fds[--parrot->n_fds]);
    buf_free(&parrot->line);
    ++*parrot->freed;
    free(parrot);
}

static const struct protocol_ops with_fds = {.greet = greet,
                                             .feed = feed,
                                             .take_fds = take_fds,
                                             .write = write_unasked,
                                             .finish = finish,
                                             .memory = memory,
                                             .free = free_parrot};
static const struct protocol_ops without_fds = {
    .greet = greet, .feed = feed, .finish = finish, .memory = memory, .free = free_parrot};

/* ---- helpers -------------------------------------------------------------------------------- */

struct cage {
    struct vitals_server *server;
    struct parrot *parrot; /* until it is freed */
    struct peer peer;
    int freed;
};

static void put_in(struct cage *cage, const struct protocol_ops *ops)
{
    struct parrot *parrot = calloc(1, sizeof(*parrot));
    int fd = peer_pair(&cage->peer, cage->server);

    parrot->protocol.ops = ops;
    parrot->to_say = "unasked";
    parrot->freed = &cage->freed;
    check_ok(transport_open(cage->server, fd, &parrot->protocol, NULL));
    cage->parrot = parrot;
}

static int open_cage(void **state)
{
    struct cage *cage = calloc(1, sizeof(*cage));

    cage->server = new_server();
    put_in(cage, &with_fds);
    *state = cage;
    return 0;
}

static int close_cage(void **state)
{
    struct cage *cage = *state;

    vitals_server_free(cage->server);
    assert_int_equal(cage->freed, 1);
    peer_close(&cage->peer);
    free(cage);
    return 0;
}

static void request_write(struct cage *cage)
{
    pthread_mutex_lock(&cage->server->lock);
    transport_request_write(cage->parrot->protocol.transport);
    pthread_mutex_unlock(&cage->server->lock);
}

static bool is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) > 0;
}

/* Sends @text with @count descriptors of /dev/null. False: the kernel refuses them. */
static bool try_send_fds(struct peer *peer, const char *text, uint32_t count)
{
    char control[CMSG_SPACE(FDS_MAX * sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec part = {.iov_base = (char *)text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fds[FDS_MAX];
    uint32_t i;
    ssize_t n;

    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS,
                               .cmsg_len = CMSG_LEN(count * sizeof(int))};
    for (i = 0; i < count; i++)
        fds[i] = open("/dev/null", O_RDONLY);
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    n = sendmsg(peer->fd, &message, MSG_NOSIGNAL);
    while (i)
        close(fds[--i]);
    return n == (ssize_t)strlen(text);
}

static void send_fds(struct peer *peer, const char *text, uint32_t count)
{
    assert_true(try_send_fds(peer, text, count));
}

/* A line longer than a socket takes at once, and how it is answered. */
enum { LONG_LINE = 600 * 1000 };

static void send_long_line(struct peer *peer)
{
    char *text = malloc(LONG_LINE + 2);

    memset(text, 'x', LONG_LINE);
    strcpy(text + LONG_LINE, "\n");
    peer_send(peer, text);
    free(text);
}

/* ---- conversations -------------------------------------------------------------------------- */

static void a_protocol_greets_answers_and_ends(void **state)
{
    struct cage *cage = *state;

    assert_line(&cage->peer, "hello");
    peer_send(&cage->peer, "one\ntwo\nth");
    assert_line(&cage->peer, "one");
    assert_line(&cage->peer, "two");
    peer_send(&cage->peer, "ree\n");
    assert_line(&cage->peer, "three");
    shutdown(cage->peer.fd, SHUT_WR);
    assert_line(&cage->peer, "goodbye");
    assert_closed(&cage->peer);
    assert_int_equal(cage->freed, 1);
    assert_int_equal(cage->server->n_clients, 0);
}

static void output_that_failed_ends_the_conversation(void **state)
{
    struct cage *cage = *state;

    assert_line(&cage->peer, "hello");
    peer_send(&cage->peer, "one\ndie\ntwo\n");
    assert_line(&cage->peer, "one");
    assert_closed(&cage->peer);
}

static void what_a_protocol_holds_is_counted(void **state)
{
    struct cage *cage = *state;

    assert_line(&cage->peer, "hello");
    peer_send(&cage->peer, "a line under way");
    settle(cage->server);
    assert_int_equal(cage->server->held, cage->parrot->line.cap);
    peer_send(&cage->peer, "\n");
    assert_line(&cage->peer, "a line under way");
    settle(cage->server);
    assert_int_equal(cage->server->held, 0);
}

/* ---- output that nobody asked for ----------------------------------------------------------- */

static void a_protocol_may_write_unasked(void **state)
{
    struct cage *cage = *state;

    assert_line(&cage->peer, "hello");
    settle(cage->server);
    assert_false(is_readable(vitals_server_fd(cage->server)));
    request_write(cage);
    assert_true(is_readable(vitals_server_fd(cage->server)));
    assert_line(&cage->peer, "unasked 1");
    settle(cage->server);
    assert_false(is_readable(vitals_server_fd(cage->server)));
    peer_send(&cage->peer, "one\n");
    assert_line(&cage->peer, "one");
}

static void what_is_requested_twice_is_written_once(void **state)
{
    struct cage *cage = *state;

    request_write(cage);
    request_write(cage);
    assert_line(&cage->peer, "hello");
    assert_line(&cage->peer, "unasked 1");
    settle(cage->server);
    assert_int_equal(cage->parrot->said, 1);
}

static void who_always_writes_still_lets_others_have_their_turn(void **state)
{
    struct cage *cage = *state, other = {.server = cage->server};

    cage->parrot->again = true;
    request_write(cage);
    put_in(&other, &with_fds);
    assert_line(&other.peer, "hello");
    peer_send(&other.peer, "one\n");
    assert_line(&other.peer, "one");
    assert_true(cage->parrot->said > 0);
    cage->parrot->again = false;
    peer_close(&other.peer);
    settle(cage->server);
    assert_int_equal(other.freed, 1);
}

static void it_waits_until_the_reply_is_taken(void **state)
{
    struct cage *cage = *state;

    assert_line(&cage->peer, "hello");
    send_long_line(&cage->peer);
    settle(cage->server);
    assert_true(cage->server->held >= LONG_LINE / 2);
    request_write(cage);
    settle(cage->server);
    assert_int_equal(cage->parrot->said, 0);
    assert_int_equal(strlen(peer_line(&cage->peer)), LONG_LINE);
    assert_line(&cage->peer, "unasked 1");
}

static void the_pause_behind_noise_does_not_lose_it(void **state)
{
    struct cage *cage = *state;
    int i;

    assert_line(&cage->peer, "hello");
    for (i = 0; i <= NOISE_MESSAGES; i++)
        peer_send(&cage->peer, "@\n");
    for (i = 0; i <= NOISE_MESSAGES; i++)
        assert_line(&cage->peer, "@");
    request_write(cage);
    assert_line(&cage->peer, "unasked 1");
}

static void a_thread_that_waits_is_woken(void **state)
{
    struct cage *cage = *state;
    int i;

    assert_line(&cage->peer, "hello");
    check_ok(vitals_server_start(cage->server));
    cage->peer.server = NULL;
    for (i = 1; i <= 20; i++) {
        char expected[32];

        request_write(cage);
        snprintf(expected, sizeof(expected), "unasked %d", i);
        assert_line(&cage->peer, expected);
    }
}

/* ---- turns ---------------------------------------------------------------------------------- */

enum { CROWD = 50, BUDGET_NS = VITALS_BUDGET_US * 1000 };

/* Slow ones, each with some lines to repeat. */
static void crowd_in(struct vitals_server *server, struct cage crowd[CROWD])
{
    int i;

    for (i = 0; i < CROWD; i++) {
        crowd[i] = (struct cage){.server = server};
        put_in(&crowd[i], &with_fds);
        crowd[i].parrot->slow_ns = BUDGET_NS;
        assert_line(&crowd[i].peer, "hello");
        peer_send(&crowd[i].peer, "1\n2\n3\n4\n5\n6\n7\n8\n");
    }
}

static int repeated_by(const struct cage crowd[CROWD])
{
    int n = 0, i;

    for (i = 0; i < CROWD; i++)
        n += crowd[i].parrot->repeated;
    return n;
}

static void crowd_out(struct cage crowd[CROWD])
{
    int i;

    for (i = 0; i < CROWD; i++) {
        crowd[i].parrot->slow_ns = 0;
        peer_close(&crowd[i].peer);
    }
    settle(crowd[0].server);
    for (i = 0; i < CROWD; i++)
        assert_int_equal(crowd[i].freed, 1);
}

static void make_user(struct cage *cage, uid_t user)
{
    struct turn *turn = &cage->parrot->protocol.transport->turn;

    turns_leave(&cage->server->turns, turn);
    if (turns_join(&cage->server->turns, turn, user))
        abort();
}

static void a_call_ends_with_the_turn_that_uses_up_its_budget(void **state)
{
    struct cage *cage = *state, crowd[CROWD];
    int i;

    crowd_in(cage->server, crowd);
    for (i = 1; i <= 2 * CROWD; i++) {
        assert_true(process(cage->server));
        assert_int_equal(repeated_by(crowd), i);
        assert_true(is_readable(vitals_server_fd(cage->server)));
    }
    crowd_out(crowd);
}

static void the_budget_is_an_option(void **state)
{
    static const struct vitals_server_options options = {VITALS_SERVER_OPTIONS_INIT,
                                                         .budget_us = 3600u * 1000 * 1000};
    struct cage crowd[CROWD];
    struct vitals_server *server;

    (void)state;
    check_ok(vitals_server_new(&options, &server));
    crowd_in(server, crowd);
    process(server);
    assert_int_equal(repeated_by(crowd), 8 * CROWD);
    crowd_out(crowd);
    vitals_server_free(server);
}

static void clients_of_a_crowd_have_turns_in_order(void **state)
{
    struct cage *cage = *state, crowd[CROWD];
    int i;

    crowd_in(cage->server, crowd);
    for (i = 0; i < CROWD; i++)
        process(cage->server);
    for (i = 0; i < CROWD; i++)
        assert_int_equal(crowd[i].parrot->repeated, 1);
    crowd_out(crowd);
}

/* What its user has had, and not how many clients others have, says when it is its turn. */
static void who_comes_behind_a_crowd_is_served_before_it(void **state)
{
    struct cage *cage = *state, crowd[CROWD];
    int i;

    assert_line(&cage->peer, "hello");
    crowd_in(cage->server, crowd);
    for (i = 0; i < CROWD; i++)
        make_user(&crowd[i], 1);
    make_user(cage, 2);
    process(cage->server);
    peer_send(&cage->peer, "one\n");
    assert_int_equal(repeated_by(crowd), 1);
    process(cage->server);
    assert_true(repeated_by(crowd) <= 2);
    assert_true(is_readable(cage->peer.fd));
    assert_line(&cage->peer, "one");
    crowd_out(crowd);
}

/* Such as one whose requests are so long that they come in many parts. */
static void who_asks_little_is_served_before_others_of_its_user(void **state)
{
    struct cage *cage = *state, crowd[CROWD];
    int i;

    assert_line(&cage->peer, "hello");
    crowd_in(cage->server, crowd);
    for (i = 0; i < CROWD; i++)
        process(cage->server);
    peer_send(&cage->peer, "one\n");
    process(cage->server);
    assert_true(repeated_by(crowd) <= CROWD + 1);
    assert_line(&cage->peer, "one");
    crowd_out(crowd);
}

/* A reply that has to be sent in parts is a part of the request. */
static void what_is_answered_counts_no_more(void **state)
{
    struct cage *cage = *state;
    const struct share *share = &cage->parrot->protocol.transport->turn.share;

    assert_line(&cage->peer, "hello");
    peer_send(&cage->peer, "half a line");
    settle(cage->server);
    assert_true(share->had_ns > 0);
    send_long_line(&cage->peer);
    settle(cage->server);
    assert_true(cage->server->held > 0);
    assert_true(share->had_ns > 0);
    assert_int_equal(strlen(peer_line(&cage->peer)), strlen("half a line") + LONG_LINE);
    settle(cage->server);
    assert_int_equal(share->had_ns, 0);
}

/* As the one that makes a socket, or closes one, while clients keep the server busy. */
static void another_thread_waits_for_one_turn(void **state)
{
    enum { VISITS = 500 };
    struct cage *cage = *state;
    struct watch watch = {0};
    unsigned turns;
    int i;

    assert_line(&cage->peer, "hello");
    cage->parrot->watch = &watch;
    request_write(cage);
    check_ok(vitals_server_start(cage->server));
    for (i = 0; i < VISITS; i++) {
        for (turns = watch.turns; watch.turns == turns;)
            sched_yield();
        check_ok(vitals_server_close_clients(cage->server, (const struct vitals_ctx *)cage));
        watch.visits++;
    }
    check_ok(vitals_server_stop(cage->server));
    assert_int_equal(watch.overtaken, 0);
    cage->parrot->watch = NULL;
}

/* ---- clients that take nothing -------------------------------------------------------------- */

static void come_to_its_limit(struct cage *cage)
{
    pthread_mutex_lock(&cage->server->lock);
    transport_stalled(cage->parrot->protocol.transport);
    pthread_mutex_unlock(&cage->server->lock);
}

static bool is_watched_for_stall(const struct cage *cage)
{
    return cage->parrot->protocol.transport->stall.at_ms;
}

static void who_takes_nothing_of_its_reply_is_closed(void **state)
{
    struct cage *cage = *state;

    assert_line(&cage->peer, "hello");
    assert_false(is_watched_for_stall(cage));
    send_long_line(&cage->peer);
    settle(cage->server);
    assert_true(is_watched_for_stall(cage));
    come_to_its_limit(cage);
    assert_int_equal(cage->freed, 1);
    assert_int_equal(cage->server->n_clients, 0);
}

/* So little that the socket has no room for more. */
static void who_takes_a_little_of_its_reply_is_kept(void **state)
{
    struct cage *cage = *state;
    char bytes[100];
    int i;

    assert_line(&cage->peer, "hello");
    send_long_line(&cage->peer);
    settle(cage->server);
    for (i = 0; i < 700; i++)
        assert_int_equal(recv(cage->peer.fd, bytes, sizeof(bytes), 0), sizeof(bytes));
    come_to_its_limit(cage);
    assert_int_equal(cage->freed, 0);
    assert_true(is_watched_for_stall(cage));
    while (cage->server->held) {
        assert_true(recv(cage->peer.fd, bytes, sizeof(bytes), 0) > 0);
        settle(cage->server);
    }
    assert_false(is_watched_for_stall(cage));
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static void descriptors_come_in_order(void **state)
{
    struct cage *cage = *state;
    uint32_t i;

    assert_line(&cage->peer, "hello");
    send_fds(&cage->peer, "one\n", 1);
    send_fds(&cage->peer, "two\n", PROTOCOL_FDS_MAX);
    peer_send(&cage->peer, "three\n");
    assert_line(&cage->peer, "one");
    assert_line(&cage->peer, "two");
    assert_line(&cage->peer, "three");
    assert_int_equal(cage->parrot->n_fds, 1 + PROTOCOL_FDS_MAX);
    for (i = 0; i < cage->parrot->n_fds; i++)
        assert_int_equal(fcntl(cage->parrot->fds[i], F_GETFD), FD_CLOEXEC);
}

/* A thread of its own closes it. */
static void wait_for_open_fds(int n)
{
    for (int ms = 0; ms < 30 * 1000 && count_open_files() != n; ms++)
        usleep(1000);
    assert_int_equal(count_open_files(), n);
}

/* A message comes as a whole or not at all. */
static void descriptors_without_room_close_the_client(void **state)
{
    struct cage *cage = *state;
    int before = count_open_files();
    struct rlimit limit, low;

    assert_line(&cage->peer, "hello");
    send_fds(&cage->peer, "one\n", 2);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = (struct rlimit){.rlim_cur = (rlim_t)dup(cage->peer.fd) + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    close((int)low.rlim_cur - 1);
    assert_closed(&cage->peer);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(cage->freed, 1);
    wait_for_open_fds(before - 1); /* the client's own */
}

/* The kernel refuses them, or, before Linux 6.16, the client is closed. */
static void descriptors_that_nobody_wants_do_not_come(void **state)
{
    struct cage *cage = *state, other = {.server = cage->server};
    bool refused;
    int before;

    put_in(&other, &without_fds);
    assert_line(&other.peer, "hello");
    before = count_open_files();
    refused = !try_send_fds(&other.peer, "one\n", FDS_MAX);
    if (refused) {
        peer_send(&other.peer, "two\n");
        assert_line(&other.peer, "two");
        assert_int_equal(count_open_files(), before);
    } else {
        assert_closed(&other.peer);
        wait_for_open_fds(before - 1);
    }
    peer_close(&other.peer);
    settle(cage->server);
    assert_int_equal(other.freed, 1);
}

#define WITH_CAGE(test) cmocka_unit_test_setup_teardown(test, open_cage, close_cage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CAGE(a_protocol_greets_answers_and_ends),
        WITH_CAGE(output_that_failed_ends_the_conversation),
        WITH_CAGE(what_a_protocol_holds_is_counted),
        WITH_CAGE(a_protocol_may_write_unasked),
        WITH_CAGE(what_is_requested_twice_is_written_once),
        WITH_CAGE(who_always_writes_still_lets_others_have_their_turn),
        WITH_CAGE(it_waits_until_the_reply_is_taken),
        WITH_CAGE(the_pause_behind_noise_does_not_lose_it),
        WITH_CAGE(a_thread_that_waits_is_woken),
        WITH_CAGE(a_call_ends_with_the_turn_that_uses_up_its_budget),
        cmocka_unit_test(the_budget_is_an_option),
        WITH_CAGE(clients_of_a_crowd_have_turns_in_order),
        WITH_CAGE(who_comes_behind_a_crowd_is_served_before_it),
        WITH_CAGE(who_asks_little_is_served_before_others_of_its_user),
        WITH_CAGE(what_is_answered_counts_no_more),
        WITH_CAGE(another_thread_waits_for_one_turn),
        WITH_CAGE(who_takes_nothing_of_its_reply_is_closed),
        WITH_CAGE(who_takes_a_little_of_its_reply_is_kept),
        WITH_CAGE(descriptors_come_in_order),
        WITH_CAGE(descriptors_without_room_close_the_client),
        WITH_CAGE(descriptors_that_nobody_wants_do_not_come),
    };

    return cmocka_run_group_tests_name("any protocol of the server", tests, NULL, NULL);
}
