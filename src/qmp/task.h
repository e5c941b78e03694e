/* SPDX-License-Identifier: MIT */
/*
 * A command whose reply is written in parts: what it works on, while others are served. There is none
 * for a short request whose reply fits into one part.
 */
#ifndef QMP_TASK_H
#define QMP_TASK_H

#include "qmp/call.h"

struct qmp_task {
    struct json_object *message;
    size_t message_memory; /* bytes that it takes at most; the session says so */
    const struct qapi_command *command;
    struct json_object *arguments;
    qmp_handler *go_on; /* NULL: it has not been run yet */
    void *state;
    void (*drop)(void *state);
    bool waits; /* for something that has not come */
    uint64_t asked_ns;
    bool is_at_gate;
    /* While a part is written they are on the bench, and those of the bench are here. */
    struct arena arena;
    struct stats_collection collection;
};

/* Takes what @call has on the bench, which gets new ones. -ENOMEM: nothing has changed. */
int qmp_task_start(struct qmp_call *call, struct json_object *message);

/* The call that writes the next part. Its command is on the bench from here on. */
struct qmp_call qmp_task_resume(struct qmp_session *session, struct qmp_workbench *bench,
                                struct buf *out);
/* There is another part: the bench is free for others. */
void qmp_task_pause(struct qmp_call *call);
/* There is none; what is on the bench stays there. */
void qmp_task_end(struct qmp_session *session);

void qmp_task_free(struct qmp_task *task); /* NULL is allowed */
size_t qmp_task_memory(const struct qmp_task *task);

#endif
