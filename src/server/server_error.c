/* SPDX-License-Identifier: MIT */
/* The text of a server's last error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/internal.h"
#include "stats/report.h"

/* A copy in a child has a text of its own: a thread of the parent may have held the lock. */
size_t vitals_server_error_text(struct vitals_server *server, char *buf, size_t size)
{
    struct error_text error;

    if (server->process != getpid()) {
        error_set(&error, 0, "%s", server->copy_error);
    } else {
        pthread_mutex_lock(&server->error_lock);
        error = server->error;
        pthread_mutex_unlock(&server->error_lock);
    }
    error_tell(&error, buf, size);
    return strlen(error.text);
}

int server_fail(struct vitals_server *server, int err, const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&server->error_lock);
    va_start(args, format);
    vsnprintf(server->error.text, sizeof(server->error.text), format, args);
    va_end(args);
    pthread_mutex_unlock(&server->error_lock);
    return err;
}

int server_report(struct vitals_server *server, struct vitals_ctx *ctx, int err,
                  const struct error_text *error)
{
    if (!err)
        return 0;
    server_fail(server, err, "%s", error->text);
    return ctx_fail(ctx, err, "%s", error->text);
}
