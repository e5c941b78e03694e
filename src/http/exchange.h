/* SPDX-License-Identifier: MIT */
/* One request and its reply: may it be answered, what by, and when. The callbacks of libmicrohttpd. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <microhttpd.h>

#include "http/http.h"
#include "http/login.h"
#include "http/places.h"
#include "http/work.h"

/* Of a connection, in libmicrohttpd: a request of HTTP_HEADERS_MAX, and the head of its reply. */
enum { EXCHANGE_MEMORY = 32 * 1024 };

/* What all addresses have in common. */
struct http_shared {
    const struct http_site *site;
    struct places places;
    struct logins *logins; /* NULL: there are no users */
    struct work *work;
};

/* Of one address. */
struct http_rules {
    struct http_shared *shared;
    bool checks_host;
};

int exchange_share(const struct http_site *site, const struct web_config *config,
                   struct http_shared *ret_shared);
void exchange_end_shared(struct http_shared *shared); /* nobody waits any more */
void exchange_free_shared(struct http_shared *shared);

/* As soon as @target is known. NULL: no memory, and the connection is closed. */
void *exchange_begin(void *opaque, const char *target, struct MHD_Connection *connection);

enum MHD_Result exchange_handle(void *opaque, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **exchange);
void exchange_note_connection(void *opaque, struct MHD_Connection *connection, void **place,
                              enum MHD_ConnectionNotificationCode code);
void exchange_end(void *opaque, struct MHD_Connection *connection, void **exchange,
                  enum MHD_RequestTerminationCode code);

#endif
