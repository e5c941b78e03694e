/* SPDX-License-Identifier: MIT */
#include "host/shared_file.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct shared_file {
    atomic_uint users;
    pthread_mutex_t lock;
    int fd; /* -1: it is closed */
};

struct shared_file *shared_file_new(int fd)
{
    struct shared_file *file = calloc(1, sizeof(*file));

    if (!file)
        return NULL;
    atomic_init(&file->users, 1);
    pthread_mutex_init(&file->lock, NULL);
    file->fd = fd;
    return file;
}

struct shared_file *shared_file_ref(struct shared_file *file)
{
    if (file)
        atomic_fetch_add(&file->users, 1);
    return file;
}

void shared_file_unref(struct shared_file *file)
{
    if (!file || atomic_fetch_sub(&file->users, 1) > 1)
        return;
    shared_file_close(file);
    shared_file_give_back(file);
}

void shared_file_give_back(struct shared_file *file)
{
    if (!file)
        return;
    pthread_mutex_destroy(&file->lock);
    free(file);
}

int shared_file_take(struct shared_file *file)
{
    int fd = -1;

    if (!file)
        return fd;
    pthread_mutex_lock(&file->lock);
    fd = file->fd;
    file->fd = -1;
    pthread_mutex_unlock(&file->lock);
    return fd;
}

void shared_file_close(struct shared_file *file)
{
    int fd = shared_file_take(file);

    if (fd >= 0)
        close(fd);
}

int shared_file_begin(struct shared_file *file)
{
    pthread_mutex_lock(&file->lock);
    return file->fd;
}

void shared_file_end(struct shared_file *file)
{
    pthread_mutex_unlock(&file->lock);
}

bool shared_file_is_ready(struct shared_file *file)
{
    struct pollfd pollfd = {.events = POLLIN};
    bool is_ready;

    if (!file)
        return false;
    pollfd.fd = shared_file_begin(file);
    is_ready = poll(&pollfd, 1, 0) > 0;
    shared_file_end(file);
    return is_ready;
}
