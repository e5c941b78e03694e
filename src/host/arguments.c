/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library_thread.h"
#include "host/process.h"
#include "host/slow_processes.h"

/* Shared by who reads and who waits: the last one frees it. */
struct reading {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done, is_left; /* left: nobody waits any more */
    pid_t pid;
    uid_t uid;
    size_t size;
    char text[ARGUMENTS_MAX + 1];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */

/* ---- threads that read ---------------------------------------------------------------------- */

/* Whose processes they read. One that waits for a file system may do so for ever, and is no other user's loss. */
static uid_t places[ARGUMENTS_STUCK_MAX];
static unsigned n_places;

static bool take_place(uid_t uid)
{
    unsigned n_of_user = 0;
    bool is_free;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n_places; i++)
        n_of_user += places[i] == uid;
    is_free = n_places < ARGUMENTS_STUCK_MAX && n_of_user < ARGUMENTS_STUCK_OF_USER;
    if (is_free)
        places[n_places++] = uid;
    pthread_mutex_unlock(&lock);
    return is_free;
}

static void leave_place(uid_t uid)
{
    unsigned i = 0;

    pthread_mutex_lock(&lock);
    while (places[i] != uid)
        i++;
    places[i] = places[--n_places];
    pthread_mutex_unlock(&lock);
}

/* ---- processes that kept a thread waiting --------------------------------------------------- */

static struct slow_processes slow_processes;

static void note_slow(struct slow_process *process)
{
    process->until_ns = clock_now_ns() + UINT64_C(1000000) * ARGUMENTS_PENALTY_MS;
    pthread_mutex_lock(&lock);
    slow_processes_add(&slow_processes, process);
    pthread_mutex_unlock(&lock);
}

static bool is_slow(const struct slow_process *process)
{
    bool is_slow;

    pthread_mutex_lock(&lock);
    is_slow = slow_processes_have(&slow_processes, process, clock_now_ns());
    pthread_mutex_unlock(&lock);
    return is_slow;
}

/* The kernel answers, and not the process. */
static bool find_process(pid_t pid, struct slow_process *ret_process)
{
    *ret_process = (struct slow_process){.pid = pid};
    return process_user(pid, &ret_process->uid) &&
           process_thread_start(pid, pid, &ret_process->start);
}

/* ---- one reading ---------------------------------------------------------------------------- */

static struct reading *reading_new(const struct slow_process *process)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    pthread_condattr_t attributes;

    if (!reading)
        return NULL;
    reading->pid = process->pid;
    reading->uid = process->uid;
    pthread_mutex_init(&reading->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reading->done, &attributes);
    pthread_condattr_destroy(&attributes);
    return reading;
}

static void reading_free(struct reading *reading)
{
    leave_place(reading->uid);
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
    if (is_left)
        reading_free(reading);
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
    struct slow_process process;
    struct reading *reading;
    size_t size;

    text[0] = '\0';
    if (!find_process(pid, &process) || is_slow(&process) || !take_place(process.uid))
        return 0;
    reading = reading_new(&process);
    if (!reading) {
        leave_place(process.uid);
        return 0;
    }
    if (!start(reading)) {
        reading_free(reading);
        return 0;
    }
    if (!wait_for(reading)) {
        note_slow(&process);
        return 0;
    }
    size = reading->size;
    memcpy(text, reading->text, size + 1);
    reading_free(reading);
    return size;
}
