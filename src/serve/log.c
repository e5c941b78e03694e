/* SPDX-License-Identifier: MIT */
#include "serve/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { LINE_MAX_BYTES = 1024 };

#define MINUTE_NS UINT64_C(60000000000)

/* As systemd.exec(5) says: the variable names the file, which a program in between may have replaced. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void put(enum serve_priority priority, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];

    vsnprintf(line, sizeof(line), format, args);
    text_make_plain(line);
    if (is_journal())
        fprintf(stderr, "<%d>%s\n", priority, line);
    else
        fprintf(stderr, "vitals serve: %s\n", line);
}

void serve_log(enum serve_priority priority, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(priority, format, args);
    va_end(args);
}

static bool is_minute_over(const struct serve_seldom *seldom, uint64_t now_ns)
{
    return !seldom->begin_ns || now_ns - seldom->begin_ns >= MINUTE_NS;
}

void serve_log_seldom(struct serve_seldom *seldom, enum serve_priority priority, const char *format,
                      ...)
{
    uint64_t now_ns = clock_now_ns();
    va_list args;

    if (is_minute_over(seldom, now_ns))
        *seldom = (struct serve_seldom){.begin_ns = now_ns};
    if (seldom->n < SERVE_LOG_SELDOM) {
        va_start(args, format);
        put(priority, format, args);
        va_end(args);
    } else if (seldom->n == SERVE_LOG_SELDOM) {
        serve_log(priority, "further lines like this one are left out for a minute");
    }
    seldom->n += seldom->n <= SERVE_LOG_SELDOM;
}
