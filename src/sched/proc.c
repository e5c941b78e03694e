/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sched/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* ---- files ---------------------------------------------------------------------------------- */

static ssize_t read_all(int fd, char *bytes, size_t size)
{
    size_t used = 0;
    ssize_t n = 1;

    while (n > 0 && used < size) {
        n = read(fd, bytes + used, size - used);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            used += (size_t)n;
    }
    return n < 0 ? -errno : (ssize_t)used;
}

int proc_read(int directory, const char *path, char *bytes, size_t size, struct proc_text *ret_text)
{
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = read_all(fd, bytes, size);
    close(fd);
    if (n < 0)
        return (int)n;
    if ((size_t)n == size)
        return -E2BIG;
    *ret_text = (struct proc_text){bytes, (size_t)n};
    return 0;
}

/* ---- a place in a text ---------------------------------------------------------------------- */

struct cursor {
    const char *at, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_blank(*cursor->at))
        cursor->at++;
}

/* False: there is no further one. */
static bool skip_fields(struct cursor *cursor, unsigned n)
{
    for (; n; n--) {
        skip_blanks(cursor);
        if (cursor->at == cursor->end)
            return false;
        while (cursor->at < cursor->end && !is_blank(*cursor->at))
            cursor->at++;
    }
    return true;
}

/* False: the next field is no number that fits. */
static bool take_number(struct cursor *cursor, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *start;

    skip_blanks(cursor);
    start = cursor->at;
    for (; cursor->at < cursor->end && is_digit(*cursor->at); cursor->at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*cursor->at - '0'), &number))
            return false;
    if (cursor->at == start || (cursor->at < cursor->end && !is_blank(*cursor->at)))
        return false;
    *ret_number = number;
    return true;
}

static struct cursor start_of(struct proc_text text)
{
    return (struct cursor){text.bytes, text.bytes + text.size};
}

/* ---- texts ---------------------------------------------------------------------------------- */

int proc_parse_schedstat(struct proc_text text, struct proc_schedstat *ret_schedstat)
{
    struct cursor cursor = start_of(text);
    struct proc_schedstat found;

    if (!take_number(&cursor, &found.run_ns) || !take_number(&cursor, &found.wait_ns) ||
        !take_number(&cursor, &found.timeslices))
        return -EBADMSG;
    *ret_schedstat = found;
    return 0;
}

/* The fields of proc_pid_stat(5) from the third one on. */
static bool take_stat_fields(struct cursor *cursor, struct proc_stat *found)
{
    enum { TO_MINFLT = 7, CMINFLT = 1, CMAJFLT = 1, TO_THREADS = 4, TO_PROCESSOR = 18 };

    return skip_fields(cursor, TO_MINFLT) && take_number(cursor, &found->minor_faults) &&
           skip_fields(cursor, CMINFLT) && take_number(cursor, &found->major_faults) &&
           skip_fields(cursor, CMAJFLT) && take_number(cursor, &found->user_ticks) &&
           take_number(cursor, &found->system_ticks) && skip_fields(cursor, TO_THREADS) &&
           take_number(cursor, &found->threads) && skip_fields(cursor, TO_PROCESSOR) &&
           take_number(cursor, &found->last_cpu);
}

/* The name may hold anything, blanks and brackets too; nothing behind it has a bracket. */
int proc_parse_stat(struct proc_text text, struct proc_stat *ret_stat)
{
    struct cursor cursor = start_of(text);
    const char *bracket = text.size ? memrchr(text.bytes, ')', text.size) : NULL;
    struct proc_stat found;

    if (!bracket)
        return -EBADMSG;
    cursor.at = bracket + 1;
    if (!take_stat_fields(&cursor, &found))
        return -EBADMSG;
    *ret_stat = found;
    return 0;
}

int proc_parse_statm(struct proc_text text, uint64_t *ret_resident_pages)
{
    struct cursor cursor = start_of(text);

    return skip_fields(&cursor, 1) && take_number(&cursor, ret_resident_pages) ? 0 : -EBADMSG;
}

/* Whether the line begins with this whole word; goes behind it then, and behind its colon. */
static bool take_key(struct cursor *line, const char *key)
{
    size_t size = strlen(key);

    if ((size_t)(line->end - line->at) <= size || memcmp(line->at, key, size))
        return false;
    if (line->at[size] != ':' && !is_blank(line->at[size]))
        return false;
    line->at += size + (line->at[size] == ':');
    return true;
}

int proc_parse_line(struct proc_text text, const char *key, uint64_t *ret_value)
{
    struct cursor rest = start_of(text);

    while (rest.at < rest.end) {
        const char *newline = memchr(rest.at, '\n', (size_t)(rest.end - rest.at));
        struct cursor line = {rest.at, newline ? newline : rest.end};

        if (take_key(&line, key))
            return take_number(&line, ret_value) ? 0 : -EBADMSG;
        rest.at = newline ? newline + 1 : rest.end;
    }
    return -EBADMSG;
}
