/* SPDX-License-Identifier: MIT */
/* Which sockets are meant by paths, directories and patterns. */
#ifndef LOOK_SOCKET_LIST_H
#define LOOK_SOCKET_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "client/error.h"

struct found_socket {
    char *path;
    bool is_named; /* by itself, and not by its directory or a pattern */
};

struct socket_list {
    struct found_socket *all;
    size_t n;
    /* Below the directories and patterns, and of another kind by their names: were left out. */
    char **left_out;
    size_t n_left_out;
    /* What is wrong with a word: the rest goes on. */
    void (*complain)(void *opaque, const struct client_error *error);
    void *opaque;
};

/*
 * Adds what @word means: a socket's path, a directory, or a pattern of sockets' paths. In a
 * directory, and where a pattern matches, names choose: never what is no QMP by its name
 * ("web1.qga"), and the others only where none has a name for QMP ("web1.qmp", "monitor.sock").
 */
void socket_list_add(struct socket_list *list, const char *word);

/* Of what VITALS_SOCKET has: several words are parted by colons, but for a path that has one itself. */
struct socket_words {
    char *copy;
    const char **all;
    size_t n;
};

/* False: no memory. */
bool socket_words_split(const char *text, struct socket_words *ret_words);
void socket_words_free(struct socket_words *words);

/* Adds a socket as it is: somebody who knows has said that it is one. */
void socket_list_add_known(struct socket_list *list, const char *path);

/* Notes that the socket is left out. */
void socket_list_leave_out(struct socket_list *list, const char *path);

/* Drops those that are there already by another path; the first of each stays. False: no memory. */
bool socket_list_drop_repeated(struct socket_list *list);

void socket_list_free(struct socket_list *list);

#endif
