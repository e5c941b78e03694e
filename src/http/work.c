/* SPDX-License-Identifier: MIT */
#include "http/work.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/library_thread.h"
#include "http/gzip.h"
#include "http/reply.h"

struct http_made {
    atomic_uint refs;
    struct MHD_Response *response;
    const struct http_body *body;
};

struct work {
    const struct http_site *site;
    struct places *places;
    void (*done)(struct work_item *item);
    pthread_t thread;
    uint64_t next_ns;     /* when the next turn may begin */
    pthread_mutex_t lock; /* all below */
    pthread_cond_t asked;
    struct work_item *first, **last;
    bool ends;
};

/* ---- what has been made --------------------------------------------------------------------- */

struct MHD_Response *made_response(const struct http_made *made)
{
    return made->response;
}

const struct http_body *made_body(const struct http_made *made)
{
    return made->body;
}

void made_unref(struct http_made *made)
{
    if (!made || atomic_fetch_sub(&made->refs, 1) != 1)
        return;
    MHD_destroy_response(made->response);
    free(made);
}

/* Takes the bytes over. NULL: no memory. */
static struct http_made *make(struct work *work, struct buf *bytes, const struct work_item *item)
{
    struct http_made *made = calloc(1, sizeof(*made));
    struct http_body *body =
        bytes->failed ? NULL : places_add_body(work->places, bytes->data, bytes->len);

    if (!bytes->failed)
        *bytes = (struct buf){0};
    buf_free(bytes);
    if (made && body)
        made->response = MHD_create_response_from_buffer_with_free_callback_cls(
            body->len, body->bytes, places_free_body, body);
    if (!made || !made->response) {
        free(made);
        if (body)
            places_free_body(body);
        return NULL;
    }
    made->body = body;
    reply_add_headers(made->response, item->type);
    MHD_add_response_header(made->response, "Vary", "Accept, Accept-Encoding");
    if (item->is_zipped)
        MHD_add_response_header(made->response, "Content-Encoding", "gzip");
    return made;
}

/* ---- a turn --------------------------------------------------------------------------------- */

static bool is_same(const struct work_item *a, const struct work_item *b)
{
    return a->document.kind == b->document.kind && !strcmp(a->document.name, b->document.name) &&
           a->type == b->type;
}

/* For all who wait for the same in this form. */
static void share(struct http_made *made, struct work_item *item, bool is_zipped)
{
    for (struct work_item *other = item; made && other; other = other->next) {
        if (!is_same(item, other) || other->is_zipped != is_zipped)
            continue;
        atomic_fetch_add(&made->refs, 1);
        other->made = made;
    }
}

static bool is_wanted(const struct work_item *item, bool is_zipped)
{
    for (const struct work_item *other = item; other; other = other->next)
        if (is_same(item, other) && other->is_zipped == is_zipped)
            return true;
    return false;
}

static void share_as(struct work *work, struct buf *bytes, struct work_item *item, bool is_zipped)
{
    struct work_item form = *item;

    if (!is_wanted(item, is_zipped)) {
        buf_free(bytes);
        return;
    }
    form.is_zipped = is_zipped;
    share(make(work, bytes, &form), item, is_zipped);
}

static void set_missing(struct work_item *item)
{
    for (struct work_item *other = item; other; other = other->next)
        other->is_missing |= is_same(item, other);
}

static void write_document(struct work *work, struct work_item *item)
{
    struct buf plain = {0}, zipped = {0};

    if (!work->site->write(work->site->opaque, &item->document, &plain)) {
        set_missing(item);
        buf_free(&plain);
        return;
    }
    if (is_wanted(item, true))
        zipped.failed = plain.failed || gzip(plain.data, plain.len, &zipped) != 0;
    share_as(work, &zipped, item, true);
    share_as(work, &plain, item, false);
}

/* Those who ask for what an earlier one has asked for have got it with that one. */
static bool is_first(const struct work_item *all, const struct work_item *item)
{
    while (!is_same(all, item))
        all = all->next;
    return all == item;
}

static void take_turn(struct work *work, struct work_item *all)
{
    uint64_t begin = clock_now_ns(), end;

    work->site->begin(work->site->opaque);
    for (struct work_item *item = all; item; item = item->next)
        if (is_first(all, item))
            write_document(work, item);
    end = clock_now_ns();
    work->next_ns = end + (HTTP_WORK_SHARE - 1) * (end - begin);
}

static void give_back(struct work *work, struct work_item *all)
{
    while (all) {
        struct work_item *item = all;

        all = item->next;
        work->done(item);
    }
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Under the lock. NULL: it ends. */
static struct work_item *wait(struct work *work)
{
    struct work_item *all;

    while (!work->ends && (!work->first || clock_now_ns() < work->next_ns)) {
        if (work->first)
            clock_wait_until(&work->asked, &work->lock, work->next_ns);
        else
            pthread_cond_wait(&work->asked, &work->lock);
    }
    if (work->ends)
        return NULL;
    all = work->first;
    work->first = NULL;
    work->last = &work->first;
    return all;
}

static void *run(void *opaque)
{
    struct work *work = opaque;
    struct work_item *all;

    pthread_mutex_lock(&work->lock);
    while ((all = wait(work))) {
        pthread_mutex_unlock(&work->lock);
        take_turn(work, all);
        give_back(work, all);
        pthread_mutex_lock(&work->lock);
    }
    give_back(work, work->first);
    pthread_mutex_unlock(&work->lock);
    return NULL;
}

bool work_add(struct work *work, struct work_item *item)
{
    bool ends;

    pthread_mutex_lock(&work->lock);
    ends = work->ends;
    if (!ends) {
        item->next = NULL;
        *work->last = item;
        work->last = &item->next;
        pthread_cond_signal(&work->asked);
    }
    pthread_mutex_unlock(&work->lock);
    return !ends;
}

int work_new(const struct http_site *site, struct places *places,
             void (*done)(struct work_item *item), struct work **ret_work)
{
    struct work *work = calloc(1, sizeof(*work));
    int err;

    if (!work)
        return -ENOMEM;
    *work = (struct work){.site = site, .places = places, .done = done, .last = &work->first};
    pthread_mutex_init(&work->lock, NULL);
    clock_init_condition(&work->asked);
    err = -library_thread_create(&work->thread, NULL, run, work);
    if (err)
        free(work);
    else
        *ret_work = work;
    return err;
}

void work_end(struct work *work)
{
    pthread_mutex_lock(&work->lock);
    work->ends = true;
    pthread_cond_signal(&work->asked);
    pthread_mutex_unlock(&work->lock);
    pthread_join(work->thread, NULL);
}

void work_free(struct work *work)
{
    if (!work)
        return;
    pthread_mutex_destroy(&work->lock);
    pthread_cond_destroy(&work->asked);
    free(work);
}
