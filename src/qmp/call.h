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
};

/* Makes the reply an error. What was appended is dropped. */
void qmp_fail(struct qmp_call *call, const char *error_class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum { SEND_EARLY_AT = 64 * 1024 }; /* bytes */

/*
 * For handlers with long return values, to be called now and then: what there is so far is sent, so
 * that the client reads while the rest is written, and the buffer stays small.
 */
void qmp_send_early(struct qmp_call *call);

/* The argument @name, or NULL. */
struct json_object *qmp_argument(const struct qmp_call *call, const char *name);

#endif
