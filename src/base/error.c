/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error_text *error, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return err;
}

void error_tell(const struct error_text *error, char *buf, size_t size)
{
    if (buf && size)
        snprintf(buf, size, "%s", error->text);
}
