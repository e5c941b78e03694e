/* SPDX-License-Identifier: MIT */
/* The reply to query-stats of any peer, in one form. */
#ifndef CLIENT_REPLY_H
#define CLIENT_REPLY_H

#include "client/client.h"
#include "base/arena.h"

struct client;
struct json_object;

struct owned_snapshot {
    struct client_snapshot public; /* first: client_snapshot_free() */
    struct arena arena;
};

/* One query under way. */
struct query {
    struct client *client;
    const struct client_request *request;
    const char *target; /* of the question under way */
    bool *asked;        /* what is wanted, and what is needed to judge it */
    size_t n_asked;
    struct owned_snapshot *snapshot;
    size_t next; /* where the next statistic probably is in the schema */
};

/*
 * Adds the objects of the target to the snapshot. -EPROTO: it can't be understood; -E2BIG: it has
 * too many objects; -ENOMEM.
 */
int reply_read(struct query *query, struct json_object *value);

/* Makes room for @n further objects. -ENOMEM. */
int reply_reserve_objects(const struct query *query, size_t n);

#endif
