/* SPDX-License-Identifier: MIT */
/* As whom the daemon runs, and who may use the sockets of a VM. */
#ifndef SERVE_ACCOUNT_H
#define SERVE_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define ACCOUNT_NAME "vitals" /* of the user and of the group, where they exist */

struct account {
    uid_t uid;
    gid_t gid;
    bool has_group; /* its members may use the sockets; else nobody but this user and owners */
};

/*
 * By the names that were given; NULL: ACCOUNT_NAME if it exists, else who has started us. Only root can
 * become another. -errno with a text.
 */
int account_find(const char *user, const char *group, struct account *ret_account,
                 struct error_text *error);

/* The uids of people, as useradd gives them. */
struct person_range {
    uid_t min, max;
};

/* Of /etc/login.defs below @root; what it does not say is 1000 and 60000. */
struct person_range account_read_people(const char *root);

/*
 * Lets a user read and enter the directory, or connect to the socket, at @path, which is our own, beside
 * those whom its mode lets. -errno; -EOPNOTSUPP: the file system has no lists of such users.
 */
int account_let_in(const char *path, uid_t user, bool is_directory);

#endif
