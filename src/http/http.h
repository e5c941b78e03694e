/* SPDX-License-Identifier: MIT */
/*
 * Answers GET requests of HTTP in threads of its own. What there is to read, a site says: pages that
 * never change, and documents, which are made for those who ask at that moment.
 *
 *      http_prepare() ──> http_start() ──> http_stop()
 *
 * The first step takes files and ports that need privileges, the others none. All requests that wait for
 * a document share the next turn: what it says is not older than any of them. A turn begins when the
 * last one has ended, and when it took its share of the time; so nobody costs more by asking more often.
 * A peer, an address or a user, has a few documents made in a turn; who asks for more waits for the next.
 * Who sends nothing any more may have left, which TCP does not tell: for those of a peer there is one.
 *
 * Nobody is waited for. Who has left, is silent or reads slowly holds a place, and loses it when another
 * one needs it.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    HTTP_ADDRESSES_MAX = 8,
    HTTP_CONNECTIONS_MAX = 64,      /* of one address; another one takes the place of one of them */
    HTTP_HEADERS_MAX = 8 * 1024,    /* bytes of a request: its path, names and values of headers */
    HTTP_ARGUMENTS_MAX = 16,        /* behind a path */
    HTTP_REQUESTS_PER_SECOND = 100, /* of one connection */
    HTTP_IDLE_SECONDS = 120,        /* without a byte, and a connection is closed */
    HTTP_WORK_SHARE = 4,            /* turns take one part in so many of a CPU */
    HTTP_TURN_DOCUMENTS = 4,        /* that a turn makes for one peer, */
    HTTP_TURN_DOCUMENTS_FINISHED = 1, /* and for those of it that may have left */
    HTTP_NICE = 10,                   /* of its threads: they leave CPUs to others of the process */
    HTTP_LOGIN_NICE = 19,             /* of that which looks at passwords */
    HTTP_NAME_MAX = 255,              /* of the name of a document */
};

/* Bytes of documents that readers have not taken yet; beside them, there is the one being made. */
#define HTTP_DOCUMENTS_MAX ((size_t)256 * 1024 * 1024)

/* Which document of a site. */
struct http_document {
    unsigned kind;
    char name[HTTP_NAME_MAX + 1]; /* or "" */
};

struct http_request {
    const char *path;
    bool wants_openmetrics;
    const void *connection;
};

/* The value of ?NAME=VALUE; NULL: it is not there. */
const char *http_argument(const struct http_request *request, const char *name);

struct http_answer {
    unsigned status;  /* 200, or why not; its text is then the answer */
    const char *type; /* Content-Type */
    const char *text; /* what never changes; NULL: it is a document */
    size_t len;
    const char *policy; /* Content-Security-Policy of a page, or NULL */
    struct http_document document;
};

struct http_site {
    /* In any thread. @ret_answer is all zeros. */
    void (*find)(void *opaque, const struct http_request *request, struct http_answer *ret_answer);
    /* Both in one thread: documents that are written from now on are of a moment after the call, */
    void (*begin)(void *opaque);
    /* and one of them. False: there is no such. */
    bool (*write)(void *opaque, const struct http_document *document, struct buf *out);
    void *opaque;
};

struct http_options {
    const char *const *addresses;
    size_t n_addresses;
    const char *web_config; /* a file, or NULL */
    bool is_public;         /* addresses that are not loopback need neither TLS nor a login */
};

struct http;

/* Whether all of them can be used, as far as it can be known without binding a port. -errno, and the text. */
int http_check(const struct http_options *options, struct error_text *error);

/* Reads the web configuration, and binds ports. -errno, and the text. */
int http_prepare(const struct http_options *options, struct http **ret_http,
                 struct error_text *error);

/* Makes the unix sockets, with @mode, and begins to answer. -errno, and the text. */
int http_start(struct http *http, const struct http_site *site, mode_t mode,
               struct error_text *error);

/* Where: "http://127.0.0.1:9555/", or a path. NULL: there are no more than @i. Until the next call. */
const char *http_address_at(struct http *http, size_t i);

/* What is being written is cut off. One that was not started, and NULL, are allowed. */
void http_stop(struct http *http);

#endif
