/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "peer.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

enum { PATIENCE_MS = 20 * 1000, PATHS = 4 };

/* ---- the directory -------------------------------------------------------------------------- */

static char directory[64];

int make_dir(void **state)
{
    const char *parent = getenv("TMPDIR");

    (void)state;
    /* The path of a socket has 107 bytes at most. */
    if (!parent || strlen(parent) > 40)
        parent = "/tmp";
    snprintf(directory, sizeof(directory), "%s/vitals-XXXXXX", parent);
    return mkdtemp(directory) ? 0 : -1;
}

int remove_dir(void **state)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    (void)state;
    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    return rmdir(directory);
}

const char *in_dir(const char *name)
{
    static char paths[PATHS][256];
    static unsigned next;
    char *path = paths[next++ % PATHS];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

/* ---- servers -------------------------------------------------------------------------------- */

struct vitals_server *new_server(void)
{
    struct vitals_server *server;

    check_ok(vitals_server_new(NULL, &server));
    return server;
}

struct vitals_listener *listen_at(struct vitals_server *server, struct vitals_ctx *ctx,
                                  const char *path)
{
    const struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .path = path};
    struct vitals_listener *listener;

    check_ok(vitals_server_listen(server, ctx, &options, &listener));
    return listener;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    assert_true(strlen(path) < sizeof(address.sun_path));
    strcpy(address.sun_path, path);
    return address;
}

int listening_fd(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

bool process(struct vitals_server *server)
{
    int more = vitals_server_process(server);

    assert_in_range(more, 0, 1);
    return more;
}

void settle(struct vitals_server *server)
{
    struct pollfd pollfd = {.fd = vitals_server_fd(server), .events = POLLIN};

    /* A client that is slowed down comes back later than this. */
    while (poll(&pollfd, 1, 2) > 0)
        process(server);
}

/* ---- clients -------------------------------------------------------------------------------- */

int peer_connect(struct peer *peer, struct vitals_server *server, const char *path)
{
    struct sockaddr_un address = address_of(path);

    *peer = (struct peer){.server = server, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(peer->fd >= 0);
    return connect(peer->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int peer_pair(struct peer *peer, struct vitals_server *server)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *peer = (struct peer){.server = server, .fd = fds[0]};
    return fds[1];
}

void peer_close(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
    buf_free(&peer->received);
}

/* Waits for the peer's socket, and runs the server meanwhile. */
static void wait_for(struct peer *peer, short events)
{
    struct pollfd pollfds[2] = {{.fd = peer->fd, .events = events}, {.fd = -1, .events = POLLIN}};

    if (peer->server)
        pollfds[1].fd = vitals_server_fd(peer->server);
    if (poll(pollfds, 2, PATIENCE_MS) == 0)
        fail_msg("the server does not answer");
    if (pollfds[1].revents)
        process(peer->server);
}

void peer_send(struct peer *peer, const char *text)
{
    size_t len = strlen(text);
    ssize_t n;

    while (len) {
        n = send(peer->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            wait_for(peer, POLLOUT);
            continue;
        }
        assert_true(n > 0);
        text += n;
        len -= (size_t)n;
    }
}

static char *end_of_line(struct peer *peer)
{
    if (peer->taken == peer->received.len)
        return NULL;
    return memchr(peer->received.data + peer->taken, '\n', peer->received.len - peer->taken);
}

/* False: the server has closed. */
static bool receive(struct peer *peer)
{
    char bytes[65536];
    ssize_t n = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN) {
        wait_for(peer, POLLIN);
        return true;
    }
    if (n > 0)
        buf_append(&peer->received, bytes, (size_t)n);
    return n > 0;
}

const char *peer_line(struct peer *peer)
{
    char *line, *end;

    while (!(end = end_of_line(peer)))
        if (!receive(peer))
            return NULL;
    line = peer->received.data + peer->taken;
    peer->taken = (size_t)(end + 1 - peer->received.data);
    assert_true(end > line && end[-1] == '\r');
    end[-1] = '\0';
    return line;
}

void peer_negotiate(struct peer *peer)
{
    const char *greeting = peer_line(peer);

    assert_non_null(greeting);
    assert_contains(greeting, "{\"QMP\": {\"version\": ");
    peer_send(peer, "{'execute':'qmp_capabilities'}\n");
    assert_line(peer, "{\"return\": {}}");
}

void peer_open(struct peer *peer, struct vitals_server *server, const char *path)
{
    check_ok(peer_connect(peer, server, path));
    peer_negotiate(peer);
}

void assert_line(struct peer *peer, const char *expected)
{
    const char *line = peer_line(peer);

    assert_non_null(line);
    assert_string_equal(line, expected);
}

void assert_closed(struct peer *peer)
{
    assert_null(peer_line(peer));
}

void assert_answers(struct peer *peer)
{
    peer_send(peer, QUERY_NAME);
    assert_line(peer, "{\"return\": {}}");
}
