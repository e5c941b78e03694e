/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run/heirs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "run/message.h"

enum {
    PIECE = 64 << 10,
    ENVIRONMENT_MAX = 4 << 20
}; /* bytes; what is behind them is not looked at */

/* The environment that its program was started with; what it makes of it later is not seen. */
static void read_environment(const char *pid, struct buf *text)
{
    char path[sizeof("/proc//environ") + sizeof(((struct dirent *)0)->d_name)];
    ssize_t n = 1;
    int fd;

    buf_reset(text);
    snprintf(path, sizeof(path), "/proc/%s/environ", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && n > 0 && text->len < ENVIRONMENT_MAX && buf_reserve(text, PIECE)) {
        n = read(fd, text->data + text->len, PIECE);
        text->len += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
}

static bool is_heir(const char *pid, const char *variable, struct buf *text)
{
    size_t len = strlen(variable) + 1; /* with its end */
    const char *found;

    read_environment(pid, text);
    found = text->len ? memmem(text->data, text->len, variable, len) : NULL;
    return found && (found == text->data || found[-1] == '\0');
}

/* Where /proc can't be read, nobody is seen. */
bool heirs_are_left(const char *socket_path)
{
    char variable[sizeof(RUN_VARIABLE "=") + RUN_PATH_MAX];
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    struct buf text = {0};
    bool are_left = false;

    snprintf(variable, sizeof(variable), RUN_VARIABLE "=%s", socket_path);
    while (proc && !are_left && (entry = readdir(proc)))
        are_left = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
                   is_heir(entry->d_name, variable, &text);
    buf_free(&text);
    if (proc)
        closedir(proc);
    return are_left;
}
