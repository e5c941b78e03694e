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
#include "http/rests.h"

struct http_made {
    atomic_uint refs;
    struct MHD_Response *response;
    const struct http_body *body;
};

enum { SLACK = 8 }; /* a document may be longer by such a part than the one that had its memory */

struct work {
    const struct http_site *site;
    struct places *places;
    void (*done)(struct work_item *item);
    pthread_t thread;
    uint64_t next_ns;     /* when the next turn may begin */
    pthread_mutex_t lock; /* all below */
    pthread_cond_t asked;
    TAILQ_HEAD(, work_item) items;
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

/* Takes the bytes over, and is one reference. NULL: no memory, or they are too many. */
static struct http_made *make(struct work *work, struct buf *bytes, const char *type,
                              bool is_zipped)
{
    struct http_made *made = calloc(1, sizeof(*made));
    struct http_body *body;

    buf_fit(bytes, bytes->len / SLACK);
    body = bytes->failed ? NULL : places_add_body(work->places, bytes);
    buf_free(bytes);
    if (made && body)
        made->response = MHD_create_response_from_buffer_with_free_callback_cls(
            body->bytes.len, body->bytes.data, places_free_body, body);
    if (!made || !made->response) {
        free(made);
        if (body)
            places_free_body(body);
        return NULL;
    }
    atomic_init(&made->refs, 1);
    made->body = body;
    reply_add_headers(made->response, type);
    MHD_add_response_header(made->response, "Vary", "Accept, Accept-Encoding");
    if (is_zipped)
        MHD_add_response_header(made->response, "Content-Encoding", "gzip");
    return made;
}

/* ---- those who wait ------------------------------------------------------------------------- */

/* All of this under the lock. */

static bool is_same(const struct work_item *a, const struct work_item *b)
{
    return a->document.kind == b->document.kind && !strcmp(a->document.name, b->document.name) &&
           a->type == b->type;
}

static void finish(struct work *work, struct work_item *item)
{
    TAILQ_REMOVE(&work->items, item, entry);
    work->done(item);
}

/* Of those who want the same as @what, or NULL: of all. */
static void drop_gone(struct work *work, const struct work_item *what)
{
    struct work_item *next;

    for (struct work_item *item = TAILQ_FIRST(&work->items); item; item = next) {
        next = TAILQ_NEXT(item, entry);
        if ((what && !is_same(item, what)) || !http_peer_has_gone(item->fd))
            continue;
        item->is_dropped = true;
        finish(work, item);
    }
}

static bool is_wanted(const struct work *work, const struct work_item *what, bool is_zipped)
{
    const struct work_item *item;

    TAILQ_FOREACH(item, &work->items, entry)
    if (item->is_chosen && item->is_zipped == is_zipped && is_same(item, what))
        return true;
    return false;
}

/* Of the turn, in one form. @made: NULL is none. */
static void hand_out(struct work *work, const struct work_item *what, bool is_zipped,
                     struct http_made *made)
{
    struct work_item *next;

    for (struct work_item *item = TAILQ_FIRST(&work->items); item; item = next) {
        next = TAILQ_NEXT(item, entry);
        if (!item->is_chosen || item->is_zipped != is_zipped || !is_same(item, what))
            continue;
        if (made)
            atomic_fetch_add(&made->refs, 1);
        item->made = made;
        item->is_missing = what->is_missing;
        finish(work, item);
    }
}

static bool is_chosen_already(const struct work *work, const struct work_item *what)
{
    const struct work_item *item;

    TAILQ_FOREACH(item, &work->items, entry)
    if (item->is_chosen && is_same(item, what))
        return true;
    return false;
}

static unsigned count_documents(const struct work *work, const struct http_peer *peer)
{
    const struct work_item *item;
    unsigned n = 0;

    TAILQ_FOREACH(item, &work->items, entry)
    n += item->is_first && http_peer_is(&item->peer, peer);
    return n;
}

/* What another one has asked for costs nothing. */
static void choose_item(const struct work *work, struct work_item *item)
{
    unsigned max = item->has_finished ? HTTP_TURN_DOCUMENTS_FINISHED : HTTP_TURN_DOCUMENTS;
    bool is_shared = is_chosen_already(work, item);

    item->is_first = !is_shared && count_documents(work, &item->peer) < max;
    item->is_chosen = is_shared || item->is_first;
}

/* Who has said all may have left: those who are there come first. */
static void choose(struct work *work)
{
    struct work_item *item;

    TAILQ_FOREACH(item, &work->items, entry)
    {
        item->is_first = item->is_chosen = false;
        item->has_finished = http_peer_has_finished(item->fd);
    }
    for (int has_finished = 0; has_finished < 2; has_finished++)
        TAILQ_FOREACH(item, &work->items, entry)
    if (item->has_finished == has_finished)
        choose_item(work, item);
}

static struct work_item *next_chosen(const struct work *work)
{
    struct work_item *item;

    TAILQ_FOREACH(item, &work->items, entry)
    if (item->is_chosen)
        return item;
    return NULL;
}

/* ---- a turn --------------------------------------------------------------------------------- */

/* What is made may have to wait until others have let go of theirs: not under the lock. */
static void give(struct work *work, struct buf *bytes, const struct work_item *what, bool is_zipped)
{
    struct http_made *made = make(work, bytes, what->type, is_zipped);

    pthread_mutex_lock(&work->lock);
    hand_out(work, what, is_zipped, made);
    pthread_mutex_unlock(&work->lock);
    made_unref(made);
}

/* A short one does not take the memory of a long one. */
static void give_plain(struct work *work, struct buf *plain, const struct work_item *what)
{
    struct buf own = {.max = plain->max};

    if (plain->failed || plain->len > plain->cap / 2) {
        give(work, plain, what, false);
        return;
    }
    buf_append(&own, plain->data, plain->len);
    places_give_back(work->places, plain);
    give(work, &own, what, false);
}

static void give_nothing(struct work *work, const struct work_item *what)
{
    pthread_mutex_lock(&work->lock);
    hand_out(work, what, false, NULL);
    hand_out(work, what, true, NULL);
    pthread_mutex_unlock(&work->lock);
}

static void write_document(struct work *work, struct work_item *what, bool as_plain, bool as_zipped)
{
    struct buf plain = places_take_spare(work->places), zipped = {0};

    what->is_missing = !work->site->write(work->site->opaque, &what->document, &plain);
    if (what->is_missing) {
        places_give_back(work->places, &plain);
        give_nothing(work, what);
        return;
    }
    if (as_zipped) {
        rests_begin();
        zipped.failed = plain.failed || gzip(plain.data, plain.len, &zipped) != 0;
        rests_end();
    }
    if (!as_plain)
        places_give_back(work->places, &plain);
    if (as_zipped)
        give(work, &zipped, what, true);
    if (as_plain)
        give_plain(work, &plain, what);
}

/* The next one that anybody is there for. False: there is none. Under the lock. */
static bool take_next(struct work *work, struct work_item *ret_what, bool *ret_plain,
                      bool *ret_zipped)
{
    const struct work_item *item;

    while (!work->ends && (item = next_chosen(work))) {
        *ret_what = *item;
        drop_gone(work, ret_what);
        *ret_plain = is_wanted(work, ret_what, false);
        *ret_zipped = is_wanted(work, ret_what, true);
        if (*ret_plain || *ret_zipped)
            return true;
    }
    return false;
}

/* Under the lock, which it leaves for what takes time. */
static void take_turn(struct work *work)
{
    uint64_t begin = clock_thread_cpu_ns();
    struct work_item what;
    bool as_plain, as_zipped;

    choose(work);
    pthread_mutex_unlock(&work->lock);
    work->site->begin(work->site->opaque);
    pthread_mutex_lock(&work->lock);
    while (take_next(work, &what, &as_plain, &as_zipped)) {
        pthread_mutex_unlock(&work->lock);
        write_document(work, &what, as_plain, as_zipped);
        pthread_mutex_lock(&work->lock);
    }
    work->next_ns = clock_now_ns() + (HTTP_WORK_SHARE - 1) * (clock_thread_cpu_ns() - begin);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static bool is_idle(const struct work *work)
{
    return !work->ends && TAILQ_EMPTY(&work->items);
}

/* Under the lock, which it leaves: who makes a place has that of places when it takes this one. */
static void wait_for_first(struct work *work)
{
    bool has_memory;

    pthread_mutex_unlock(&work->lock);
    has_memory = places_let_go(work->places, clock_now_ns());
    pthread_mutex_lock(&work->lock);
    if (is_idle(work) && has_memory)
        clock_wait_until(&work->asked, &work->lock, clock_now_ns() + PLACES_SPARE_NS);
    else if (is_idle(work))
        pthread_cond_wait(&work->asked, &work->lock);
}

/* Under the lock. False: it ends. */
static bool wait(struct work *work)
{
    while (!work->ends && (TAILQ_EMPTY(&work->items) || clock_now_ns() < work->next_ns)) {
        if (is_idle(work))
            wait_for_first(work);
        else
            clock_wait_until(&work->asked, &work->lock, work->next_ns);
    }
    return !work->ends;
}

static void *run(void *opaque)
{
    struct work *work = opaque;

    pthread_mutex_lock(&work->lock);
    while (wait(work)) {
        drop_gone(work, NULL);
        if (!TAILQ_EMPTY(&work->items))
            take_turn(work);
    }
    while (!TAILQ_EMPTY(&work->items))
        finish(work, TAILQ_FIRST(&work->items));
    pthread_mutex_unlock(&work->lock);
    return NULL;
}

bool work_add(struct work *work, struct work_item *item)
{
    bool ends;

    pthread_mutex_lock(&work->lock);
    ends = work->ends;
    if (!ends) {
        TAILQ_INSERT_TAIL(&work->items, item, entry);
        pthread_cond_signal(&work->asked);
    }
    pthread_mutex_unlock(&work->lock);
    return !ends;
}

void work_drop(struct work *work, struct work_item *item)
{
    struct work_item *other;

    pthread_mutex_lock(&work->lock);
    TAILQ_FOREACH(other, &work->items, entry)
    if (other == item)
        break;
    if (other) {
        item->is_dropped = true;
        finish(work, item);
    }
    pthread_mutex_unlock(&work->lock);
}

int work_new(const struct http_site *site, struct places *places,
             void (*done)(struct work_item *item), struct work **ret_work)
{
    struct work *work = calloc(1, sizeof(*work));
    int err;

    if (!work)
        return -ENOMEM;
    *work = (struct work){.site = site, .places = places, .done = done};
    TAILQ_INIT(&work->items);
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
