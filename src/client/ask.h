/* SPDX-License-Identifier: MIT */
/* One command and its reply. */
#ifndef CLIENT_ASK_H
#define CLIENT_ASK_H

#include "client/internal.h"

#define CLIENT_ANY json_type_null

/* What the peer had when it was opened, and has no more: a value that it refuses. */
struct gone {
    char parameter[16]; /* "target" or "provider"; of a daemon also "vms" */
    char value[CLIENT_NAME_MAX + 1];
};

struct ask {
    const char *command, *arguments; /* JSON text, or NULL */
    json_type type;                  /* that the value must have, or CLIENT_ANY */
    struct gone *ret_gone;           /* with -ENOENT; NULL: that is an error as any other */
};

/*
 * Asks, and turns an error reply into an error, as well as a value of another type. @ret_value is a
 * part of @ret_reply.
 */
int client_ask(struct client *client, const struct ask *ask, struct json_object **ret_reply,
               struct json_object **ret_value, struct client_error *error);

/* For what the peer may not have: NULL without an error. */
int client_ask_optional(struct client *client, const struct ask *ask,
                        struct json_object **ret_reply, struct json_object **ret_value,
                        struct client_error *error);

/* Returns -EPROTO. */
int client_not_understood(const struct client *client, const char *command,
                          struct client_error *error);

/* Returns -ENOMEM. */
int client_out_of_memory(const struct client *client, struct client_error *error);

#endif
