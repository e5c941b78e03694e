/* SPDX-License-Identifier: MIT */
/*
 * What a protocol of the server is: it takes what one client sends, and writes what the client is
 * sent. It knows no socket; a transport receives and sends, keeps clients from waiting for each
 * other, and keeps the limits. Everything happens under the lock of the server.
 */
#ifndef SERVER_PROTOCOL_H
#define SERVER_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct transport;
struct protocol;
struct vitals_ctx;

enum { PROTOCOL_FDS_MAX = 253 }; /* the kernel takes no more at a time: SCM_MAX_FD */

/* The conversation ends where @out has failed: what was written is not sent any more. */
struct protocol_ops {
    /* Before anything is received. */
    void (*greet)(struct protocol *protocol, struct buf *out);
    /*
     * Takes the bytes of at most one message, and appends at most one reply. Returns how many bytes
     * were taken; less than @len only behind a reply, or the first part of a long one, which may be
     * empty: then `replying` is set, and transport_request_write() was called. write() appends the
     * other parts.
     */
    size_t (*feed)(struct protocol *protocol, const void *bytes, size_t len, struct buf *out);
    /*
     * Descriptors that came with the bytes of the next feed(), or with some of them: a message says
     * how many are its own. They are the protocol's now. A client is closed
     * whose descriptors this process has no room for. False: they are closed, and so is the client. NULL: it wants none, and the kernel drops them.
     */
    bool (*take_fds)(struct protocol *protocol, const int *fds, uint32_t count);
    /*
     * Appends what the protocol has to say without being asked: once for each time that it called
     * transport_request_write(), or for several, when the client has taken what it was sent before;
     * and the next part of a reply. NULL: it never does.
     */
    void (*write)(struct protocol *protocol, struct buf *out);
    /* The client sends no more; the conversation ends when it has taken what is appended. */
    void (*finish)(struct protocol *protocol, struct buf *out);
    /* Bytes that it holds for its client, but for the struct itself. */
    size_t (*memory)(const struct protocol *protocol);
    void (*free)(struct protocol *protocol);
};

/* The start of each protocol's own struct. */
struct protocol {
    const struct protocol_ops *ops;
    struct transport *transport; /* that carries it */
    struct vitals_ctx *ctx;      /* whose statistics it shows; NULL: of none */
    bool replying;               /* its reply is not complete: nothing is fed meanwhile */
    bool waits;      /* its next part has to wait: write() is called after a while, not soon */
    bool is_at_gate; /* the same, until transport_ask_again() */
    bool refused;    /* the last message was no message of this protocol: noise, perhaps */
};

/* Has write() called soon. Under the lock, from any thread; also from inside the protocol's calls. */
void transport_request_write(struct transport *transport);

#endif
