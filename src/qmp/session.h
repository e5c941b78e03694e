/* SPDX-License-Identifier: MIT */
/*
 * A QMP session: bytes of one client in, bytes of replies out. Knows no file descriptors; a server
 * carries the bytes. Sessions of one thread share a workbench, so that an idle one holds almost
 * nothing.
 */
#ifndef QMP_SESSION_H
#define QMP_SESSION_H

#include <json-c/json.h>

#include "qmp/frame.h"
#include "qmp/qapi.h"
#include "base/arena.h"
#include "stats/collect.h"
#include "vitals/qmp.h"

/* What serves one command at a time, whose session it may be. */
struct qmp_workbench {
    struct json_tokener *parser;
    struct buf text, error;
    struct buf last_text; /* the last message: monitoring asks for the same again and again */
    struct json_object *last_message; /* what it was parsed to, or NULL */
    struct arena arena;               /* of one command */
    struct stats_collection collection;
    /*
     * Takes what it can from the front of a long reply while the rest is still being written; NULL:
     * nobody does. It empties the buffer when all of it is sent.
     */
    void (*send_early)(void *opaque, struct buf *out);
    void *send_opaque;
    size_t send_at;  /* length of the buffer that is worth another call */
    bool sent_early; /* a part of this reply is gone, so it can't become an error any more */
};

int qmp_workbench_init(struct qmp_workbench *bench); /* -ENOMEM */
void qmp_workbench_free(struct qmp_workbench *bench);

struct qmp_dialect; /* the schema and the form of replies of a socket, see dialect.h */

struct qmp_session {
    struct vitals_ctx *ctx;
    const struct qmp_dialect *dialect;
    struct providers *providers; /* that are shown; NULL: all */
    void *opaque;                /* what the commands of a dialect that is not of a VM work on */
    struct frame frame;
    struct buf partial; /* the message under way, if the bytes so far end inside of one */
    bool negotiated;
    bool refused; /* the last reply was an error about the form of the message: noise, perhaps */
};

/* Takes a reference to @providers, which may be NULL. */
void qmp_session_init(struct qmp_session *session, struct vitals_ctx *ctx,
                      enum vitals_dialect dialect, struct providers *providers);
void qmp_session_free(struct qmp_session *session);

/* Appends the greeting. */
void qmp_session_greet(const struct qmp_session *session, struct buf *out);

/*
 * Takes the bytes of at most one message, runs it, and appends at most one line to @out. Returns how
 * many bytes were taken; less than @len only behind a reply.
 */
size_t qmp_session_feed(struct qmp_session *session, struct qmp_workbench *bench, const void *bytes,
                        size_t len, struct buf *out);

/* The client sends no more: appends an error if it stopped in the middle of a message. */
void qmp_session_finish(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out);

/* Bytes that the session holds for a message under way. */
static inline size_t qmp_session_memory(const struct qmp_session *session)
{
    return session->partial.cap;
}

#endif
