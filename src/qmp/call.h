/* SPDX-License-Identifier: MIT */
/* One command while it runs: what a handler gets, and how it answers. */
#ifndef QMP_CALL_H
#define QMP_CALL_H

#include "qmp/session.h"

#define QMP_GENERIC_ERROR     "GenericError"
#define QMP_COMMAND_NOT_FOUND "CommandNotFound"

/*
 * A handler appends its return value to `out` as JSON, or calls qmp_fail(). Its arguments have been
 * checked against the schema.
 */
struct qmp_call {
    struct qmp_session *session;
    struct qmp_workbench *bench;
    const struct qapi_command *command;
    struct json_object *arguments; /* NULL: none were given */
    struct buf *out;
    const char *error_class; /* NULL: no error so far; its description is bench->error */
    size_t part_start;       /* where this part of the reply begins in `out` */
    uint64_t part_start_ns;
    qmp_handler *go_on; /* writes the next part; NULL: this is the last one */
    void *state;        /* of the handler, from one part to the next */
    void (*drop)(
        void *state);  /* called once, when it is not needed any more; NULL: it holds nothing */
    bool waits;        /* go_on has nothing to do before a while */
    uint64_t asked_ns; /* when the command arrived; 0: now */
    bool is_at_gate;   /* it has not been run: see struct qmp_gate */
};

/* Makes the reply an error. What was appended is dropped. */
void qmp_fail(struct qmp_call *call, const char *error_class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * For handlers with long return values. One that has written enough for now says what writes the rest,
 * and returns: when the client has taken this part, and others have had their turns, @go_on is called
 * with the same @state, which lives in the arena of the bench. That, the arguments, and what was
 * collected stay as they are; all else on the bench does not. Behind the first part, no error reaches
 * the client: qmp_fail() closes it.
 */
enum {
    QMP_PART =
        64 * 1024, /* bytes; their end is that of an object. A longer message is one part, too */
    QMP_PART_TOKENS = 4096,   /* so is a message of more, however short it is */
    QMP_PART_NS = 500 * 1000, /* behind so many, no further collection is begun */
};
/* The same where something must come first, and nobody says when: it is called again after a while. */
void qmp_look_again(struct qmp_call *call, qmp_handler *go_on, void *state);
bool qmp_has_written_enough(const struct qmp_call *call);
bool qmp_has_worked_enough(const struct qmp_call *call);
void qmp_go_on_later(struct qmp_call *call, qmp_handler *go_on, void *state);

/*
 * For handlers that must come behind something. False: they return at once, and are run again when the gate may
 * have opened.
 */
bool qmp_pass_gate(struct qmp_call *call, const struct qmp_gate *gate);

/* The argument @name, or NULL. */
struct json_object *qmp_argument(const struct qmp_call *call, const char *name);

#endif
