/* SPDX-License-Identifier: MIT */
/*
 * A lock on a name in a directory, among the servers of one user. It is a file of its own, which no
 * other user can open: what others can open, they can lock. Nobody waits for it.
 */
#ifndef SERVER_NAME_LOCK_H
#define SERVER_NAME_LOCK_H

struct name_lock {
    int directory; /* borrowed */
    int fd;        /* -1: the directory has another file in its place, or no room for it */
    char name[160];
};

/*
 * 0, or -EADDRINUSE: another server has it. Where a file of somebody else has its name, or none can be
 * made, there is no lock, which is no error: nobody is kept from his socket by that.
 */
int name_lock_take(struct name_lock *ret_lock, int directory, const char *name);
void name_lock_release(struct name_lock *lock);

#endif
