/* SPDX-License-Identifier: MIT */
/*
 * A QMP session: bytes of one client in, bytes of replies out, long ones in parts. Knows no file descriptors; a server
 * carries the bytes. Sessions of one thread share a workbench, so that an idle one holds almost
 * nothing.
 */
#ifndef QMP_SESSION_H
#define QMP_SESSION_H

#include <json-c/json.h>

#include "qmp/frame.h"
#include "qmp/qapi.h"
#include "base/arena.h"
#include "stats/apart.h"
#include "vitals/qmp.h"

/* What serves one command at a time, whose session it may be. */
struct qmp_workbench {
    struct thread_hook hook; /* for threads of groups that may block */
    struct json_tokener *parser;
    struct buf text, error;
    struct buf last_text; /* the last message: monitoring asks for the same again and again */
    struct json_object *last_message; /* what it was parsed to, or NULL */
    struct arena arena;               /* of one command */
    struct stats_collection collection;
};

int qmp_workbench_init(struct qmp_workbench *bench); /* -ENOMEM */
void qmp_workbench_free(struct qmp_workbench *bench);

/*
 * What must come before commands of a session are run: what they tell is to be of @asked_ns or later,
 * when they arrived. False: it isn't yet, and the command waits until qmp_session_go_on().
 */
struct qmp_gate {
    bool (*opens)(void *opaque, uint64_t asked_ns);
    void *opaque;
};

struct qmp_task;    /* see task.h */
struct qmp_dialect; /* the schema and the form of replies of a socket, see dialect.h */

struct qmp_session {
    struct vitals_ctx *ctx;
    const struct qmp_dialect *dialect;
    struct providers *providers; /* that are shown; NULL: all */
    const struct qmp_gate *gate; /* NULL: nothing must */
    void *opaque;                /* what the commands of a dialect that is not of a VM work on */
    struct frame frame;
    struct buf partial;    /* the message under way, if the bytes so far end inside of one */
    struct qmp_task *task; /* its reply is not complete; NULL: none is under way */
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
 * many bytes were taken; less than @len only behind a reply, or where there is a task. That is a long
 * message, which has not been run yet, or a long reply, of which @out has the first part; nothing is fed
 * until qmp_session_go_on() has done the rest.
 */
size_t qmp_session_feed(struct qmp_session *session, struct qmp_workbench *bench, const void *bytes,
                        size_t len, struct buf *out);

/*
 * Appends the next part of the reply under way, QMP_PART bytes or a little more of query-stats and query-stats-schemas;
 * it is complete when there is no task any more. What was appended before is taken for sent: where the rest
 * can't be written, @out has failed.
 */
void qmp_session_go_on(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out);

/* The client sends no more: appends an error if it stopped in the middle of a message. */
void qmp_session_finish(struct qmp_session *session, struct qmp_workbench *bench, struct buf *out);

/* Bytes that the session holds for a message, or a reply, under way. */
size_t qmp_session_memory(const struct qmp_session *session);

#endif
