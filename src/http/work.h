/* SPDX-License-Identifier: MIT */
/*
 * Documents, made turn by turn in a thread of their own for all who wait. Of one peer a turn makes so many,
 * and those of its further ones are made in the next. Each is handed out as soon as it is made.
 */
#ifndef HTTP_WORK_H
#define HTTP_WORK_H

#include <microhttpd.h>
#include <sys/queue.h>

#include "http/http.h"
#include "http/peer.h"
#include "http/places.h"

/* A document that has been made; shared by those who get it. */
struct http_made;

/* One who waits. */
struct work_item {
    struct http_document document;
    const char *type;
    bool is_zipped;
    int fd; /* open for as long as it waits */
    struct http_peer peer;
    struct http_made *made; /* NULL: there is no such, it can't be made, or it was dropped */
    bool is_missing, is_dropped;
    bool has_finished;        /* it sends nothing any more, and may have left */
    bool is_chosen, is_first; /* of the turn; the first one that wants this document */
    TAILQ_ENTRY(work_item) entry;
};

struct work;

/* @done is called in the thread for each item, the last ones by work_end(). -errno. */
int work_new(const struct http_site *site, struct places *places,
             void (*done)(struct work_item *item), struct work **ret_work);
void work_end(struct work *work);
void work_free(struct work *work); /* after work_end(); NULL is allowed */

/* False: it ends. Otherwise @item stays until it is done. */
bool work_add(struct work *work, struct work_item *item);

/* It is done with, unless it is already: nothing is made for it. */
void work_drop(struct work *work, struct work_item *item);

struct MHD_Response *made_response(const struct http_made *made);
const struct http_body *made_body(const struct http_made *made);
void made_unref(struct http_made *made); /* NULL is allowed */

#endif
