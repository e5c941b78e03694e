/* SPDX-License-Identifier: MIT */
/*
 * The directory of the daemon's sockets, usually /run/vitals:
 *
 *      vms/.lock         held by the daemon that runs
 *      vms/NAME/         the sockets of each VM
 *
 * Whoever can write there could have the daemon make or remove files of theirs, so nobody else may.
 */
#ifndef SERVE_RUN_DIRECTORY_H
#define SERVE_RUN_DIRECTORY_H

#include <limits.h>

#include "host/socket_name.h"
#include "serve/account.h"

struct run_directory {
    char path[PATH_MAX]; /* absolute */
    struct account account;
    size_t name_max; /* of names in vms/, so that a socket's path is short enough */
    int vms, lock;   /* open, or -1 */
};

/*
 * Makes what is missing, for the account, which needs to own it if it @makes_sockets there; and removes what a daemon that was killed has left. -EBUSY:
 * one runs. -errno with a text.
 */
int run_directory_open(const char *path, const struct account *account, bool makes_sockets,
                       struct run_directory *ret_directory, struct error_text *error);

/* Whether its path leaves room for those of sockets; a relative one may. */
bool run_directory_has_room(const char *path);

/* Lets go of the lock; what is in it stays. */
void run_directory_close(struct run_directory *directory);

/* Makes the directory of a VM, by a name that no other has. -errno. */
int run_directory_add(const struct run_directory *directory, const char *vm_name,
                      char ret_name[SOCKET_NAME_MAX + 1]);

/* With all that is in it. */
void run_directory_remove(const struct run_directory *directory, const char *name);

/* The mode of sockets. */
mode_t run_directory_socket_mode(const struct run_directory *directory);

#endif
