/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "client/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/json.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/closer.h"
#include "base/json_members.h"
#include "base/json_memory.h"
#include "base/json_number.h"
#include "base/passed_files.h"

/* ---- time ----------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    return (int64_t)(clock_now_ns() / 1000000);
}

/* 0 once @events are there, -ETIMEDOUT at the deadline. */
static int wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd pollfd = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = deadline - now_ms();
        int n = left > 0 ? poll(&pollfd, 1, left < INT32_MAX ? (int)left : INT32_MAX) : 0;

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0 && now_ms() >= deadline)
            return -ETIMEDOUT;
    }
}

/* ---- connect -------------------------------------------------------------------------------- */

static int explain_connect(const char *path, int err, struct client_error *error)
{
    struct stat st;

    switch (err) {
    case ENOENT:
        return client_fail(error, err, "Is the VM running, and is this the path of its QMP socket?",
                           "%s: no such file", path);
    case EACCES:
    case EPERM:
        return client_fail(error, err,
                           "The modes of the socket and of the directories above it say who may "
                           "connect: its owner, its group, or root.",
                           "%s: permission denied", path);
    case ECONNREFUSED:
        if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
            return client_fail(error, err,
                               "The path of a VM's QMP socket is needed: QEMU makes one with -qmp "
                               "unix:PATH,server=on,wait=off.",
                               "%s: is no socket", path);
        return client_fail(error, err, "The program that made the socket has ended.",
                           "%s: nobody listens on this socket", path);
    case EPROTOTYPE:
        return client_fail(error, err, "It takes datagrams; QMP is a stream.",
                           "%s: this is no QMP socket", path);
    case ENOTDIR:
        return client_fail(error, err, "Is this the path of the VM's QMP socket?",
                           "%s: a part of the path is no directory", path);
    case EAGAIN:
        return client_fail(error, ETIMEDOUT,
                           "Its queue is full of clients that wait, or have given up: QEMU talks "
                           "to one at a time, and another one holds it. Or the server is stopped.",
                           "%s: the server takes no more clients", path);
    default:
        return client_fail(error, err, NULL, "%s: %s", path, strerror(err));
    }
}

/* For unix sockets, the timeout of sending is also that of a connect() to a full queue. */
static int connect_fd(int fd, const struct sockaddr_un *address, unsigned queue_ms)
{
    struct timeval timeout = {.tv_sec = queue_ms / 1000, .tv_usec = queue_ms % 1000 * 1000};

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
        return -errno;
    while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Of what @place is, whatever has its path by then. Without /proc there is nothing but the path. */
static void address_place(int place, const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (access("/proc/self/fd", F_OK) == 0)
        snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d", place);
    else
        strcpy(ret_address->sun_path, path);
}

/* The connected socket, or -errno. */
static int connect_place(int place, const char *path, unsigned queue_ms, struct client_error *error)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (queue_ms ? 0 : SOCK_NONBLOCK), 0);
    int err;

    if (fd < 0)
        return client_fail(error, errno, NULL, "%s: %s", path, strerror(errno));
    passed_files_refuse(fd);
    address_place(place, path, &address);
    err = connect_fd(fd, &address, queue_ms);
    if (!err)
        return fd;
    close(fd);
    return explain_connect(path, -err, error);
}

/* The same of what is at @path now, if @check lets it be. */
static int connect_path(const char *path, client_check *check, unsigned queue_ms,
                        struct client_error *error)
{
    int place, fd;

    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return client_fail(error, ENAMETOOLONG, "Use a relative path, or a symbolic link.",
                           "%s: longer than the %zu bytes that a socket's path can have", path,
                           sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    place = open(path, O_PATH | O_CLOEXEC);
    if (place < 0)
        return explain_connect(path, errno, error);
    fd = check ? check(place, path, error) : 0;
    if (!fd)
        fd = connect_place(place, path, queue_ms, error);
    close(place);
    return fd;
}

int connection_open(struct connection *connection, const char *path, client_check *check,
                    unsigned queue_ms, unsigned timeout_ms, struct client_error *error)
{
    int fd = connect_path(path, check, queue_ms, error), err;

    if (fd < 0)
        return fd;
    err = connection_adopt(connection, fd, path, timeout_ms, error);
    if (!err)
        connection->check = check;
    return err;
}

/* Where the kernel has no random bytes yet, the time and the address have to do. */
static void make_key(struct connection *connection)
{
    if (getrandom(&connection->key, sizeof(connection->key), GRND_NONBLOCK) !=
        sizeof(connection->key))
        connection->key = (uint64_t)now_ms() ^ (uint64_t)(uintptr_t)connection->bytes;
}

int connection_adopt(struct connection *connection, int fd, const char *path, unsigned timeout_ms,
                     struct client_error *error)
{
    *connection = (struct connection){
        .path = path,
        .fd = fd,
        .passes_files = !passed_files_refuse(fd),
        .timeout_ms = timeout_ms,
        .parser = json_tokener_new(),
        .bytes = malloc(CLIENT_READ_SIZE),
    };
    if (connection->passes_files)
        passed_files_expect(fd);
    make_key(connection);
    if (connection->parser && connection->bytes)
        return 0;
    connection_close(connection);
    return client_fail(error, ENOMEM, NULL, "%s: out of memory", path);
}

/* Where a thread is needed, it ends with the program if not before. */
static void hang_up(const struct connection *connection)
{
    struct closer *closer;

    if (!connection->passes_files || passed_files_drain(connection->fd)) {
        close(connection->fd);
        return;
    }
    closer = closer_new();
    if (closer)
        closer_take(closer, connection->fd);
    closer_free(closer);
}

void connection_close(struct connection *connection)
{
    run_memory_end(&connection->memory);
    if (connection->parser)
        json_tokener_free(connection->parser);
    free(connection->bytes);
    hang_up(connection);
}

/* ---- messages ------------------------------------------------------------------------------- */

/*
 * As recv() without waiting, or -errno. What poll() has seen may be gone, as a byte out of band that
 * is dropped: waiting for more would know no deadline.
 */
static ssize_t receive(const struct connection *connection)
{
    ssize_t n;

    if (connection->passes_files)
        return passed_files_receive(connection->fd, connection->bytes, CLIENT_READ_SIZE);
    n = recv(connection->fd, connection->bytes, CLIENT_READ_SIZE, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

static int read_more(struct connection *connection, int64_t deadline)
{
    for (;;) {
        int err = wait_for(connection->fd, POLLIN, deadline);
        ssize_t n = err ? err : receive(connection);

        if (err)
            return err;
        if (n == 0)
            return -ECONNRESET;
        if (n > 0) {
            connection->start = 0;
            connection->end = (size_t)n;
            return 0;
        }
        if (n == -EBADMSG) /* no server of QMP sends files */
            return -EPROTO;
        if (n != -EINTR && n != -EAGAIN)
            return (int)n;
    }
}

/* What a message has taken so far. */
struct size {
    size_t bytes, memory;
    struct json_numbers numbers;
    struct json_members members;
};

static int check_size(const struct size *size)
{
    if (size->bytes > CLIENT_REPLY_MAX)
        return -EMSGSIZE;
    return size->memory > CLIENT_MEMORY_MAX ? -E2BIG : 0;
}

/* Parses what is there. -EAGAIN: the message goes on. */
static int parse_more(struct connection *connection, struct size *size,
                      struct json_object **ret_message)
{
    const char *at = connection->bytes + connection->start;
    size_t n = connection->end - connection->start;
    struct json_object *message;
    enum json_tokener_error result;
    int err;

    if (!json_members_fit(&size->members, at, n))
        return -EBADMSG;
    err = run_memory_take(&connection->memory, json_memory(at, n));
    if (err)
        return err;
    message = json_tokener_parse_ex(connection->parser, at, (int)n);
    result = json_tokener_get_error(connection->parser);
    if (result != json_tokener_continue)
        n = json_tokener_get_parse_end(connection->parser);
    if (!json_numbers_fit(&size->numbers, at, n)) {
        json_object_put(message);
        return -ERANGE;
    }
    if (result != json_tokener_continue && result != json_tokener_success)
        return -EPROTO;
    size->bytes += n;
    size->memory += json_memory(at, n);
    connection->start += n;
    err = check_size(size);
    if (!err && result == json_tokener_continue)
        return -EAGAIN;
    if (!err && !json_object_is_type(message, json_type_object))
        err = -EPROTO;
    if (err)
        json_object_put(message);
    else
        *ret_message = message;
    return err;
}

/*
 * The next message, which must be an object: -EPROTO. A message ends where its braces do, so that a
 * peer that prints it on many lines is understood, too.
 */
static int read_message(struct connection *connection, int64_t deadline,
                        struct json_object **ret_message)
{
    struct json_object *message = NULL;
    struct size size = {0};
    int err;

    json_tokener_reset(connection->parser);
    run_memory_begin(&connection->memory, connection->fd);
    do {
        err = connection->start == connection->end ? read_more(connection, deadline) : 0;
        if (err == 0)
            err = parse_more(connection, &size, &message);
    } while (err == -EAGAIN);
    if (!err)
        err = run_memory_done(&connection->memory);
    if (!err) {
        *ret_message = message;
        return 0;
    }
    json_object_put(message);
    json_tokener_reset(connection->parser); /* of what has come */
    run_memory_end(&connection->memory);
    return run_memory_was_refused(&connection->memory) ? -ENOBUFS : err;
}

void connection_put(struct connection *connection, struct json_object *message)
{
    json_object_put(message);
    run_memory_end(&connection->memory);
}

static int send_all(struct connection *connection, const char *data, size_t len, int64_t deadline)
{
    while (len) {
        ssize_t n = send(connection->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            int err = wait_for(connection->fd, POLLOUT, deadline);
            if (err)
                return err;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* ---- what is no answer ---------------------------------------------------------------------- */

static bool is_reply(struct json_object *message)
{
    return json_object_object_get_ex(message, "return", NULL) !=
           json_object_object_get_ex(message, "error", NULL);
}

static bool is_event(struct json_object *message)
{
    return json_object_object_get_ex(message, "event", NULL);
}

/*
 * A reply without an id is to a command without one, which ours are not; an error may mean ours,
 * which the peer could not read. So they say something only where no other reply comes.
 */
static void skip(struct connection *connection, struct json_object *message)
{
    const char *words = client_string(client_member(message, "error", json_type_object), "desc");

    if (!is_reply(message) || json_object_object_get_ex(message, "id", NULL))
        return;
    connection->is_nameless = true;
    if (words)
        snprintf(connection->words, sizeof(connection->words), "%s", words);
}

/*
 * The next message that @is_it, which returns 0 for it, -EAGAIN for one that is to be skipped, or an
 * error. -EOVERFLOW: too many were skipped.
 */
static int read_until(struct connection *connection, int64_t deadline,
                      int (*is_it)(const struct connection *connection,
                                   struct json_object *message),
                      struct json_object **ret_message)
{
    connection->is_nameless = false;
    connection->words[0] = 0;
    for (unsigned n_skipped = 0; n_skipped <= CLIENT_SKIPPED_MAX; n_skipped++) {
        struct json_object *message;
        int err = read_message(connection, deadline, &message);

        if (err)
            return err;
        err = is_it(connection, message);
        if (!err) {
            *ret_message = message;
            return 0;
        }
        skip(connection, message);
        connection_put(connection, message);
        if (err != -EAGAIN)
            return err;
        if (now_ms() >= deadline)
            return -ETIMEDOUT;
    }
    return -EOVERFLOW;
}

/* ---- the greeting --------------------------------------------------------------------------- */

static int explain_greeting(const struct connection *connection, int err,
                            struct client_error *error)
{
    const char *path = connection->path;

    if (*connection->words && (err == ETIMEDOUT || err == ECONNRESET || err == EPIPE))
        return client_fail(error, err, NULL, "%s: no greeting, but an error: %s", path,
                           connection->words);
    switch (err) {
    case ETIMEDOUT:
        return client_fail(
            error, err,
            "QEMU talks to one client at a time: is another one connected? Or is the server stopped, "
            "or not one of QMP? --timeout waits longer.",
            "%s: connected, but no greeting within %.3g s", path, connection->timeout_ms / 1000.0);
    case ECONNRESET:
    case EPIPE:
        return client_fail(error, err, "It may have too many clients, or not be a QMP socket.",
                           "%s: closed by the server without a greeting", path);
    case EPROTO:
    case EMSGSIZE:
    case E2BIG:
    case ENOBUFS:
    case EOVERFLOW:
    case ERANGE:
    case EBADMSG:
        return client_fail(
            error, err,
            "The server does not greet as QMP servers do. QEMU's monitor for people and its "
            "guest agent have sockets of their own.",
            "%s: this is no QMP socket", path);
    default:
        return client_fail(error, err, NULL, "%s: %s", path, strerror(err));
    }
}

static int is_greeting(const struct connection *connection, struct json_object *message)
{
    (void)connection;
    if (json_object_object_get_ex(message, "QMP", NULL))
        return 0;
    return is_reply(message) || is_event(message) ? -EAGAIN : -EPROTO;
}

int connection_read_greeting(struct connection *connection, struct json_object **ret_greeting,
                             struct client_error *error)
{
    int64_t deadline = now_ms() + connection->timeout_ms;
    int err = read_until(connection, deadline, is_greeting, ret_greeting);

    return err ? explain_greeting(connection, -err, error) : 0;
}

/* ---- request and reply ---------------------------------------------------------------------- */

#define HINT_ID "Servers of QMP send the id of a command back with the reply to it."

static int explain_no_reply(const struct connection *connection, const char *command,
                            struct client_error *error)
{
    const char *path = connection->path;
    double seconds = connection->timeout_ms / 1000.0;

    if (*connection->words)
        return client_fail(error, ETIMEDOUT, HINT_ID,
                           "%s: no reply to %s within %.3g s, only one without its id: %s", path,
                           command, seconds, connection->words);
    if (connection->is_nameless)
        return client_fail(error, ETIMEDOUT, HINT_ID,
                           "%s: no reply to %s within %.3g s, only one without its id", path,
                           command, seconds);
    return client_fail(error, ETIMEDOUT, "The VMM may be stopped or busy; --timeout waits longer.",
                       "%s: no reply to %s within %.3g s", path, command, seconds);
}

static int explain_ask(const struct connection *connection, const char *command, int err,
                       struct client_error *error)
{
    const char *path = connection->path;

    switch (err) {
    case ETIMEDOUT:
        return explain_no_reply(connection, command, error);
    case ECONNRESET:
    case EPIPE:
        return client_fail(error, err, "The VM may have ended.",
                           "%s: closed by the server while it was asked for %s", path, command);
    case EPROTO:
        return client_fail(error, err, "The server greeted as a QMP server. It may be broken.",
                           "%s: the reply to %s is not QMP", path, command);
    case EMSGSIZE:
        return client_fail(error, err, NULL, "%s: the reply to %s is longer than %d MiB", path,
                           command, CLIENT_REPLY_MAX / 1024 / 1024);
    case ERANGE:
        return client_fail(error, err, "The server greeted as a QMP server. It may be broken.",
                           "%s: the reply to %s has a number of more than 64 bits", path, command);
    case EBADMSG:
        return client_fail(error, err, "The server greeted as a QMP server. It may be broken.",
                           "%s: the reply to %s has an object of more than %d members", path,
                           command, JSON_MEMBERS_MAX);
    case EOVERFLOW:
        return client_fail(error, err, "The server may be broken, or the VM be in trouble.",
                           "%s: more than %d other messages, and no reply to %s", path,
                           CLIENT_SKIPPED_MAX, command);
    case ENOBUFS:
        return client_fail(error, err, "It was the largest of them. Ask fewer VMs at a time.",
                           "%s: the reply to %s was refused: all replies together take more than "
                           "%d MiB of memory",
                           path, command, RUN_MEMORY_MAX / 1024 / 1024);
    case E2BIG:
        return client_fail(error, err, NULL, "%s: the reply to %s takes more than %d MiB of memory",
                           path, command, CLIENT_MEMORY_MAX / 1024 / 1024);
    default:
        return client_fail(error, err, NULL, "%s: %s: %s", path, command, strerror(err));
    }
}

static void write_id(char id[CONNECTION_ID_MAX], const struct connection *connection)
{
    snprintf(id, CONNECTION_ID_MAX, "vitals-%016llx-%u", (unsigned long long)connection->key,
             connection->n_commands);
}

static int send_command(struct connection *connection, const char *command, const char *arguments,
                        int64_t deadline)
{
    struct buf request = {0};
    char id[CONNECTION_ID_MAX];
    int err;

    connection->n_commands++;
    write_id(id, connection);
    buf_printf(&request, "{\"execute\": \"%s\", \"id\": \"%s\"", command, id);
    if (arguments) {
        buf_puts(&request, ", \"arguments\": ");
        buf_puts(&request, arguments);
    }
    buf_puts(&request, "}\r\n");
    err = request.failed ? -ENOMEM : send_all(connection, request.data, request.len, deadline);
    buf_free(&request);
    return err;
}

static int is_answer(const struct connection *connection, struct json_object *message)
{
    const char *id = client_string(message, "id");
    char expected[CONNECTION_ID_MAX];

    if (!is_reply(message))
        return is_event(message) ? -EAGAIN : -EPROTO;
    write_id(expected, connection);
    return id && !strcmp(id, expected) ? 0 : -EAGAIN;
}

int connection_ask(struct connection *connection, const char *command, const char *arguments,
                   struct json_object **ret_reply, struct client_error *error)
{
    int64_t deadline = now_ms() + connection->timeout_ms;
    int err = send_command(connection, command, arguments, deadline);

    if (!err)
        err = read_until(connection, deadline, is_answer, ret_reply);
    return err ? explain_ask(connection, command, -err, error) : 0;
}
