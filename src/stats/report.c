/* SPDX-License-Identifier: MIT */
#include "stats/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of a copy that can't be used, nothing is known but that; its lock is held for ever. */
static size_t tell_unusable(char *buf, size_t size)
{
    static const struct error_text error = {
        "a thread of the parent process was changing the context when this process was made of it"};

    error_tell(&error, buf, size);
    return strlen(error.text);
}

size_t vitals_error_text(struct vitals_ctx *ctx, char *buf, size_t size)
{
    size_t len;

    if (ctx_check_copy(ctx))
        return tell_unusable(buf, size);
    pthread_mutex_lock(&ctx->lock);
    len = strlen(ctx->error.text);
    error_tell(&ctx->error, buf, size);
    pthread_mutex_unlock(&ctx->lock);
    return len;
}

int ctx_fail(struct vitals_ctx *ctx, int err, const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&ctx->lock);
    va_start(args, format);
    vsnprintf(ctx->error.text, sizeof(ctx->error.text), format, args);
    va_end(args);
    pthread_mutex_unlock(&ctx->lock);
    return err;
}

void ctx_log(struct vitals_ctx *ctx, enum vitals_log_level level, const char *format, ...)
{
    struct error_text line;
    va_list args;

    if (!ctx->options.log)
        return;
    va_start(args, format);
    vsnprintf(line.text, sizeof(line.text), format, args);
    va_end(args);
    ctx->options.log(ctx->options.log_opaque, level, line.text);
}
