/* SPDX-License-Identifier: MIT */
/* As whom the daemon runs, and who may use the sockets of a VM. */
#ifndef SERVE_ACCOUNT_H
#define SERVE_ACCOUNT_H

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define ACCOUNT_NAME "vitals" /* of the user and of the group, where they exist */

struct account {
    uid_t uid;
    gid_t gid;
    bool has_group; /* the members of @group may use the sockets; else only this user and owners */
    gid_t group;    /* usually @gid, whose the files are */
};

/* The names that were given, and by what, for messages; NULL: none, and by the options. */
struct account_names {
    const char *user, *group;
    const char *user_where, *group_where;
};

/*
 * The static entry of a name, as getpwnam() and getgrnam() have it. -ENOENT: there is none. Another -errno: nobody
 * knows, as who is asked for users and groups does not answer, say. Each with a text.
 */
int account_look_up_user(const char *name, const struct passwd **ret_user,
                         struct error_text *error);
int account_look_up_group(const char *name, const struct group **ret_group,
                          struct error_text *error);

/*
 * By the names that were given; NULL: ACCOUNT_NAME if it exists, else who has started us. Only root can
 * become another. -errno with a text.
 */
int account_find(const struct account_names *names, struct account *ret_account,
                 struct error_text *error);

/* Of a daemon that runs: other members are let in from now on, and its user stays. The same errors. */
int account_change_group(const struct account_names *names, struct account *account,
                         struct error_text *error);

/* The uids of those whose VMs are shown to them. */
struct person_range {
    uid_t min, max; /* min > max: nobody's are */
};

/*
 * NULL or "people": as useradd gives them, by /etc/login.defs below @root, and where that is silent from
 * 1000 to 60000; "none"; or "MIN-MAX". False: it is none of these.
 */
bool account_read_people(const char *text, const char *root, struct person_range *ret_people);

enum access_kind { ACCESS_SOCKET, ACCESS_DIRECTORY, ACCESS_LIST_OF_VMS };

/* The mode of one that nobody but the account's user and files' group is let into by. */
mode_t account_mode(const struct account *account, enum access_kind kind);

/* Whether that mode does not say all: there is an owner, or a group which the files don't have. */
bool account_needs_list(const struct account *account, const uid_t *owner);

/*
 * Lets the account's group and @owner (NULL: there is none) use what is at @path, which is our own, and
 * nobody else. -errno; -EOPNOTSUPP: the file system has no lists of users.
 */
int account_let_in(const struct account *account, const char *path, enum access_kind kind,
                   const uid_t *owner);

#endif
