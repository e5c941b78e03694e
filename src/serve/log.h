/* SPDX-License-Identifier: MIT */
/* What the daemon says: lines on standard error, with their priority where the journal reads them. */
#ifndef SERVE_LOG_H
#define SERVE_LOG_H

#include <stdint.h>

enum serve_priority {
    SERVE_ERROR = 3,
    SERVE_WARNING = 4,
    SERVE_INFO = 6
}; /* as syslog(3) has them */

/* One line. Texts of strangers in it are made plain. */
void serve_log(enum serve_priority priority, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The same of what a stranger can bring about again and again: at most SERVE_LOG_SELDOM of one kind a minute, and
 * that others are left out.
 */
enum { SERVE_LOG_SELDOM = 10 };

/* One kind of them; all zeros at first. */
struct serve_seldom {
    uint64_t begin_ns; /* of the minute */
    unsigned n;        /* in it so far, said or not */
};

void serve_log_seldom(struct serve_seldom *seldom, enum serve_priority priority, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

#endif
