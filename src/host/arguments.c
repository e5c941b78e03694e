/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library_thread.h"

/* Shared by who reads and who waits: the last one frees it. */
struct reading {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done, is_left; /* left: nobody waits any more */
    pid_t pid;
    size_t size;
    char text[ARGUMENTS_MAX + 1];
};

static atomic_uint n_stuck;

/* ---- users who kept a thread waiting -------------------------------------------------------- */

static pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;
static struct slow_user {
    uid_t uid;
    uint64_t until_ns;
} slow_users[ARGUMENTS_STUCK_MAX];
static unsigned next_slow_user;

static void note_slow(uid_t uid)
{
    pthread_mutex_lock(&slow_lock);
    slow_users[next_slow_user++ % ARGUMENTS_STUCK_MAX] = (struct slow_user){
        .uid = uid, .until_ns = clock_now_ns() + UINT64_C(1000000) * ARGUMENTS_PENALTY_MS};
    pthread_mutex_unlock(&slow_lock);
}

static bool is_slow(uid_t uid)
{
    uint64_t now = clock_now_ns();
    bool is_slow;

    pthread_mutex_lock(&slow_lock);
    /* Where the oldest one counts still, many users were waited for: enough, whoever asks for more. */
    is_slow = slow_users[next_slow_user % ARGUMENTS_STUCK_MAX].until_ns > now;
    for (size_t i = 0; i < ARGUMENTS_STUCK_MAX; i++)
        is_slow |= slow_users[i].uid == uid && slow_users[i].until_ns > now;
    pthread_mutex_unlock(&slow_lock);
    return is_slow;
}

/*
 * The kernel answers, and not the process. Its directory in /proc belongs to root where it has made
 * itself undumpable: that would have all VMs of root pay for it.
 */
static bool find_user(pid_t pid, uid_t *ret_uid)
{
    char path[32], line[256];
    bool found = false;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof(line), file))
        found = sscanf(line, "Uid:\t%*u\t%u", ret_uid) == 1;
    if (file)
        fclose(file);
    return found;
}

/* ---- one reading ---------------------------------------------------------------------------- */

static struct reading *reading_new(pid_t pid)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    pthread_condattr_t attributes;

    if (!reading)
        return NULL;
    reading->pid = pid;
    pthread_mutex_init(&reading->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reading->done, &attributes);
    pthread_condattr_destroy(&attributes);
    return reading;
}

static void reading_free(struct reading *reading)
{
    pthread_cond_destroy(&reading->done);
    pthread_mutex_destroy(&reading->lock);
    free(reading);
}

static void read_all(struct reading *reading)
{
    char path[32];
    ssize_t n = 1;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)reading->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && n > 0 && reading->size < ARGUMENTS_MAX) {
        n = read(fd, reading->text + reading->size, ARGUMENTS_MAX - reading->size);
        if (n > 0)
            reading->size += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
}

static void *run(void *opaque)
{
    struct reading *reading = opaque;
    bool is_left;

    read_all(reading);
    pthread_mutex_lock(&reading->lock);
    reading->is_done = true;
    is_left = reading->is_left;
    pthread_cond_signal(&reading->done);
    pthread_mutex_unlock(&reading->lock);
    if (is_left) {
        atomic_fetch_sub(&n_stuck, 1);
        reading_free(reading);
    }
    return NULL;
}

static struct timespec deadline(void)
{
    uint64_t ns = clock_now_ns() + UINT64_C(1000000) * ARGUMENTS_DEADLINE_MS;

    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000)};
}

/* Whether it was done in time; else it is the thread's from here on. */
static bool wait_for(struct reading *reading)
{
    struct timespec until = deadline();
    bool is_done;

    pthread_mutex_lock(&reading->lock);
    while (!reading->is_done &&
           pthread_cond_timedwait(&reading->done, &reading->lock, &until) != ETIMEDOUT)
        ;
    is_done = reading->is_done;
    reading->is_left = !is_done;
    if (!is_done)
        atomic_fetch_add(&n_stuck, 1);
    pthread_mutex_unlock(&reading->lock);
    return is_done;
}

static bool start(struct reading *reading)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int err;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    err = library_thread_create(&thread, &attributes, run, reading);
    pthread_attr_destroy(&attributes);
    return !err;
}

size_t arguments_read(pid_t pid, char text[ARGUMENTS_MAX + 1])
{
    struct reading *reading;
    size_t size;
    uid_t uid;

    text[0] = '\0';
    if (atomic_load(&n_stuck) >= ARGUMENTS_STUCK_MAX || !find_user(pid, &uid) || is_slow(uid))
        return 0;
    reading = reading_new(pid);
    if (!reading)
        return 0;
    if (!start(reading)) {
        reading_free(reading);
        return 0;
    }
    if (!wait_for(reading)) {
        note_slow(uid);
        return 0;
    }
    size = reading->size;
    memcpy(text, reading->text, size + 1);
    reading_free(reading);
    return size;
}
