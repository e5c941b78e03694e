/* SPDX-License-Identifier: MIT */
/* Those whom the process beside a VMM listens to: shims that are held, and a daemon that is too slow. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "kvm/stats_fd.h"
#include "run/intake.h"
#include "run/registration.h"

bool __wrap_kvm_stats_fd_is_kernels(int fd, bool is_vm);

bool __wrap_kvm_stats_fd_is_kernels(int fd, bool is_vm)
{
    (void)is_vm;
    return fd >= 0;
}

/* Before the second connection is accepted, who has the first one tells, and then another one comes and tells. */
static const char *race_path;
static int race_held, race_accepts;

static ssize_t tell(int to, int vm_fd);
static int connect_to(const char *path, int type);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    if (race_path && ++race_accepts == 2) {
        tell(race_held, 7);
        tell(connect_to(race_path, SOCK_SEQPACKET), 8);
    }
    return __real_accept4(fd, address, len, flags);
}

static int connect_to(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    check_ok(connect(fd, (struct sockaddr *)&address, sizeof(address)));
    return fd;
}

/* ---- shims ---------------------------------------------------------------------------------- */

/* As the shim does. */
static ssize_t tell(int to, int vm_fd)
{
    struct run_message message = {.magic = RUN_MAGIC, .kind = RUN_VM, .vm_fd = vm_fd, .fd = vm_fd};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {{0}};
    struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control.bytes)};
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ssize_t n;

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
    n = sendmsg(to, &msg, MSG_NOSIGNAL);
    close(file);
    close(to);
    return n;
}

static void expect_news(struct intake *intake, int vm_fd)
{
    struct intake_news news;

    assert_true(intake_take(intake, &news));
    assert_int_equal(news.message.vm_fd, vm_fd);
    assert_int_equal(news.pid, getpid());
    close(news.file);
}

static void who_is_held_while_it_tells_is_waited_for(void **state)
{
    struct intake_news news;
    struct error_text error;
    struct intake intake;
    struct pollfd fds[2];
    int held, gone;

    (void)state;
    check_ok(intake_open(&intake, &error));
    held = connect_to(intake.path, SOCK_SEQPACKET);
    gone = connect_to(intake.path, SOCK_SEQPACKET);
    assert_int_equal(tell(connect_to(intake.path, SOCK_SEQPACKET), 7), sizeof(struct run_message));
    expect_news(&intake, 7); /* which is not behind those */
    assert_false(intake_take(&intake, &news));
    assert_int_equal(intake.n_silent, 2);
    close(gone);
    assert_false(intake_take(&intake, &news));
    assert_int_equal(intake.n_silent, 1);
    assert_int_equal(intake_poll(&intake, fds), 2);
    assert_int_equal(poll(fds, 2, 0), 0);
    assert_int_equal(tell(held, 8), sizeof(struct run_message));
    assert_int_equal(poll(fds, 2, 0), 1);
    expect_news(&intake, 8);
    assert_int_equal(intake.n_silent, 0);
    intake_close(&intake);
}

/* A VM is told before its vCPUs, which would be nobody's. */
static void what_was_told_first_is_taken_first(void **state)
{
    struct error_text error;
    struct intake intake;

    (void)state;
    check_ok(intake_open(&intake, &error));
    race_held = connect_to(intake.path, SOCK_SEQPACKET);
    race_path = intake.path;
    expect_news(&intake, 7);
    expect_news(&intake, 8);
    race_path = NULL;
    assert_int_equal(intake.n_silent, 0);
    intake_close(&intake);
}

/* ---- a daemon ------------------------------------------------------------------------------- */

static char directory[] = "/tmp/vitals-run-tellers-XXXXXX";

static int listen_as_daemon(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/register.sock", directory);
    check_ok(bind(fd, (struct sockaddr *)&address, sizeof(address)));
    check_ok(listen(fd, 1));
    return fd;
}

/* No byte comes late, but there is no end of them. It ends at last, so that a test that waits fails. */
__attribute__((noreturn)) static void speak_slowly(int listener)
{
    int client;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    client = accept(listener, NULL, NULL);
    for (int i = 0; i < 200 && send(client, "{", 1, MSG_NOSIGNAL) == 1; i++)
        usleep(100000);
    _exit(0);
}

static void a_daemon_of_a_byte_now_and_then_is_none(void **state)
{
    const struct identity identity = {.name = "web"};
    int listener, err;
    char path[128];
    pid_t daemon;

    (void)state;
    assert_non_null(mkdtemp(directory));
    listener = listen_as_daemon();
    daemon = fork();
    if (daemon == 0)
        speak_slowly(listener);
    assert_true(daemon > 0);
    err = registration_begin(directory, &identity, getpid(), STDIN_FILENO);
    kill(daemon, SIGKILL);
    assert_int_equal(waitpid(daemon, NULL, 0), daemon);
    close(listener);
    snprintf(path, sizeof(path), "%s/register.sock", directory);
    unlink(path);
    rmdir(directory);
    assert_int_equal(err, -ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_held_while_it_tells_is_waited_for),
        cmocka_unit_test(what_was_told_first_is_taken_first),
        cmocka_unit_test(a_daemon_of_a_byte_now_and_then_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
