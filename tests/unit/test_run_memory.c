/* SPDX-License-Identifier: MIT */
/* What the replies of all peers take together. */
#include "client/run_memory.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

enum { HALF = RUN_MEMORY_MAX / 2 };

struct peer {
    struct run_memory reply;
    int fds[2]; /* the client's end, and the peer's */
};

static struct peer peers[3];

static int make_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        peers[i] = (struct peer){0};
        check_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, peers[i].fds));
        run_memory_begin(&peers[i].reply, peers[i].fds[0]);
    }
    return 0;
}

static int free_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        run_memory_end(&peers[i].reply);
        close(peers[i].fds[0]);
        close(peers[i].fds[1]);
    }
    return 0;
}

/* Who waits for more of it sees the end. */
static bool is_shut_down(const struct peer *peer)
{
    char byte;

    return recv(peer->fds[0], &byte, 1, 0) == 0;
}

static int take(size_t peer, size_t size)
{
    return run_memory_take(&peers[peer].reply, size);
}

static void all_may_be_taken(void **state)
{
    (void)state;
    check_ok(take(0, HALF));
    check_ok(take(1, HALF));
    assert_false(is_shut_down(&peers[0]) || is_shut_down(&peers[1]));
}

static void of_one_byte_more_the_largest_is_refused(void **state)
{
    (void)state;
    check_ok(take(0, HALF - 1));
    check_ok(take(1, HALF));
    check_ok(take(2, 1));
    check_ok(take(2, 1));
    assert_true(is_shut_down(&peers[1]));
    assert_false(is_shut_down(&peers[0]) || is_shut_down(&peers[2]));
    assert_int_equal(take(1, 0), -ENOBUFS);
    assert_int_equal(take(1, 1), -ENOBUFS);
    run_memory_end(&peers[1].reply);
    assert_true(run_memory_was_refused(&peers[1].reply));
    check_ok(take(2, HALF - 1)); /* what was refused does not count any more */
}

static void the_largest_may_be_the_one_that_takes(void **state)
{
    (void)state;
    check_ok(take(0, HALF));
    assert_int_equal(take(1, HALF + 1), -ENOBUFS);
    assert_true(is_shut_down(&peers[1]));
    check_ok(take(0, HALF));
}

static void one_that_is_done_counts_and_is_not_refused(void **state)
{
    (void)state;
    check_ok(take(0, HALF + 1));
    check_ok(run_memory_done(&peers[0].reply));
    assert_int_equal(take(1, HALF), -ENOBUFS);
    assert_false(is_shut_down(&peers[0]));
    run_memory_end(&peers[0].reply);
    assert_false(run_memory_was_refused(&peers[0].reply));
    check_ok(take(2, RUN_MEMORY_MAX));
}

static void the_next_reply_begins_at_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        check_ok(take(0, RUN_MEMORY_MAX));
        run_memory_begin(&peers[0].reply, peers[0].fds[0]);
    }
    run_memory_end(&peers[0].reply);
    run_memory_end(&peers[0].reply);
    check_ok(take(1, RUN_MEMORY_MAX));
}

#define WITH_PEERS(test) cmocka_unit_test_setup_teardown(test, make_peers, free_peers)

/* By another one that came while its last bytes were read. */
static void what_was_refused_is_not_done(void **state)
{
    (void)state;
    check_ok(take(0, HALF));
    check_ok(take(1, HALF - 1));
    check_ok(take(2, 2));
    assert_true(is_shut_down(&peers[0]));
    assert_int_equal(run_memory_done(&peers[0].reply), -ENOBUFS);
    check_ok(run_memory_done(&peers[2].reply));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PEERS(all_may_be_taken),
        WITH_PEERS(of_one_byte_more_the_largest_is_refused),
        WITH_PEERS(the_largest_may_be_the_one_that_takes),
        WITH_PEERS(what_was_refused_is_not_done),
        WITH_PEERS(one_that_is_done_counts_and_is_not_refused),
        WITH_PEERS(the_next_reply_begins_at_nothing),
    };

    return cmocka_run_group_tests_name("replies together", tests, NULL, NULL);
}
