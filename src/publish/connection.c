/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/passed_files.h"
#include "publish/publication.h"
#include "stats/report.h"

enum { READ_SIZE = 4096 };

/* ---- sleeping ------------------------------------------------------------------------------- */

int publication_sleep(struct publication *publication, short events, int ms)
{
    struct pollfd fds[] = {{.fd = publication->changes_fd, .events = POLLIN},
                           {.fd = publication->fd, .events = events}};
    eventfd_t value;
    int err;

    pthread_mutex_unlock(&publication->lock);
    err = poll(fds, 2, ms) < 0 && errno != EINTR ? -errno : 0;
    pthread_mutex_lock(&publication->lock);
    if (fds[0].revents && eventfd_read(publication->changes_fd, &value) == 0)
        publication->has_changed = true;
    if (publication->stopping)
        return -ECANCELED;
    return err ? err : fds[1].revents;
}

/* ---- the connection ------------------------------------------------------------------------- */

void connection_close(struct publication *publication)
{
    int fd = atomic_exchange(&publication->fd, -1);

    if (fd < 0)
        return;
    shutdown(fd, SHUT_RDWR);
    close(fd);
}

/* The next line is in `in`, up to the zero that stands for its end. Returns its length with that. */
static ssize_t read_line(struct publication *publication)
{
    struct buf *in = &publication->in;
    char *end;

    while (!(end = in->len ? memchr(in->data, '\n', in->len) : NULL)) {
        ssize_t n;

        if (!buf_reserve(in, READ_SIZE))
            return -EMSGSIZE;
        n = passed_files_receive(publication->fd, in->data + in->len, READ_SIZE);
        if (n == 0)
            return -EPIPE;
        if (n < 0 && n != -EAGAIN && n != -EINTR)
            return n;
        if (n > 0)
            in->len += (size_t)n;
        else if ((n = publication_sleep(publication, POLLIN, -1)) < 0)
            return n;
    }
    *end = '\0';
    return end + 1 - in->data;
}

static void drop_line(struct publication *publication, size_t len)
{
    struct buf *in = &publication->in;

    in->len -= len;
    memmove(in->data, in->data + len, in->len);
}

/* What the daemon says in place of a return value, once, until it says something else. */
static void complain(struct publication *publication, struct json_object *error)
{
    struct json_object *description = NULL;
    struct error_text text;

    json_object_object_get_ex(error, "desc", &description);
    error_set(&text, 0, "%s", description ? json_object_get_string(description) : "no reason");
    if (!strcmp(text.text, publication->complaint.text))
        return;
    publication->complaint = text;
    ctx_log(publication->ctx, VITALS_LOG_WARNING,
            "the daemon at %s refuses what it is told: %.300s", publication->address.sun_path,
            text.text);
}

/* Reads a line that has the member @name. 1: it has an error in its place. */
static int read_reply(struct publication *publication, const char *name)
{
    struct json_object *reply, *member;
    ssize_t len = read_line(publication);
    int result = -EPROTO;

    if (len < 0)
        return (int)len;
    reply = json_tokener_parse(publication->in.data);
    drop_line(publication, (size_t)len);
    if (json_object_is_type(reply, json_type_object)) {
        if (json_object_object_get_ex(reply, name, &member))
            result = 0;
        else if (json_object_object_get_ex(reply, "error", &member))
            result = 1;
    }
    if (result == 1)
        complain(publication, member);
    json_object_put(reply);
    return result;
}

static int connect_to(const struct sockaddr_un *address, int fd)
{
    passed_files_refuse(fd);
    passed_files_expect(fd);
    return connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

/* A socket whose queue of clients is full is tried again like one that is not there. */
int connection_open(struct publication *publication)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

    if (fd < 0)
        return -errno;
    err = connect_to(&publication->address, fd);
    if (err) {
        close(fd);
        return err;
    }
    publication->fd = fd;
    buf_reset(&publication->in);
    err = read_reply(publication, "QMP");
    if (err)
        return err;
    message_begin(publication, "qmp_capabilities");
    message_end(publication, "}");
    return connection_ask(publication);
}

/* ---- messages ------------------------------------------------------------------------------- */

void message_begin(struct publication *publication, const char *command)
{
    buf_reset(&publication->out);
    buf_printf(&publication->out, "{\"execute\": \"%s\"", command);
}

void message_end(struct publication *publication, const char *end)
{
    buf_puts(&publication->out, end);
    buf_puts(&publication->out, "\n");
}

ssize_t connection_send(struct publication *publication, const int *fds, uint32_t n_fds)
{
    const struct buf *out = &publication->out;

    if (out->failed)
        return -ENOMEM;
    return passed_files_send(publication->fd, out->data, out->len, fds, n_fds);
}

int connection_finish(struct publication *publication, size_t sent)
{
    const struct buf *out = &publication->out;

    while (sent < out->len) {
        ssize_t n = send(publication->fd, out->data + sent, out->len - sent, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n > 0)
            sent += (size_t)n;
        else if ((n = publication_sleep(publication, POLLOUT, -1)) < 0)
            return (int)n;
    }
    return read_reply(publication, "return");
}

int connection_ask(struct publication *publication)
{
    return publication->out.failed ? -ENOMEM : connection_finish(publication, 0);
}
