/* SPDX-License-Identifier: MIT */
/* Where HTTP is spoken: "127.0.0.1:9555", "[::1]:9555", "unix:/run/vitals/metrics.sock". */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/error.h"
#include "server/socket_file.h"

enum { HTTP_ADDRESS_TEXT_MAX = 64 };

struct http_address {
    const char *path; /* borrowed; NULL: it is no unix socket */
    bool is_loopback; /* only processes of this host reach it */
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
};

/* Addresses are numbers: nobody is asked what a name means. -EINVAL. */
int http_address_parse(const char *text, struct http_address *ret_address,
                       struct error_text *error);

/* A listening socket of TCP, or -errno; port 0 becomes the one that it got. */
int http_address_listen(struct http_address *address, struct error_text *error);

/* The same of a unix socket, with its file. */
int http_address_listen_at_path(const struct http_address *address, mode_t mode,
                                struct socket_file *ret_file, struct error_text *error);

/* As it was given, but for a port 0. Of TCP. */
void http_address_text(const struct http_address *address, char ret_text[HTTP_ADDRESS_TEXT_MAX]);

#endif
