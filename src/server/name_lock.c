/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "server/name_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Locks that were released while they were opened, before another server is said to have it. */
enum { NAME_LOCK_TRIES = 16 };

/* Nobody else can have opened it, or have led its name to it. */
static bool is_own(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1 &&
           !(st->st_mode & (S_IRWXG | S_IRWXO));
}

/* Whoever releases it removes it, and then the next one makes another. */
static bool is_still_there(const struct name_lock *lock)
{
    struct stat there, own;

    return fstat(lock->fd, &own) == 0 &&
           fstatat(lock->directory, lock->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           there.st_dev == own.st_dev && there.st_ino == own.st_ino;
}

static void drop(struct name_lock *lock)
{
    close(lock->fd);
    lock->fd = -1;
}

/* 0: nobody's lock, or this one's. -EAGAIN: it was released meanwhile. */
static int try_to_take(struct name_lock *lock)
{
    struct stat st;

    lock->fd = openat(lock->directory, lock->name,
                      O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (lock->fd < 0)
        return 0;
    if (fstat(lock->fd, &st) < 0 || (!is_own(&st) && st.st_nlink)) {
        drop(lock);
        return 0;
    }
    if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0) {
        int err = errno == EWOULDBLOCK ? -EADDRINUSE : 0;

        drop(lock);
        return err;
    }
    if (is_still_there(lock))
        return 0;
    drop(lock);
    return -EAGAIN;
}

int name_lock_take(struct name_lock *ret_lock, int directory, const char *name)
{
    struct name_lock lock = {.directory = directory, .fd = -1};
    int err = -EAGAIN;

    snprintf(lock.name, sizeof(lock.name), ".%s.vitals-lock", name);
    for (int i = 0; err == -EAGAIN && i < NAME_LOCK_TRIES; i++)
        err = try_to_take(&lock);
    if (err)
        return -EADDRINUSE;
    *ret_lock = lock;
    return 0;
}

void name_lock_release(struct name_lock *lock)
{
    if (lock->fd < 0)
        return;
    if (is_still_there(lock))
        unlinkat(lock->directory, lock->name, 0);
    /* A child of the program may have a copy of the fd. */
    flock(lock->fd, LOCK_UN);
    close(lock->fd);
}
