/* SPDX-License-Identifier: MIT */
#include "stats/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t vitals_error_text(struct vitals_ctx *ctx, char *buf, size_t size)
{
    size_t len;

    pthread_mutex_lock(&ctx->lock);
    len = strlen(ctx->error.text);
    if (size)
        snprintf(buf, size, "%s", ctx->error.text);
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
