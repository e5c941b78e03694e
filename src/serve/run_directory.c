/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "serve/run_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    /* Of a VM's directory, the one in which a socket is made, and its sockets. */
    DEPTH_MAX = 3,
    /* Two that look for a free name at a time do not exist: only a hash that somebody has found. */
    NAMES_TRIED = 64,
};

#define LONGEST_SOCKET "qemu.sock"

/* In vms/, which is the daemon's own even where systemd has made all sockets beside it. No VM's name begins with a dot. */
#define LOCK ".lock"

/* ---- removing ------------------------------------------------------------------------------- */

static void clear(int directory, unsigned depth);

static void remove_entry(int directory, const char *name, unsigned depth)
{
    int inner;

    if (unlinkat(directory, name, 0) == 0 || depth == 0)
        return;
    inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return;
    clear(inner, depth - 1);
    unlinkat(directory, name, AT_REMOVEDIR);
}

/* Closes @directory. */
static void clear(int directory, unsigned depth)
{
    DIR *entries = fdopendir(directory);
    const struct dirent *entry;

    if (!entries) {
        close(directory);
        return;
    }
    while ((entry = readdir(entries)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, LOCK) != 0)
            remove_entry(dirfd(entries), entry->d_name, depth);
    closedir(entries);
}

/* A copy of the fd would share its position in the list of names. */
static void clear_vms(const struct run_directory *directory)
{
    int vms = openat(directory->vms, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (vms >= 0)
        clear(vms, DEPTH_MAX);
}

/* ---- making --------------------------------------------------------------------------------- */

/* What root has made belongs to the user that it is about to become. */
static int give(const struct run_directory *directory, int fd)
{
    const struct account *account = &directory->account;

    return fchown(fd, account->uid, account->gid) < 0 ? -errno : 0;
}

/* Returns it, open. @mode: if it was not there. */
static int open_or_make(const struct run_directory *directory, int at, const char *path,
                        mode_t mode, bool *ret_is_new)
{
    bool is_new = mkdirat(at, path, 0700) == 0;
    int fd, err = 0;

    if (!is_new && errno != EEXIST)
        return -errno;
    fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (at == AT_FDCWD ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return -errno;
    if (is_new)
        err = give(directory, fd);
    if (is_new && !err && fchmod(fd, mode) < 0)
        err = -errno;
    if (err) {
        close(fd);
        return err;
    }
    *ret_is_new = is_new;
    return fd;
}

static int check_is_ours(const struct run_directory *directory, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != directory->account.uid && st.st_uid != geteuid() && st.st_uid != 0)
        return -ENOTUNIQ;
    return st.st_mode & (S_IWGRP | S_IWOTH) ? -EPERM : 0;
}

/* Once it is not root any more. */
static int check_can_make(const struct run_directory *directory, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    return directory->account.uid == 0 || st.st_uid == directory->account.uid ? 0 : -EACCES;
}

/* A file of another directory would be given away where the user may lead its name to it. */
static int check_is_lock(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) && st.st_nlink == 1 ? 0 : -EMLINK;
}

static int take_lock(struct run_directory *directory)
{
    int err;

    directory->lock =
        openat(directory->vms, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (directory->lock < 0)
        return -errno;
    if (flock(directory->lock, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    err = check_is_lock(directory->lock);
    if (!err && geteuid() == 0)
        err = give(directory, directory->lock);
    return err;
}

/* What a daemon of another user has left is root's to take over. */
static int open_vms(struct run_directory *directory, int at)
{
    mode_t mode = account_mode(&directory->account, ACCESS_LIST_OF_VMS);
    bool is_new;
    int err;

    directory->vms = open_or_make(directory, at, "vms", mode, &is_new);
    if (directory->vms < 0)
        return directory->vms;
    err = check_is_ours(directory, directory->vms);
    if (!err)
        err = take_lock(directory);
    if (!err)
        clear_vms(directory);
    if (!err && geteuid() == 0)
        err = give(directory, directory->vms);
    if (!err && fchmod(directory->vms, mode) < 0)
        err = -errno;
    return err;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* -ENOTUNIQ and -EPERM are those of check_is_ours(). */
static int fail(struct run_directory *directory, int err, const char *path,
                struct error_text *error)
{
    run_directory_close(directory);
    if (err == -EBUSY)
        return error_set(error, err, "%s: another vitals serve runs here", path);
    if (err == -ENOTUNIQ)
        return error_set(error, err, "%s: this directory is another user's", path);
    if (err == -EACCES)
        return error_set(
            error, err,
            "%s: user %u can't make sockets in this directory: 'chown %u %s' lets them, "
            "and so does removing it before root starts the daemon",
            path, directory->account.uid, directory->account.uid, path);
    if (err == -EPERM)
        return error_set(error, err, "%s: others may write to this directory", path);
    if (err == -ENAMETOOLONG)
        return error_set(error, err, "%s: too long for the paths of sockets", path);
    return error_set(error, err, "%s: the sockets can't be made: %s", path, strerror(-err));
}

/* What is left for a name of the path of the longest socket, or 0. */
static size_t room_for_names(const char *path)
{
    size_t rest = strlen(path) + strlen("/vms//" LONGEST_SOCKET);
    size_t room = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    return room < rest + SOCKET_NAME_MIN ? 0 : room - rest;
}

bool run_directory_has_room(const char *path)
{
    return path[0] != '/' || room_for_names(path);
}

static int measure(struct run_directory *directory)
{
    size_t room = room_for_names(directory->path);

    directory->name_max = room < SOCKET_NAME_MAX ? room : SOCKET_NAME_MAX;
    return room ? 0 : -ENAMETOOLONG;
}

static int open_at(struct run_directory *directory, const char *path, bool makes_sockets)
{
    bool is_new;
    int err, at = open_or_make(directory, AT_FDCWD, path, 0755, &is_new);

    if (at < 0)
        return at;
    err = check_is_ours(directory, at);
    if (!err && !realpath(path, directory->path))
        err = -errno;
    if (!err)
        err = measure(directory);
    if (!err && makes_sockets)
        err = check_can_make(directory, at);
    if (!err)
        err = open_vms(directory, at);
    close(at);
    return err;
}

int run_directory_open(const char *path, const struct account *account, bool makes_sockets,
                       struct run_directory *ret_directory, struct error_text *error)
{
    struct run_directory *directory = ret_directory;
    int err;

    *directory = (struct run_directory){.account = *account, .vms = -1, .lock = -1};
    err = open_at(directory, path, makes_sockets);
    return err ? fail(directory, err, path, error) : 0;
}

void run_directory_close(struct run_directory *directory)
{
    if (directory->vms >= 0)
        close(directory->vms);
    if (directory->lock >= 0)
        close(directory->lock);
    directory->vms = directory->lock = -1;
}

/* ---- directories of VMs --------------------------------------------------------------------- */

int run_directory_add(const struct run_directory *directory, const char *vm_name,
                      char ret_name[SOCKET_NAME_MAX + 1])
{
    mode_t mode = account_mode(&directory->account, ACCESS_DIRECTORY);
    int err = -EEXIST;

    for (unsigned i = 0; err == -EEXIST && i < NAMES_TRIED; i++) {
        socket_name_make(vm_name, i, directory->name_max, ret_name);
        err = mkdirat(directory->vms, ret_name, mode) < 0 ? -errno : 0;
    }
    /* The umask may have taken something. */
    if (!err && fchmodat(directory->vms, ret_name, mode, 0) < 0)
        err = -errno;
    return err;
}

void run_directory_remove(const struct run_directory *directory, const char *name)
{
    remove_entry(directory->vms, name, DEPTH_MAX - 1);
}

mode_t run_directory_socket_mode(const struct run_directory *directory)
{
    return account_mode(&directory->account, ACCESS_SOCKET);
}
