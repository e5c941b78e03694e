/* SPDX-License-Identifier: MIT */
#include "client/run_memory.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

/* Of this process: its threads ask many peers at a time. */
static struct {
    pthread_mutex_t mutex; /* all below, and all that is listed */
    LIST_HEAD(, run_memory) replies;
    size_t memory;
} run = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Under the mutex. */
static void leave(struct run_memory *reply)
{
    if (!reply->is_listed)
        return;
    LIST_REMOVE(reply, link);
    reply->is_listed = false;
    run.memory -= reply->memory;
}

/* Under the mutex. @reply is under way itself. */
static struct run_memory *find_largest(struct run_memory *reply)
{
    struct run_memory *largest = reply, *other;

    LIST_FOREACH(other, &run.replies, link)
    {
        if (!other->is_done && other->memory > largest->memory)
            largest = other;
    }
    return largest;
}

/* Under the mutex. Its thread, which may wait for more, sees the end. */
static void refuse(struct run_memory *reply)
{
    leave(reply);
    reply->is_refused = true;
    shutdown(reply->fd, SHUT_RDWR);
}

void run_memory_begin(struct run_memory *reply, int fd)
{
    pthread_mutex_lock(&run.mutex);
    leave(reply);
    *reply = (struct run_memory){.fd = fd, .is_listed = true};
    LIST_INSERT_HEAD(&run.replies, reply, link);
    pthread_mutex_unlock(&run.mutex);
}

int run_memory_take(struct run_memory *reply, size_t size)
{
    int err;

    pthread_mutex_lock(&run.mutex);
    if (!reply->is_refused) {
        reply->memory += size;
        run.memory += size;
    }
    while (!reply->is_refused && run.memory > RUN_MEMORY_MAX)
        refuse(find_largest(reply));
    err = reply->is_refused ? -ENOBUFS : 0;
    pthread_mutex_unlock(&run.mutex);
    return err;
}

int run_memory_done(struct run_memory *reply)
{
    int err;

    pthread_mutex_lock(&run.mutex);
    err = reply->is_refused ? -ENOBUFS : 0;
    reply->is_done = !err;
    pthread_mutex_unlock(&run.mutex);
    return err;
}

void run_memory_end(struct run_memory *reply)
{
    pthread_mutex_lock(&run.mutex);
    leave(reply);
    pthread_mutex_unlock(&run.mutex);
}
