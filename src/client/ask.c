/* SPDX-License-Identifier: MIT */
#include "client/ask.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* What stands between @start and the last quote. */
static bool read_value(const char *text, int start, struct gone *gone)
{
    size_t len = strlen(text + start);

    if (len < 2 || len > sizeof(gone->value) || text[start + (int)len - 1] != '\'')
        return false;
    memcpy(gone->value, text + start, len - 1);
    gone->value[len - 1] = '\0';
    return true;
}

/*
 * "Parameter 'PARAMETER' does not accept value 'VALUE'": so says QEMU, and so do we. "There is no VM of the name
 * 'NAME'": a daemon that is asked for many.
 */
static bool read_gone(const char *text, struct gone *gone)
{
    static const char format[] = "Parameter '%15[a-z]' does not accept value '%n";
    static const char no_vm[] = "There is no VM of the name '";
    int start = 0;

    if (strncmp(text, no_vm, sizeof(no_vm) - 1) == 0) {
        strcpy(gone->parameter, "vms");
        start = sizeof(no_vm) - 1;
    } else if (sscanf(text, format, gone->parameter, &start) != 1 || !start) {
        return false;
    }
    return read_value(text, start, gone);
}

static int refuse(struct client *client, const struct ask *ask, struct json_object *reply,
                  struct client_error *error)
{
    struct json_object *object = client_member(reply, "error", json_type_object);
    const char *error_class = client_string(object, "class");
    const char *text = client_string(object, "desc"), *command = ask->command;
    bool is_gone = text && ask->ret_gone && read_gone(text, ask->ret_gone);

    if (error_class && !strcmp(error_class, "CommandNotFound"))
        return client_fail(error, EOPNOTSUPP, "QEMU has it since version 7.1.",
                           "%s: the server, of version %u.%u.%u, has no command %s", client->path,
                           client->qemu_version / 10000, client->qemu_version / 100 % 100,
                           client->qemu_version % 100, command);
    return client_fail(error, is_gone ? ENOENT : EREMOTEIO, NULL, "%s: %s: %s", client->path,
                       command, text ? text : "an error without a text");
}

int client_not_understood(const struct client *client, const char *command,
                          struct client_error *error)
{
    return client_fail(error, EPROTO, NULL, "%s: %s: a reply that can't be understood",
                       client->path, command);
}

int client_ask(struct client *client, const struct ask *ask, struct json_object **ret_reply,
               struct json_object **ret_value, struct client_error *error)
{
    struct json_object *reply, *value;
    int err;

    if (client->fleet) {
        err = fleet_ask(client, ask, ret_value, error);
        *ret_reply = err ? NULL : *ret_value;
        return err;
    }
    err = connection_ask(&client->connection, ask->command, ask->arguments, &reply, error);
    if (err)
        return err;
    if (!json_object_object_get_ex(reply, "return", &value))
        err = refuse(client, ask, reply, error);
    else if (ask->type != CLIENT_ANY && !json_object_is_type(value, ask->type))
        err = client_not_understood(client, ask->command, error);
    if (err) {
        connection_put(&client->connection, reply);
        return err;
    }
    *ret_reply = reply;
    *ret_value = value;
    return 0;
}

int client_ask_optional(struct client *client, const struct ask *ask,
                        struct json_object **ret_reply, struct json_object **ret_value,
                        struct client_error *error)
{
    int err = client_ask(client, ask, ret_reply, ret_value, error);

    if (err != -EOPNOTSUPP && err != -EREMOTEIO)
        return err;
    *ret_reply = *ret_value = NULL;
    return 0;
}

int client_out_of_memory(const struct client *client, struct client_error *error)
{
    return client_fail(error, ENOMEM, NULL, "%s: out of memory", client->path);
}
