/* SPDX-License-Identifier: MIT */
/* A client for tests, which also runs the server it talks to, unless that has its own thread. */
#ifndef UNIT_PEER_H
#define UNIT_PEER_H

#include "base/buf.h"
#include "vitals/qmp.h"

/* ---- a directory of the test's own ---------------------------------------------------------- */

/* Both are fixtures of cmocka: a fresh directory, which is removed with what is in it. */
int make_dir(void **state);
int remove_dir(void **state);
/* The path of @name in it; overwritten by the fourth call from here. */
const char *in_dir(const char *name);

/* ---- servers -------------------------------------------------------------------------------- */

struct vitals_server *new_server(void);
struct vitals_listener *listen_at(struct vitals_server *server, struct vitals_ctx *ctx,
                                  const char *path);

/* A listening socket, as a supervisor would hand it over. */
int listening_fd(const char *path);

/* Runs the server until it has nothing to do any more. */
void settle(struct vitals_server *server);
/* Does what there is to do. True: there may be more. */
bool process(struct vitals_server *server);

/* ---- clients -------------------------------------------------------------------------------- */

struct peer {
    struct vitals_server *server; /* to be run while the peer waits; NULL: it has a thread */
    int fd;
    struct buf received;
    size_t taken;
};

/* -errno if it can't be had. */
int peer_connect(struct peer *peer, struct vitals_server *server, const char *path);
/* A client that is connected to nobody yet. Returns the other end. */
int peer_pair(struct peer *peer, struct vitals_server *server);
void peer_close(struct peer *peer);

/* All bytes go out, also if the server must run meanwhile. */
void peer_send(struct peer *peer, const char *text);

/* The next line without its CRLF, valid until the next call; NULL: the server has closed. */
const char *peer_line(struct peer *peer);

/* Passes greeting and negotiation. */
void peer_negotiate(struct peer *peer);
/* Connects, and negotiates. */
void peer_open(struct peer *peer, struct vitals_server *server, const char *path);

void assert_line(struct peer *peer, const char *expected);
void assert_closed(struct peer *peer);

/* Asks query-name, and gets the answer. */
void assert_answers(struct peer *peer);

#define QUERY_NAME "{'execute':'query-name'}\n"

#endif
