/* SPDX-License-Identifier: MIT */
#include "host/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/arguments.h"

enum { FILE_MAX = 64 };
_Static_assert((int)ARGUMENTS_MAX == (int)PROCESS_TEXT_MAX, "they are read into a text");

/* What was read, with a NUL behind it. */
struct text {
    char bytes[PROCESS_TEXT_MAX + 1];
    size_t size;
};

static void read_text(pid_t pid, const char *file, struct text *ret_text)
{
    char path[64];
    ssize_t n = 1;
    int fd;

    ret_text->size = 0;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && n > 0 && ret_text->size < PROCESS_TEXT_MAX) {
        n = read(fd, ret_text->bytes + ret_text->size, PROCESS_TEXT_MAX - ret_text->size);
        if (n > 0)
            ret_text->size += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    ret_text->bytes[ret_text->size] = '\0';
}

/* Field 22 of a file "stat"; those before it are behind the name, which may hold anything. */
static bool read_start_ticks(pid_t pid, const char *file, uint64_t *ret_ticks)
{
    enum { FIELDS_BETWEEN = 19 };
    struct text *text = malloc(sizeof(*text));
    const char *at = NULL;
    bool found = false;

    if (!text)
        return false;
    read_text(pid, file, text);
    at = strrchr(text->bytes, ')');
    for (int i = 0; at && i <= FIELDS_BETWEEN; i++)
        at = strchr(at + 1, ' ');
    if (at) {
        *ret_ticks = strtoull(at, NULL, 10);
        found = true;
    }
    free(text);
    return found;
}

/* /proc counts in these, and cuts. */
static uint64_t tick_ns(void)
{
    return 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static bool is_same_process(pid_t pid, uint64_t start_time)
{
    uint64_t ticks;

    return read_start_ticks(pid, "stat", &ticks) && ticks == start_time / tick_ns();
}

void process_identify(pid_t pid, uint64_t start_time, struct identity *ret_identity)
{
    struct text *texts = calloc(3, sizeof(*texts));
    struct process_text process = {.pid = pid};

    if (texts) {
        texts[0].size = arguments_read(pid, texts[0].bytes);
        read_text(pid, "cgroup", &texts[1]);
        read_text(pid, "comm", &texts[2]);
        texts[2].bytes[strcspn(texts[2].bytes, "\n")] = '\0';
        /* Asked last: until here it was the same one. */
        if (is_same_process(pid, start_time)) {
            process.command_line = texts[0].bytes;
            process.command_line_size = texts[0].size + 1;
            process.cgroup = texts[1].bytes;
            process.program = texts[2].bytes;
        }
    }
    identity_read(&process, ret_identity);
    free(texts);
}

bool process_user(pid_t pid, uid_t *ret_uid)
{
    char path[FILE_MAX];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &st) < 0)
        return false;
    *ret_uid = st.st_uid;
    return true;
}

/* ---- threads -------------------------------------------------------------------------------- */

/* The last number of a line "NAME:\tNUMBER..." of a file "status"; 0: there is none. */
static int64_t read_status(pid_t pid, const char *file, const char *name)
{
    struct text *text = malloc(sizeof(*text));
    const char *at = NULL;
    int64_t number = 0;

    if (!text)
        return 0;
    read_text(pid, file, text);
    at = strstr(text->bytes, name);
    if (at) {
        text->bytes[at - text->bytes + 1 + (ptrdiff_t)strcspn(at + 1, "\n")] = '\0';
        number = strtoll(strrchr(at, '\t') + 1, NULL, 10);
    }
    free(text);
    return number;
}

pid_t process_of_thread(pid_t tid)
{
    return (pid_t)read_status(tid, "status", "\nTgid:\t");
}

static bool is_called(pid_t pid, const char *tid, int64_t number)
{
    char file[FILE_MAX];

    snprintf(file, sizeof(file), "task/%.20s/status", tid);
    return read_status(pid, file, "\nNSpid:\t") == number;
}

pid_t process_find_thread(pid_t pid, int64_t number, unsigned *looks)
{
    char path[FILE_MAX], tid[FILE_MAX];
    struct dirent *entry;
    pid_t found = 0;
    DIR *tasks;

    snprintf(tid, sizeof(tid), "%lld", (long long)number);
    if (is_called(pid, tid, number))
        return (pid_t)number;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    while (tasks && !found && *looks && (entry = readdir(tasks))) {
        (*looks)--;
        if (is_called(pid, entry->d_name, number))
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    if (tasks)
        closedir(tasks);
    return found;
}

bool process_is_users(pid_t peer, int64_t number, uid_t uid)
{
    pid_t pid = (pid_t)number;

    /* The last of four is that which counts for files: the user's whom /proc belongs to. */
    return number > 0 && number <= INT32_MAX && read_status(peer, "status", "\nNSpid:\t") == peer &&
           read_status(pid, "status", "\nNSpid:\t") == pid &&
           read_status(pid, "status", "\nTgid:\t") == pid &&
           read_status(pid, "status", "\nUid:\t") == uid;
}

bool process_thread_start(pid_t pid, pid_t tid, uint64_t *ret_ticks)
{
    char file[FILE_MAX];

    snprintf(file, sizeof(file), "task/%d/stat", (int)tid);
    return read_start_ticks(pid, file, ret_ticks);
}

uint64_t process_start_ns(pid_t pid)
{
    uint64_t ticks;

    return read_start_ticks(pid, "stat", &ticks) ? ticks * tick_ns() : 0;
}
