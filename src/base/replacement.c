/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROC_PATH_MAX = 32 };

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

static int name_target(struct replacement *replacement, int fd)
{
    char link[PROC_PATH_MAX], target[PATH_MAX];
    ssize_t len;

    proc_path(link, fd);
    len = readlink(link, target, sizeof(target) - 1);
    if (len < 0)
        return -errno;
    target[len] = '\0';
    replacement->target = strdup(target);
    return replacement->target ? 0 : -ENOMEM;
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
}

static int make_temporary(struct replacement *replacement)
{
    int fd = mkostemp(replacement->temporary, O_CLOEXEC), err;

    if (fd >= 0 && fchmod(fd, replacement->mode) == 0)
        return fd;
    err = -errno;
    if (fd >= 0) {
        unlink(replacement->temporary);
        close(fd);
    }
    return err;
}

static int open_beside(struct replacement *replacement)
{
    if (asprintf(&replacement->temporary, "%s.XXXXXX", replacement->target) < 0) {
        replacement->temporary = NULL;
        return -ENOMEM;
    }
    hold_signals(replacement);
    return make_temporary(replacement);
}

static void forget(struct replacement *replacement)
{
    if (replacement->temporary)
        sigprocmask(SIG_SETMASK, &replacement->mask, NULL);
    free(replacement->temporary);
    free(replacement->target);
    *replacement = (struct replacement){0};
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
    err = name_target(replacement, target);
    return err ? err : open_beside(replacement);
}

static int open_new(struct replacement *replacement, const char *path)
{
    replacement->target = strdup(path);
    return replacement->target ? open_beside(replacement) : -ENOMEM;
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
    struct replacement replacement = {.mode = mode_of_new_files()};
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

int replacement_end(struct replacement *replacement)
{
    int err = flush();

    if (!err && replacement->temporary &&
        (fsync(STDOUT_FILENO) < 0 || rename(replacement->temporary, replacement->target) < 0))
        err = -errno;
    if (err && replacement->temporary)
        unlink(replacement->temporary);
    forget(replacement);
    return err;
}
