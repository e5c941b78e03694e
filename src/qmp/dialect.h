/* SPDX-License-Identifier: MIT */
/* A dialect: one wire form of query-stats and query-stats-schemas. Everything else is shared. */
#ifndef QMP_DIALECT_H
#define QMP_DIALECT_H

#include "qmp/call.h"

enum { QMP_DIALECTS = VITALS_DIALECT_FLAT + 1 };
_Static_assert(QMP_DIALECTS <= (int)SCHEMA_NOTES, "each has a note of its own");

struct schemas_question {
    const char *provider; /* only of this one; NULL: of all */
    bool help, failures;  /* whether these members are wanted */
};

/* The values of open enums, for sockets that are of no context. */
struct qmp_open_values {
    bool (*accept)(const struct qmp_session *session, const char *enum_name, const char *value);
    /* Those that there are, for the introspection: calls @fn for each once. */
    void (*each)(struct qmp_call *call, const char *enum_name,
                 void (*fn)(void *opaque, const char *value), void *opaque);
};

struct qmp_dialect {
    const struct qapi_schema *schema;
    unsigned qemu_major, qemu_minor,
        qemu_micro;                       /* the release of QEMU that speaks the commands so */
    const struct qmp_open_values *values; /* NULL: those of the session's context */
    void (*query_stats)(struct qmp_call *call);
    void (*query_schemas)(struct qmp_call *call, const struct schemas_question *question);
};

extern const struct qmp_dialect qmp_grouped, qmp_flat;

/* NULL: there is no such dialect. */
const struct qmp_dialect *qmp_dialect(enum vitals_dialect dialect);

#endif
