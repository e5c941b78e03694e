/* SPDX-License-Identifier: MIT */
/*
 * One QMP session from the client's side: JSON messages over a unix socket. Nothing here waits
 * longer than the deadline, whatever the peer does.
 */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "client/error.h"
#include "client/run_memory.h"

enum {
    CLIENT_REPLY_MAX = 16 * 1024 * 1024,   /* bytes of one message */
    CLIENT_MEMORY_MAX = 512 * 1024 * 1024, /* bytes of one message once it is parsed */
    CLIENT_READ_SIZE = 64 * 1024,
    CLIENT_SKIPPED_MAX = 4096, /* messages before the one that is waited for */
};

enum { CONNECTION_ID_MAX = 64, CONNECTION_WORDS_MAX = 200 };

struct json_object;
struct json_tokener;

struct connection {
    const char *path; /* for messages; borrowed */
    client_check *check;
    int fd;
    bool passes_files;   /* the peer may, see base/passed_files.h */
    unsigned timeout_ms; /* of each exchange */
    struct json_tokener *parser;
    char *bytes; /* read, and not yet parsed from @start on */
    size_t start, end;
    struct run_memory memory; /* of the last message */
    uint64_t key;             /* in the ids of its commands: no other client has it */
    unsigned n_commands;
    bool is_nameless; /* a reply without an id has come instead of the one that is waited for */
    char words[CONNECTION_WORDS_MAX]; /* of the last error among them, or empty */
};

/*
 * The result is -errno, and @error says what it means. @queue_ms bounds the wait for a server that
 * is slow to take clients; 0: does not wait.
 */
int connection_open(struct connection *connection, const char *path, client_check *check,
                    unsigned queue_ms, unsigned timeout_ms, struct client_error *error);

/* Takes over @fd, which is connected already; it is closed also on failure. */
int connection_adopt(struct connection *connection, int fd, const char *path, unsigned timeout_ms,
                     struct client_error *error);
void connection_close(struct connection *connection);

/*
 * The greeting of the peer. Replies to whoever had the socket before, and events, may come before
 * it: they are skipped.
 */
int connection_read_greeting(struct connection *connection, struct json_object **ret_greeting,
                             struct client_error *error);

/*
 * Sends a command with an id of its own and waits for the reply that has it; what comes before it is
 * skipped: events, and replies to a client that has left, which QEMU hands to the next one.
 * @arguments is JSON text, or NULL. Exactly one of "return" and "error" is in the reply.
 */
int connection_ask(struct connection *connection, const char *command, const char *arguments,
                   struct json_object **ret_reply, struct client_error *error);

/* A message of the connection is not needed any more. */
void connection_put(struct connection *connection, struct json_object *message);

#endif
