/* SPDX-License-Identifier: MIT */
/* What the daemon says: lines on standard error, with their priority where the journal reads them. */
#ifndef SERVE_LOG_H
#define SERVE_LOG_H

enum serve_priority {
    SERVE_ERROR = 3,
    SERVE_WARNING = 4,
    SERVE_INFO = 6
}; /* as syslog(3) has them */

/* One line. Texts of strangers in it are made plain. */
void serve_log(enum serve_priority priority, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
