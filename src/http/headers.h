/* SPDX-License-Identifier: MIT */
/* What the headers of a request mean. They are a stranger's; a NULL is a header that is not there. */
#ifndef HTTP_HEADERS_H
#define HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether OpenMetrics 1.0 is wanted at least as much as the older text format: Accept. */
bool http_wants_openmetrics(const char *accept);

/* Accept-Encoding. */
bool http_wants_gzip(const char *accept_encoding);

/*
 * Whether Host is a name by which a program of this host calls it. A web page of elsewhere that has its
 * own name lead to 127.0.0.1, so as to be let in by a browser, sends that name.
 */
bool http_host_is_local(const char *host);

enum { HTTP_LOGIN_MAX = 256 }; /* bytes of a user's name, and of a password */

struct http_login {
    char user[HTTP_LOGIN_MAX + 1], password[HTTP_LOGIN_MAX + 1];
};

/* Of Authorization, if that is Basic, and neither is empty or too long. */
bool http_read_login(const char *authorization, struct http_login *ret_login);

#endif
