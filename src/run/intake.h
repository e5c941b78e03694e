/* SPDX-License-Identifier: MIT */
/* The socket at which shims tell what has been made: in a directory of this user's alone. */
#ifndef RUN_INTAKE_H
#define RUN_INTAKE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "run/message.h"

struct intake {
    int fd;        /* listens; closed where a program is executed */
    bool is_short; /* of files or memory: who waits at fd has to wait longer */
    int *silent;   /* who has connected, but not told yet: a process that was stopped in between */
    size_t n_silent;
    char directory[RUN_PATH_MAX + 1], path[RUN_PATH_MAX + 1];
};

/* What one has told. */
struct intake_news {
    pid_t pid; /* who */
    struct run_message message;
    int file; /* the statistics file: the caller's */
};

int intake_open(struct intake *intake, struct error_text *error);

/* Appends to @fds, which has room for 1 + n_silent, when there may be news. Returns how many. */
nfds_t intake_poll(const struct intake *intake, struct pollfd *fds);

/* Removes its directory, too. */
void intake_close(struct intake *intake);

/* False: there is nothing more. Whatever another user sends, or is no statistics file, is dropped. */
bool intake_take(struct intake *intake, struct intake_news *ret_news);

#endif
