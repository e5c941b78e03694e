/* SPDX-License-Identifier: MIT */
#include "client/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* What could do something to a terminal: texts of the peer and names of files are in it. */
static bool is_control(const unsigned char *bytes)
{
    return bytes[0] < ' ' || bytes[0] == 0x7f ||
           (bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0); /* U+0080 to U+009F */
}

static void disarm(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if (!is_control(at))
            continue;
        if (*at == 0xc2)
            at[1] = '?';
        *at = '?';
    }
}

int client_fail(struct client_error *error, int err, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    disarm(error->text);
    snprintf(error->hint, sizeof(error->hint), "%s", hint ? hint : "");
    return -err;
}
