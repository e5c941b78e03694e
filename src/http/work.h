/* SPDX-License-Identifier: MIT */
/* Documents, made turn by turn in a thread of their own for all who wait. */
#ifndef HTTP_WORK_H
#define HTTP_WORK_H

#include <microhttpd.h>

#include "http/http.h"
#include "http/places.h"

/* A document that has been made; shared by those who get it. */
struct http_made;

/* One who waits. */
struct work_item {
    struct http_document document;
    const char *type;
    bool is_zipped;
    struct http_made *made; /* NULL: there is no such, or no memory */
    bool is_missing;
    struct work_item *next;
};

struct work;

/* @done is called in the thread for each item, the last ones by work_end(). -errno. */
int work_new(const struct http_site *site, struct places *places,
             void (*done)(struct work_item *item), struct work **ret_work);
void work_end(struct work *work);
void work_free(struct work *work); /* after work_end(); NULL is allowed */

/* False: it ends. Otherwise @item stays until it is done. */
bool work_add(struct work *work, struct work_item *item);

struct MHD_Response *made_response(const struct http_made *made);
const struct http_body *made_body(const struct http_made *made);
void made_unref(struct http_made *made); /* NULL is allowed */

#endif
