/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "server/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library_thread.h"
#include "base/listener_probe.h"
#include "base/passed_files.h"
#include "server/name_lock.h"

/* Directories with the name of a private one that are there already, before it is given up. */
enum { PRIVATE_NAMES_TRIED = 16 };

struct making {
    struct socket_file file;
    int fd; /* of the socket */
    mode_t mode;
    bool is_shared;         /* others may write to the directory */
    bool has_own_directory; /* the thread has a current directory and a umask of its own */
    int private_directory;
    char private_name[32];
    int err;
};

/* ---- the directory -------------------------------------------------------------------------- */

/* Splits the path: its directory, and the name in that. */
static int split(const char *path, char *directory, char *name)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    /* "@name" stands for a name without a file in other programs, which nobody could protect. */
    if (!*path || *path == '@')
        return -EINVAL;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return -ENAMETOOLONG;
    strcpy(name, slash ? slash + 1 : path);
    strcpy(directory, slash ? "/" : ".");
    if (len) {
        memcpy(directory, path, len);
        directory[len] = '\0';
    }
    return 0;
}

static bool is_directory_name(const char *name)
{
    return !*name || !strcmp(name, ".") || !strcmp(name, "..");
}

static int check_directory(struct making *making)
{
    struct stat st;

    if (fstat(making->file.directory, &st) < 0)
        return -errno;
    /* Anyone could put another socket in the place of this one. */
    if (st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX))
        return -EPERM;
    making->is_shared = st.st_mode & (S_IWGRP | S_IWOTH) || st.st_uid != geteuid();
    return 0;
}

static int open_directory(struct making *making, const char *path)
{
    char directory[sizeof(making->file.name)];
    int err = split(path, directory, making->file.name);

    if (err)
        return err;
    making->file.directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (making->file.directory < 0)
        return -errno;
    return is_directory_name(making->file.name) ? -EEXIST : check_directory(making);
}

/* ---- a directory that nobody else can write ------------------------------------------------- */

static int make_private_name(struct making *making)
{
    uint64_t number = 0;
    int i;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
        number = clock_now_ns();
    for (i = 0; i < PRIVATE_NAMES_TRIED; i++) {
        snprintf(making->private_name, sizeof(making->private_name), ".vitals-%016llx",
                 (unsigned long long)number + (unsigned)i);
        if (mkdirat(making->file.directory, making->private_name, 0700) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    making->private_name[0] = '\0';
    return -errno;
}

/* Somebody may have put a directory of his own in its place already. */
static int check_private(int directory)
{
    struct stat st;

    if (fstat(directory, &st) < 0)
        return -errno;
    return st.st_uid != geteuid() || st.st_mode & (S_IRWXG | S_IRWXO) ? -EEXIST : 0;
}

static int make_private_directory(struct making *making)
{
    int err = make_private_name(making);

    if (err)
        return err;
    making->private_directory = openat(making->file.directory, making->private_name,
                                       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return making->private_directory < 0 ? -errno : check_private(making->private_directory);
}

static void remove_private_directory(struct making *making)
{
    if (making->private_directory >= 0)
        close(making->private_directory);
    if (making->private_name[0])
        unlinkat(making->file.directory, making->private_name, AT_REMOVEDIR);
}

/* ---- addresses ------------------------------------------------------------------------------ */

/*
 * The kernel takes no directory beside the name of a socket. It is the current one where the thread
 * has one of its own; elsewhere /proc has a name for it.
 */
static int address_in(const struct making *making, int directory, struct sockaddr_un *ret_address)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (making->has_own_directory) {
        if (fchdir(directory) < 0)
            return -errno;
        strcpy(address.sun_path, making->file.name);
    } else if (snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                        directory, making->file.name) >= (int)sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    } else if (access("/proc/self/fd", F_OK) < 0) {
        return -ENOSYS;
    }
    *ret_address = address;
    return 0;
}

static int probe_in(const struct making *making, int directory)
{
    struct sockaddr_un address;
    int err = address_in(making, directory, &address);

    return err ? err : listener_probe(&address);
}

static int stat_in(const struct making *making, int directory, struct stat *ret_stat)
{
    int err = fstatat(directory, making->file.name, ret_stat, AT_SYMLINK_NOFOLLOW);

    return err < 0 ? -errno : 0;
}

/* The socket may have been made with fewer permissions: by a umask, or as the directory's ACL says. */
static int set_mode(const struct making *making, const struct stat *st)
{
    if ((st->st_mode & 07777) == making->mode)
        return 0;
    if (fchmodat(making->private_directory, making->file.name, making->mode, 0) < 0)
        return -errno;
    return 0;
}

static int bind_privately(struct making *making)
{
    struct sockaddr_un address;
    struct stat st;
    int err = address_in(making, making->private_directory, &address);

    if (err)
        return err;
    /* The file is made with the mode of the socket, less the umask. */
    if (fchmod(making->fd, making->mode) < 0 ||
        bind(making->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    err = stat_in(making, making->private_directory, &st);
    if (err)
        return err;
    making->file.device = st.st_dev;
    making->file.inode = st.st_ino;
    err = set_mode(making, &st);
    return !err && listen(making->fd, SOMAXCONN) < 0 ? -errno : err;
}

/* ---- taking the name ------------------------------------------------------------------------ */

/* What connecting to a socket says of it: 0 where nobody listens on it any more. */
static int judge(int err)
{
    switch (err) {
    case -ECONNREFUSED:
    case -ENOENT:
        return 0;
    case 0:
    case -EAGAIN:
    case -EPROTOTYPE: /* it is of another type */
        return -EADDRINUSE;
    default: /* not even that is known: -EACCES, where the mode keeps this user out */
        return err;
    }
}

/* 0: there is nothing, or a socket that nobody listens on any more and that may be removed. */
static int check_stale(const struct making *making, int directory)
{
    struct stat st;
    int err = stat_in(making, directory, &st);

    if (err)
        return err == -ENOENT ? 0 : err;
    if (!S_ISSOCK(st.st_mode) || (making->is_shared && st.st_uid != geteuid()))
        return -EEXIST;
    return judge(probe_in(making, directory));
}

/* From the private directory to the one that was asked for. -EEXIST: the name is taken. */
static int take_free_name(const struct making *making)
{
    const char *name = making->file.name;
    int from = making->private_directory, to = making->file.directory;

    if (renameat2(from, name, to, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    /* A file system without that: both names for a moment. */
    if (linkat(from, name, to, name, 0) < 0)
        return -errno;
    unlinkat(from, name, 0);
    return 0;
}

/* What had the name is in the private directory then, where nobody can change it. */
static int exchange(const struct making *making)
{
    const char *name = making->file.name;
    int from = making->private_directory, to = making->file.directory;

    if (renameat2(from, name, to, name, RENAME_EXCHANGE) == 0)
        return 0;
    if ((errno == EINVAL || errno == ENOSYS) && renameat(from, name, to, name) == 0)
        return 0;
    return -errno;
}

static bool is_own_file(const struct socket_file *file, int directory)
{
    struct stat st;

    return fstatat(directory, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode) &&
           st.st_dev == file->device && st.st_ino == file->inode;
}

/*
 * What this one took was not stale: a program that takes no lock was faster. If another came while it
 * was away, that one would have replaced it, too.
 */
static void put_back(const struct making *making)
{
    int err = exchange(making);

    if (err == -ENOENT)
        take_free_name(making);
    else if (!err && !is_own_file(&making->file, making->private_directory))
        exchange(making);
}

/* Under the lock. */
static int replace(const struct making *making)
{
    int err = check_stale(making, making->file.directory);

    if (!err)
        err = exchange(making);
    if (err)
        return err == -ENOENT ? take_free_name(making) : err;
    err = check_stale(making, making->private_directory);
    if (err)
        put_back(making);
    return err;
}

/*
 * Servers that all find it stale must not exchange with each other: of three, each can get a live
 * socket in its hands that is not the one it put there.
 */
static int replace_stale(const struct making *making)
{
    struct name_lock lock;
    int err = name_lock_take(&lock, making->file.directory, making->file.name);

    if (err)
        return err;
    err = replace(making);
    name_lock_release(&lock);
    return err;
}

static int take_name(const struct making *making)
{
    int err = take_free_name(making);

    if (err == -EEXIST)
        err = replace_stale(making);
    /* What is left there is the stale one, or this one, which has failed. */
    if (!err || is_own_file(&making->file, making->private_directory))
        unlinkat(making->private_directory, making->file.name, 0);
    return err;
}

/* ---- making and removing -------------------------------------------------------------------- */

static int make(struct making *making)
{
    int err = make_private_directory(making);

    if (!err)
        err = bind_privately(making);
    if (!err)
        err = take_name(making);
    remove_private_directory(making);
    return err;
}

static void *make_in_thread(void *opaque)
{
    struct making *making = opaque;

    making->has_own_directory = unshare(CLONE_FS) == 0;
    if (making->has_own_directory)
        umask(0);
    making->err = make(making);
    return NULL;
}

/* The caller's thread shares its current directory with all others, and so must leave it alone. */
static int make_beside(struct making *making)
{
    pthread_t thread;

    if (library_thread_create(&thread, NULL, make_in_thread, making))
        return make(making);
    pthread_join(thread, NULL);
    return making->err;
}

static int make_socket(struct making *making, const char *path)
{
    int err = open_directory(making, path);

    if (err)
        return err;
    making->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (making->fd < 0)
        return -errno;
    passed_files_refuse(making->fd);
    return make_beside(making);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

int socket_file_make(const char *path, mode_t mode, struct socket_file *ret_file)
{
    struct making making = {.file.directory = -1, .fd = -1, .mode = mode, .private_directory = -1};
    int err = make_socket(&making, path);

    if (err) {
        close_fd(making.fd);
        close_fd(making.file.directory);
        return err;
    }
    *ret_file = making.file;
    return making.fd;
}

void socket_file_forget(struct socket_file *file)
{
    close_fd(file->directory);
    file->directory = -1;
}

void socket_file_remove(struct socket_file *file)
{
    if (file->directory >= 0 && is_own_file(file, file->directory))
        unlinkat(file->directory, file->name, 0);
    socket_file_forget(file);
}
