/* SPDX-License-Identifier: MIT */
#include "show/moment.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *put(char text[MOMENT_MAX], double time, bool has_day, bool is_exact)
{
    time_t seconds = (time_t)time;
    struct tm tm;

    text[0] = '\0';
    if (!localtime_r(&seconds, &tm))
        return text;
    if (!(has_day ? strftime(text, MOMENT_MAX, "%F %T", &tm)
                  : strftime(text, MOMENT_MAX, "%T", &tm)))
        return "";
    if (is_exact)
        snprintf(text + strlen(text), MOMENT_MAX - strlen(text), ".%03d",
                 (int)((time - (double)seconds) * 1000));
    return text;
}

const char *moment_text(char text[MOMENT_MAX], double time, bool is_exact)
{
    return put(text, time, true, is_exact);
}

const char *moment_clock(char text[MOMENT_MAX], double time, bool is_exact)
{
    return put(text, time, false, is_exact);
}
