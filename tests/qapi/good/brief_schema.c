/* SPDX-License-Identifier: MIT */
/* Made by qapi_gen.py from brief.json. */
#include "qapi_commands.h"



static const struct qapi_type no_arguments = {.kind = QAPI_OBJECT};

static const struct qapi_command commands[] = {
    {.name = "take-nothing", .arguments = &no_arguments, .run = qmp_take_nothing},
};

static const struct qapi_introspection introspection[] = {
    {.text =
         "["
         "{\"name\": \"take-nothing\", \"ret-type\": \"0\", \"meta-type\": \"command\", \"arg-type\": \"0\"}"
         ", {\"name\": \"0\", \"members\": [], \"meta-type\": \"object\"}"
         "]",},
};

const struct qapi_schema brief_schema = {
    .commands = commands,
    .n_commands = sizeof(commands) / sizeof(commands[0]),
    .introspection = introspection,
    .n_introspection = sizeof(introspection) / sizeof(introspection[0]),
};
