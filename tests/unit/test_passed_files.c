/* SPDX-License-Identifier: MIT */
/*
 * Files that a stranger passes: they are seen and not touched, and only a thread that does nothing
 * else closes them. Here no kernel refuses them, as before Linux 6.16.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/closer.h"
#include "base/passed_files.h"
#include "check.h"

/* ---- helpers -------------------------------------------------------------------------------- */

struct pair {
    int ours, theirs;
};

static int open_pair(void **state)
{
    struct pair *pair = malloc(sizeof(*pair));
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *pair = (struct pair){fds[0], fds[1]};
    passed_files_expect(pair->ours);
    *state = pair;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *pair = *state;

    close(pair->theirs);
    free(pair);
    return 0;
}

static void pass(const struct pair *pair, const char *text, int file, int flags)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec part = {.iov_base = (char *)text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    *header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(header), &file, sizeof(file));
    assert_int_equal(sendmsg(pair->theirs, &message, flags), strlen(text));
}

/* One end of a pipe is passed: the other end says when nobody has it any more. */
static int pass_pipe(const struct pair *pair, const char *text, int flags)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pass(pair, text, ends[1], flags);
    close(ends[1]);
    return ends[0];
}

static bool has_ended(int end, int ms)
{
    struct pollfd pollfd = {.fd = end, .events = POLLIN};

    return poll(&pollfd, 1, ms) > 0 && pollfd.revents & POLLHUP;
}

static void say(const struct pair *pair, const char *text)
{
    assert_int_equal(send(pair->theirs, text, strlen(text), 0), strlen(text));
}

#define assert_receives(pair, text)                                                                \
    do {                                                                                           \
        char bytes[64];                                                                            \
        assert_int_equal(passed_files_receive((pair)->ours, bytes, sizeof(bytes)), strlen(text));  \
        assert_memory_equal(bytes, text, strlen(text));                                            \
    } while (0)

static ssize_t receive(const struct pair *pair)
{
    char bytes[64];

    return passed_files_receive(pair->ours, bytes, sizeof(bytes));
}

/* ---- looking -------------------------------------------------------------------------------- */

static void bytes_without_files_are_received(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(receive(pair), -EAGAIN);
    say(pair, "one");
    say(pair, "two");
    assert_receives(pair, "onetwo");
    shutdown(pair->theirs, SHUT_WR);
    assert_int_equal(receive(pair), 0);
    close(pair->ours);
}

static void bytes_with_a_file_stay_with_it(void **state)
{
    struct pair *pair = *state;
    int end;

    say(pair, "one");
    end = pass_pipe(pair, "two", 0);
    say(pair, "three");
    if (receive(pair) == (ssize_t)strlen("one")) /* or the look sees both at once */
        assert_int_equal(receive(pair), -EBADMSG);
    assert_int_equal(receive(pair), -EBADMSG);
    assert_false(has_ended(end, 0));
    close(pair->ours);
    assert_true(has_ended(end, 0));
    close(end);
}

static void a_file_that_comes_out_of_band_is_seen(void **state)
{
    struct pair *pair = *state;
    int end = pass_pipe(pair, "!", MSG_OOB);

    say(pair, "two");
    assert_int_equal(receive(pair), -EBADMSG);
    assert_false(has_ended(end, 0));
    close(pair->ours);
    close(end);
}

static void a_queue_without_files_is_taken(void **state)
{
    struct pair *pair = *state;
    char bytes[50 * 1000] = {0};

    assert_int_equal(send(pair->theirs, bytes, sizeof(bytes), 0), sizeof(bytes));
    assert_true(passed_files_drain(pair->ours));
    assert_int_equal(send(pair->theirs, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    close(pair->ours);
}

static void a_queue_with_files_is_left(void **state)
{
    struct pair *pair = *state;
    int end;

    say(pair, "one");
    end = pass_pipe(pair, "two", 0);
    assert_false(passed_files_drain(pair->ours));
    assert_false(has_ended(end, 0));
    close(pair->ours);
    close(end);
}

/* A socket's own file may be in its queue: then nobody else has it. */
static void the_own_file_of_a_peer_is_seen(void **state)
{
    struct pair *pair = *state;

    pass(pair, "me", pair->theirs, 0);
    assert_false(passed_files_drain(pair->ours));
    close(pair->ours);
}

/* ---- refusing ------------------------------------------------------------------------------- */

/* Where the kernel can. */
static void files_are_refused_from_then_on(void **state)
{
    struct pair *pair = *state;
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec part = {.iov_base = "x", .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};

    assert_false(passed_files_refuse(pair->ours)); /* some may be there */
    if (!passed_files_refuse(pair->ours)) {
        close(pair->ours);
        print_message("the kernel is older than 6.16\n");
        skip();
    }
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    assert_int_equal(sendmsg(pair->theirs, &message, 0), -1);
    assert_int_equal(errno, EPERM);
    close(pair->ours);
}

/* ---- closing -------------------------------------------------------------------------------- */

struct slow_file {
    int file, peer; /* closing the file takes until the peer is closed, or an hour */
};

static struct slow_file make_slow_file(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct linger linger = {.l_onoff = 1, .l_linger = 3600};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct slow_file slow = {.file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    socklen_t len = sizeof(address);
    char bytes[4096] = {0};
    int i;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &len);
    assert_int_equal(connect(slow.file, (struct sockaddr *)&address, sizeof(address)), 0);
    slow.peer = accept(listener, NULL, NULL);
    close(listener);
    setsockopt(slow.file, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    for (i = 0; i < 3; i++) { /* what was sent may still be on its way */
        while (send(slow.file, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            i = 0;
        usleep(5 * 1000);
    }
    return slow;
}

static bool wait_for_pending(const struct closer *closer, uint32_t n)
{
    for (int ms = 0; ms < 30 * 1000 && closer_pending(closer) != n; ms++)
        usleep(1000);
    return closer_pending(closer) == n;
}

static void what_is_slow_to_close_keeps_nobody_waiting(void **state)
{
    enum { N = CLOSER_THREADS_MAX + 4 };
    struct closer *closer = closer_new();
    int peers[N], i;

    (void)state;
    for (i = 0; i < N; i++) {
        struct slow_file slow = make_slow_file();

        peers[i] = slow.peer;
        closer_take(closer, slow.file);
    }
    usleep(20 * 1000);
    assert_int_equal(closer_pending(closer), N);
    for (i = 0; i < N; i++)
        close(peers[i]);
    assert_true(wait_for_pending(closer, 0));
    closer_free(closer);
}

static void a_closer_that_is_freed_closes_what_it_has(void **state)
{
    struct closer *closer = closer_new();
    struct slow_file slow = make_slow_file();
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    closer_take(closer, slow.file);
    closer_take(closer, ends[1]);
    closer_free(closer);
    assert_true(has_ended(ends[0], 30 * 1000));
    close(slow.peer);
    close(ends[0]);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(bytes_without_files_are_received),
        WITH_PAIR(bytes_with_a_file_stay_with_it),
        WITH_PAIR(a_file_that_comes_out_of_band_is_seen),
        WITH_PAIR(a_queue_without_files_is_taken),
        WITH_PAIR(a_queue_with_files_is_left),
        WITH_PAIR(the_own_file_of_a_peer_is_seen),
        WITH_PAIR(files_are_refused_from_then_on),
        cmocka_unit_test(what_is_slow_to_close_keeps_nobody_waiting),
        cmocka_unit_test(a_closer_that_is_freed_closes_what_it_has),
    };

    return cmocka_run_group_tests_name("files that strangers pass", tests, NULL, NULL);
}
