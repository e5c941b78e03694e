/* SPDX-License-Identifier: MIT */
/*
 * What libmicrohttpd before 1.0 takes for a request, although it is none, or would never answer: more
 * arguments than it has memory for, and lines with a NUL in them, of which it sees only the begin.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

struct http_head {
    const char *target; /* path and arguments, as they were sent; NULL: there are none */
    size_t len;         /* of the target */
    bool has_nul;       /* in the path or an argument, as %00 */
    bool is_too_long;   /* too many arguments, which have been taken out of it */
};

/* Looks at it before libmicrohttpd parses it. */
struct http_head head_of_target(const char *target);

/* When all of it has been parsed. */
bool head_has_nul(const struct http_head *head, struct MHD_Connection *connection,
                  const char *method, const char *version);

#endif
