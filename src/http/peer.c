/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "http/peer.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

static void set_id(struct http_peer *peer, const void *bytes, size_t len)
{
    memcpy(peer->id, bytes, len < sizeof(peer->id) ? len : sizeof(peer->id));
}

static void set_user(struct http_peer *peer, int fd)
{
    struct ucred credentials;
    socklen_t len = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) == 0)
        set_id(peer, &credentials.uid, sizeof(credentials.uid));
}

struct http_peer http_peer_of(int fd)
{
    const size_t network = 8;
    struct http_peer peer = {0};
    union address address;
    socklen_t len = sizeof(address);

    if (getpeername(fd, &address.any, &len) < 0)
        return peer;
    peer.family = address.any.sa_family;
    if (peer.family == AF_INET)
        set_id(&peer, &address.v4.sin_addr, sizeof(address.v4.sin_addr));
    else if (peer.family == AF_INET6)
        set_id(&peer, &address.v6.sin6_addr, network);
    else if (peer.family == AF_UNIX)
        set_user(&peer, fd);
    return peer;
}

bool http_peer_is(const struct http_peer *a, const struct http_peer *b)
{
    return a->family == b->family && !memcmp(a->id, b->id, sizeof(a->id));
}

static bool has_any(int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};

    return poll(&polled, 1, 0) == 1 && polled.revents & events;
}

bool http_peer_has_gone(int fd)
{
    return has_any(fd, POLLHUP | POLLERR);
}

bool http_peer_has_finished(int fd)
{
    return has_any(fd, POLLHUP | POLLERR | POLLRDHUP);
}
