/* SPDX-License-Identifier: MIT */
/* Between the files of look.h. Each int is 0, or the exit status once the error has been said. */
#ifndef LOOK_PRIVATE_H
#define LOOK_PRIVATE_H

#include "look/look.h"

/* Says what went wrong; @hint may be NULL. Returns EXIT_FAILURE. */
__attribute__((format(printf, 3, 4))) int look_fail(struct look *look, const char *hint,
                                                    const char *format, ...);

/* @path belongs to the list from here on; NULL: there was no memory for it. */
int look_add_path(struct look *look, char *path);

/* From the options, or from the environment. */
int look_find_sockets(struct look *look);

/* Whether the VMs of this host are looked at: no socket is named, and no daemon has some for all. */
bool look_is_at_host(struct look *look);

/* All VMs of this host, in place of sockets. There may be none. */
int look_open_host(struct look *look);

/* The same, to be watched: makes the look's place. */
int look_make_host_place(struct look *look);

/* What is asked from now on is as it is now: one pass for all VMs of this host. */
int look_refresh(struct look *look);

/* All at once; those that fail are complained about. */
int look_open_vms(struct look *look);

/* The sockets of the options, looked for again each time. NULL: no memory. */
struct place *look_make_socket_place(struct look *look);

/* Whether the error says that this is something else. */
bool look_is_no_qmp(int err);

/* One of the VMs has statistics, at least. */
int look_check_any(struct look *look);

/* Closes the VMs that are not wanted. */
int look_match_vms(struct look *look);

int look_match_objects(struct look *look); /* vCPUs, and others, which are asked for */
int look_match_stats(struct look *look);

#endif
