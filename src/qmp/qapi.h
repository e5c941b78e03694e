/* SPDX-License-Identifier: MIT */
/*
 * The wire contract as tables: the commands of a socket, the types of their arguments, and what
 * query-qmp-schema says of them. scripts/qapi_gen.py makes the tables from the files in qapi/; the
 * checks here work on them alone and know no command.
 */
#ifndef QMP_QAPI_H
#define QMP_QAPI_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* ---- types ---------------------------------------------------------------------------------- */

/* Arguments have no other kinds: the generator refuses them. */
enum qapi_kind {
    QAPI_STRING,
    QAPI_INTEGER,
    QAPI_BOOLEAN,
    QAPI_ENUM,
    QAPI_OBJECT,
    QAPI_LIST,
};

struct qapi_type;

struct qapi_member {
    const char *name;
    const struct qapi_type *type;
    bool optional;
};

/* The members that an object has besides, where its tag has this value. */
struct qapi_variant {
    const char *tag_value; /* NULL: any that only the run time knows */
    const struct qapi_type *object;
};

struct qapi_type {
    enum qapi_kind kind;
    const char *name; /* as errors print it: int8_t, or the name of an enum */
    union {
        struct {
            int64_t min, max;
        } range; /* of an integer */
        struct {
            const char *const *values;
            size_t n_values;
            bool open; /* the run time knows others, see struct qapi_open_enums */
        } enumeration;
        struct {
            const struct qapi_member *members; /* those of the base first */
            size_t n_members;
            const char *tag; /* name of the member that chooses the variant; NULL: no variants */
            const struct qapi_variant *variants; /* a value that is not here adds no members */
            size_t n_variants;
        } object;
        const struct qapi_type *element; /* of a list */
    };
};

/* ---- commands ------------------------------------------------------------------------------- */

struct qmp_call;
typedef void qmp_handler(struct qmp_call *call);

struct qapi_command {
    const char *name;
    const struct qapi_type *arguments; /* an object, maybe without members */
    qmp_handler *run;
};

/*
 * A piece of the introspection: a text, then the values of an open enum that only the run time knows,
 * if one is named. Each is written between its prefix and suffix; they are separated by ", ", also
 * from what the list has before them.
 */
struct qapi_introspection {
    const char *text;
    const char *open_enum; /* NULL: only text */
    const char *value_prefix, *value_suffix;
    bool follows; /* the list has something before them */
};

struct qapi_schema {
    const struct qapi_command *commands;
    size_t n_commands;
    const struct qapi_introspection *introspection; /* in a row: what query-qmp-schema returns */
    size_t n_introspection;
};

/* NULL: there is no such command. */
const struct qapi_command *qapi_find_command(const struct qapi_schema *schema, const char *name);

/* ---- checks --------------------------------------------------------------------------------- */

/* Enums that have values which only the run time knows: those that pragma open-enums names. */
struct qapi_open_enums {
    bool (*accepts)(void *opaque, const char *enum_name, const char *value);
    void *opaque;
};

/*
 * Whether @arguments fits @type, a command's arguments. NULL is the same as {}. If not, QEMU's
 * description of the first thing that is wrong is appended to @ret_text, as UTF-8, with the strings
 * of the arguments as they are. The order of checks is QEMU's too: the members as they are
 * declared, each with all that is inside of it, then the variant's, and then what is left in the
 * object, of which the first is named.
 *
 * No object in @arguments has a key twice.
 */
bool qapi_check_arguments(const struct qapi_type *type, struct json_object *arguments,
                          const struct qapi_open_enums *open, struct buf *ret_text);

#endif
