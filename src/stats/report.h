/* SPDX-License-Identifier: MIT */
/* What a context tells: the caller its last error, the operator what concerns it. */
#ifndef STATS_REPORT_H
#define STATS_REPORT_H

#include "stats/ctx.h"

/* Sets the text of the last error, and returns @err. */
int ctx_fail(struct vitals_ctx *ctx, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void ctx_log(struct vitals_ctx *ctx, enum vitals_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
