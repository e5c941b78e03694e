/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a connection, and whether it is there yet. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdbool.h>
#include <stdint.h>

/* At a unix socket a user; elsewhere an address, and of IPv6 its network, which one host may have all of. */
struct http_peer {
    uint16_t family;
    uint8_t id[8];
};

/* All zeros: it can't be told. */
struct http_peer http_peer_of(int fd);

bool http_peer_is(const struct http_peer *a, const struct http_peer *b);

/* It takes no reply any more: the connection was reset, or cut off; at a unix socket it has closed. */
bool http_peer_has_gone(int fd);

/*
 * The same, or it sends nothing any more. By TCP that is all that is seen of one who has left; a few say
 * so behind their only request and take the reply.
 */
bool http_peer_has_finished(int fd);

#endif
