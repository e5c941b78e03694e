/* SPDX-License-Identifier: MIT */
#include "client/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"

int client_fail(struct client_error *error, int err, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    text_make_plain(error->text); /* a path or the peer's words may be in it */
    snprintf(error->hint, sizeof(error->hint), "%s", hint ? hint : "");
    return -err;
}
