/* SPDX-License-Identifier: MIT */
#include "look/progress.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_WIDTH = 79 };

struct progress {
    pthread_t thread;
    pthread_mutex_t mutex; /* of is_over */
    pthread_cond_t over;
    bool is_over;
    uint64_t start_ns;
    char text[LINE_MAX_WIDTH + 1];
    int width; /* of what is on the terminal */
};

static void put_line(struct progress *progress, unsigned seconds)
{
    char line[LINE_MAX_WIDTH + 1];
    int width = snprintf(line, sizeof(line), "%.60s, %u s", progress->text, seconds);

    fprintf(stderr, "\r%-*s", progress->width, line);
    progress->width = width;
}

/* Once a second from PROGRESS_FROM on. */
static void *run(void *opaque)
{
    struct progress *progress = opaque;
    unsigned seconds = PROGRESS_FROM;

    pthread_mutex_lock(&progress->mutex);
    while (!progress->is_over) {
        if (clock_wait_until(&progress->over, &progress->mutex,
                             progress->start_ns + seconds * UINT64_C(1000000000)))
            put_line(progress, seconds++);
    }
    pthread_mutex_unlock(&progress->mutex);
    return NULL;
}

static void destroy(struct progress *progress)
{
    pthread_cond_destroy(&progress->over);
    pthread_mutex_destroy(&progress->mutex);
    free(progress);
}

struct progress *progress_begin(const char *command, const char *format, ...)
{
    struct progress *progress = isatty(STDERR_FILENO) ? calloc(1, sizeof(*progress)) : NULL;
    va_list args;
    int len;

    if (!progress)
        return NULL;
    len = snprintf(progress->text, sizeof(progress->text), "%s: ", command);
    va_start(args, format);
    vsnprintf(progress->text + len, sizeof(progress->text) - (size_t)len, format, args);
    va_end(args);
    progress->start_ns = clock_now_ns();
    pthread_mutex_init(&progress->mutex, NULL);
    clock_init_condition(&progress->over);
    if (pthread_create(&progress->thread, NULL, run, progress) == 0)
        return progress;
    destroy(progress);
    return NULL;
}

struct progress *progress_begin_vms(const char *command, size_t n)
{
    return progress_begin(command, "waiting for %zu VM%s", n, n == 1 ? "" : "s");
}

void progress_end(struct progress *progress)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->mutex);
    progress->is_over = true;
    pthread_cond_signal(&progress->over);
    pthread_mutex_unlock(&progress->mutex);
    pthread_join(progress->thread, NULL);
    if (progress->width)
        fprintf(stderr, "\r%*s\r", progress->width, "");
    destroy(progress);
}
