/* SPDX-License-Identifier: MIT */
/* One command and its reply. */
#ifndef CLIENT_ASK_H
#define CLIENT_ASK_H

#include "client/internal.h"

/* Asks, and turns an error reply into an error. @ret_value is a part of @ret_reply. */
int client_ask(struct client *client, const char *command, const char *arguments,
               struct json_object **ret_reply, struct json_object **ret_value,
               struct client_error *error);

/* For what the peer may not have: NULL without an error. */
int client_ask_optional(struct client *client, const char *command, struct json_object **ret_reply,
                        struct json_object **ret_value, struct client_error *error);

/* Returns -ENOMEM. */
int client_out_of_memory(const struct client *client, struct client_error *error);

#endif
