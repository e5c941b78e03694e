/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run/registration.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/passed_files.h"

enum {
    REPLY_MAX = 4096, /* bytes of a message of the daemon's that are looked at */
    ANSWER_S = 1,     /* a daemon that takes longer is as good as none */
};

/* ---- messages ------------------------------------------------------------------------------- */

static int connect_to(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = ANSWER_S};
    int fd, err = 0;

    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/register.sock", directory) >=
        (int)sizeof(address.sun_path))
        return -ENAMETOOLONG;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err = -errno;
    if (err)
        close(fd);
    return err ? err : fd;
}

/* The files go with the first bytes. */
static int send_all(int fd, uint64_t until_ns, const struct buf *text, const int *files, size_t n)
{
    size_t sent = 0;

    while (sent < text->len) {
        if (clock_now_ns() >= until_ns)
            return -ETIMEDOUT;
        ssize_t some = passed_files_send(fd, text->data + sent, text->len - sent, files, n);

        if (some < 0)
            return (int)some;
        sent += (size_t)some;
        n = 0;
    }
    return 0;
}

/* Of all that is waited for together: a daemon that sends a byte now and then is as good as none, too. */
static uint64_t deadline(void)
{
    return clock_now_ns() + (uint64_t)ANSWER_S * 1000000000;
}

/* 1, 0: the end, or -errno; -ETIMEDOUT: nothing until then. */
static int read_byte(int fd, uint64_t until_ns, char *byte)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    ssize_t n;

    if (clock_now_ns() >= until_ns || poll(&pollfd, 1, clock_ms_until(until_ns)) == 0)
        return -ETIMEDOUT;
    n = recv(fd, byte, 1, MSG_DONTWAIT);
    return n < 0 ? -errno : (int)n;
}

/* One line, as the daemon ends each message; of a longer one the begin is kept. */
static int read_line(int fd, uint64_t until_ns, char line[REPLY_MAX])
{
    size_t len = 0;
    char byte = 0;

    while (byte != '\n') {
        int n = read_byte(fd, until_ns, &byte);

        if (n <= 0)
            return n < 0 ? n : -ECONNRESET;
        if (len < REPLY_MAX - 1)
            line[len++] = byte;
    }
    line[len] = '\0';
    return 0;
}

/* Frees @text. A command of ours is refused where the daemon is another release's, or full. */
static int tell(int fd, struct buf *text, const int *files, size_t n)
{
    uint64_t until_ns = deadline();
    char reply[REPLY_MAX];
    int err = text->failed ? -ENOMEM : send_all(fd, until_ns, text, files, n);

    buf_free(text);
    if (!err)
        err = read_line(fd, until_ns, reply);
    if (!err && strncmp(reply, "{\"return\"", strlen("{\"return\"")) != 0)
        err = -EPROTO;
    return err;
}

/* ---- commands ------------------------------------------------------------------------------- */

static int greet(int fd)
{
    struct buf text = {0};
    char greeting[REPLY_MAX];
    int err = read_line(fd, deadline(), greeting);

    if (err)
        return err;
    buf_puts(&text, "{\"execute\": \"qmp_capabilities\"}\n");
    return tell(fd, &text, NULL, 0);
}

static int introduce(int fd, const struct identity *identity, pid_t pid, int file)
{
    struct buf text = {0};

    buf_puts(&text, "{\"execute\": \"register-vm\", \"arguments\": {\"name\": ");
    json_put_string(&text, identity->name);
    json_put_text_member(&text, "uuid", identity->uuid);
    json_put_text_member(&text, "vmm", identity->vmm);
    if (pid != getpid())
        buf_printf(&text, ", \"pid\": %d", (int)pid);
    buf_puts(&text, "}}\n");
    return tell(fd, &text, &file, 1);
}

int registration_begin(const char *directory, const struct identity *identity, pid_t pid, int file)
{
    int fd = connect_to(directory), err;

    if (fd < 0)
        return fd;
    err = greet(fd);
    if (!err)
        err = introduce(fd, identity, pid, file);
    if (err)
        close(fd);
    return err ? err : fd;
}

static int add_some(int fd, const struct registration_vcpu *vcpus, size_t n)
{
    int files[PASSED_FILES_MAX];
    struct buf text = {0};

    buf_puts(&text, "{\"execute\": \"add-vcpus\", \"arguments\": {\"vcpus\": [");
    for (size_t i = 0; i < n; i++) {
        files[i] = vcpus[i].file;
        buf_printf(&text, "%s{\"path\": \"/kvm/vcpu[%u]\"}", i ? ", " : "", vcpus[i].id);
    }
    buf_puts(&text, "]}}\n");
    return tell(fd, &text, files, n);
}

int registration_add(int fd, const struct registration_vcpu *vcpus, size_t n)
{
    size_t some;
    int err = 0;

    for (; n && !err; vcpus += some, n -= some) {
        some = n < PASSED_FILES_MAX ? n : PASSED_FILES_MAX;
        err = add_some(fd, vcpus, some);
    }
    return err;
}

/* The daemon says nothing unasked. */
bool registration_lasts(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 0;
}

/* It closes its end when it has forgotten the VM. */
void registration_end(int fd)
{
    uint64_t until_ns = deadline();
    char byte;

    if (shutdown(fd, SHUT_WR) == 0)
        while (read_byte(fd, until_ns, &byte) > 0)
            ;
    close(fd);
}

bool registration_is_possible(const char *directory)
{
    int fd = connect_to(directory);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}
