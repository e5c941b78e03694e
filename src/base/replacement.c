/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    PROC_PATH_MAX = 32,
    NAMES_TRIED = 16, /* that are there already */
};

/* ---- the target ----------------------------------------------------------------------------- */

static mode_t mode_of_new_files(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

/* Not even a link to nothing. */
static bool is_nothing(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 && errno == ENOENT;
}

/*
 * The kernel follows the links, and not this program: it knows which ones in /tmp are a stranger's.
 * What a link to nothing names is made.
 */
static int open_target(const char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && !is_nothing(path))
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    return fd < 0 ? -errno : fd;
}

static void proc_path(char path[PROC_PATH_MAX], int fd)
{
    snprintf(path, PROC_PATH_MAX, "/proc/self/fd/%d", fd);
}

/* Splits @path, which is changed: the directory is opened, and from now on only names in it are used. */
static int open_directory(struct replacement *replacement, char *path)
{
    char *slash = strrchr(path, '/');
    const char *directory = !slash ? "." : slash == path ? "/" : path;

    replacement->target = strdup(slash ? slash + 1 : path);
    if (!replacement->target)
        return -ENOMEM;
    if (slash)
        *slash = '\0';
    replacement->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return replacement->directory < 0 ? -errno : 0;
}

static bool is_same(const struct replacement *replacement, const char *name, int fd)
{
    struct stat there, own;

    return fstatat(replacement->directory, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstat(fd, &own) == 0 && there.st_dev == own.st_dev && there.st_ino == own.st_ino;
}

/* Where the file behind all links is. Somebody may move it meanwhile. */
static int find_target(struct replacement *replacement, int fd)
{
    char link[PROC_PATH_MAX], target[PATH_MAX];
    ssize_t len;
    int err;

    proc_path(link, fd);
    len = readlink(link, target, sizeof(target) - 1);
    if (len < 0)
        return -errno;
    target[len] = '\0';
    err = open_directory(replacement, target);
    if (err)
        return err;
    return is_same(replacement, replacement->target, fd) ? 0 : -ESTALE;
}

/* A device or a pipe stays what it is. */
static int open_again(int fd)
{
    char path[PROC_PATH_MAX];
    int writable;

    proc_path(path, fd);
    writable = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return writable < 0 ? -errno : writable;
}

/* ---- the temporary file --------------------------------------------------------------------- */

static void hold_signals(struct replacement *replacement)
{
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, &replacement->mask);
    replacement->holds_signals = true;
}

/* A name that nobody else has taken; whatever is there is not opened. */
static int make_temporary(struct replacement *replacement)
{
    int fd = -1;

    for (int i = 0; i < NAMES_TRIED && fd < 0; i++) {
        uint64_t number = 0;

        if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
            number = clock_now_ns();
        free(replacement->temporary);
        if (asprintf(&replacement->temporary, "%s.%06x", replacement->target,
                     (unsigned)(number & 0xffffff)) < 0) {
            replacement->temporary = NULL;
            return -ENOMEM;
        }
        fd = openat(replacement->directory, replacement->temporary,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd < 0 ? -errno : fd;
}

static void remove_temporary(const struct replacement *replacement, int fd)
{
    if (is_same(replacement, replacement->temporary, fd))
        unlinkat(replacement->directory, replacement->temporary, 0);
}

static int open_beside(struct replacement *replacement)
{
    int fd, err;

    hold_signals(replacement);
    fd = make_temporary(replacement);
    if (fd < 0 || fchmod(fd, replacement->mode) == 0)
        return fd;
    err = -errno;
    remove_temporary(replacement, fd);
    close(fd);
    return err;
}

static void forget(struct replacement *replacement)
{
    if (replacement->holds_signals)
        sigprocmask(SIG_SETMASK, &replacement->mask, NULL);
    if (replacement->directory >= 0)
        close(replacement->directory);
    free(replacement->temporary);
    free(replacement->target);
    *replacement = (struct replacement){.directory = -1};
}

/* ---- begin and end -------------------------------------------------------------------------- */

/* Each returns what to write to, or -errno. */
static int open_for(struct replacement *replacement, int target)
{
    struct stat st;
    int err;

    if (fstat(target, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return open_again(target);
    replacement->mode = st.st_mode & 0777;
    err = find_target(replacement, target);
    return err ? err : open_beside(replacement);
}

static int open_new(struct replacement *replacement, const char *path)
{
    char *copy = strdup(path);
    int err = copy ? open_directory(replacement, copy) : -ENOMEM;

    free(copy);
    return err ? err : open_beside(replacement);
}

static int open_output(struct replacement *replacement, const char *path)
{
    int target = open_target(path), fd;

    if (target < 0)
        return target == -ENOENT && is_nothing(path) ? open_new(replacement, path) : target;
    fd = open_for(replacement, target);
    close(target);
    return fd;
}

static int begin(struct replacement *ret_replacement, const char *path,
                 int (*open_path)(struct replacement *replacement, const char *path))
{
    struct replacement replacement = {.directory = -1, .mode = mode_of_new_files()};
    int fd = open_path(&replacement, path);

    if (fd < 0) {
        forget(&replacement);
        return fd;
    }
    dup2(fd, STDOUT_FILENO);
    if (fd != STDOUT_FILENO)
        close(fd);
    *ret_replacement = replacement;
    return 0;
}

int replacement_begin(struct replacement *ret_replacement, const char *path)
{
    return begin(ret_replacement, path, open_output);
}

int replacement_begin_here(struct replacement *ret_replacement, const char *path)
{
    return begin(ret_replacement, path, open_new);
}

/* What can't be written is not written again when the program ends. */
static int flush(void)
{
    bool has_failed = ferror(stdout);

    if (fflush(stdout) == 0 && !has_failed)
        return 0;
    __fpurge(stdout);
    clearerr(stdout);
    return errno ? -errno : -EIO;
}

/* Whoever may write to the directory can have put another file in its place. */
static int take_name(const struct replacement *replacement)
{
    int directory = replacement->directory;

    if (fsync(STDOUT_FILENO) < 0)
        return -errno;
    if (!is_same(replacement, replacement->temporary, STDOUT_FILENO))
        return -ESTALE;
    if (renameat(directory, replacement->temporary, directory, replacement->target) < 0)
        return -errno;
    return 0;
}

int replacement_end(struct replacement *replacement)
{
    int err = flush();

    if (!err && replacement->temporary)
        err = take_name(replacement);
    if (err && replacement->temporary)
        remove_temporary(replacement, STDOUT_FILENO);
    forget(replacement);
    return err;
}

void replacement_abandon(struct replacement *replacement)
{
    __fpurge(stdout);
    clearerr(stdout);
    if (replacement->temporary)
        remove_temporary(replacement, STDOUT_FILENO);
    forget(replacement);
}
