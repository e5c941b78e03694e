/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run/watched.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROC_PATH_MAX = 64, LINK_MAX_LEN = 64 };

/* False: can't be seen. */
static bool look_at_program(pid_t pid, struct stat *ret_st)
{
    char path[PROC_PATH_MAX];

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    return stat(path, ret_st) == 0;
}

int watched_open(pid_t pid, struct watched *ret_watched)
{
    struct watched watched = {.pid = pid};
    struct stat st;

    watched.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (watched.pidfd < 0)
        return -errno;
    if (look_at_program(pid, &st)) {
        watched.program_device = st.st_dev;
        watched.program = st.st_ino;
    }
    *ret_watched = watched;
    return 0;
}

void watched_close(struct watched *watched)
{
    close(watched->pidfd);
    watched->pidfd = -1;
}

bool watched_has_ended(const struct watched *watched)
{
    struct pollfd pollfd = {.fd = watched->pidfd, .events = POLLIN};
    struct stat st;

    if (poll(&pollfd, 1, 0) > 0)
        return true;
    return watched->program && look_at_program(watched->pid, &st) &&
           (st.st_dev != watched->program_device || st.st_ino != watched->program);
}

bool watched_has_file(const struct watched *watched, int fd, const char *name)
{
    char path[PROC_PATH_MAX], link[LINK_MAX_LEN] = "";
    size_t len = strlen(name);

    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)watched->pid, fd);
    if (readlink(path, link, sizeof(link) - 1) < 0)
        return errno == EACCES || errno == EPERM;
    return name[len - 1] == ':' ? strncmp(link, name, len) == 0 : strcmp(link, name) == 0;
}
