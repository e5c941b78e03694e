/* SPDX-License-Identifier: MIT */
#include "http/places.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

/* Any number of bytes, which go back to the system at once. */
#define IN_MAPPINGS (SIZE_MAX / 2)

void places_init(struct places *places, size_t max, size_t bytes_max)
{
    *places = (struct places){.max = max, .bytes_max = bytes_max};
    pthread_mutex_init(&places->lock, NULL);
    pthread_cond_init(&places->freed, NULL);
}

void places_free(struct places *places)
{
    buf_free(&places->spare);
    pthread_cond_destroy(&places->freed);
    pthread_mutex_destroy(&places->lock);
}

/* ---- connections ---------------------------------------------------------------------------- */

/* Its thread finds the connection ended, and closes it. */
static void cut(struct place *place)
{
    shutdown(place->fd, SHUT_RDWR);
    place->is_cut = true;
    if (place->give_up)
        place->give_up(place->opaque);
    place->give_up = NULL;
}

static void set_state(struct place *place, enum place_state state)
{
    place->state = state;
    place->since_ns = clock_now_ns();
    place->body = NULL;
    place->give_up = NULL;
}

static bool counts(const struct place *place, const void *address)
{
    return !place->is_cut && place->address == address;
}

/* Who has said all may well read the reply. */
static bool has_left(const struct place *place)
{
    return place->state == PLACE_READS ? http_peer_has_gone(place->fd)
                                       : http_peer_has_finished(place->fd);
}

static size_t count_of_peer(const struct places *places, const struct place *one)
{
    size_t n = 0;

    for (const struct place *place = places->first; place; place = place->next)
        n += counts(place, one->address) && http_peer_is(&place->peer, &one->peer);
    return n;
}

/* Of two of one peer. Who waits for longest is the next to be answered. */
static bool is_less_missed(const struct place *a, const struct place *b)
{
    if (a->state != b->state)
        return a->state < b->state;
    return a->state == PLACE_WAITS ? a->since_ns > b->since_ns : a->since_ns < b->since_ns;
}

static bool goes_before(const struct places *places, const struct place *a, const struct place *b)
{
    size_t n_a, n_b;

    if (a->is_known != b->is_known)
        return b->is_known;
    n_a = count_of_peer(places, a);
    n_b = count_of_peer(places, b);
    return n_a != n_b ? n_a > n_b : is_less_missed(a, b);
}

static struct place *find_first_to_go(const struct places *places, const void *address)
{
    struct place *first = NULL;

    for (struct place *place = places->first; place; place = place->next) {
        if (!counts(place, address))
            continue;
        if (has_left(place))
            return place;
        if (!first || goes_before(places, place, first))
            first = place;
    }
    return first;
}

/* Under the lock. */
static void make_room(struct places *places, const void *address)
{
    size_t n = 0;

    for (const struct place *place = places->first; place; place = place->next)
        n += counts(place, address);
    if (n >= places->max)
        cut(find_first_to_go(places, address));
}

struct place *places_enter(struct places *places, const void *address, int fd)
{
    struct place *place = calloc(1, sizeof(*place));

    if (!place)
        return NULL;
    pthread_mutex_lock(&places->lock);
    make_room(places, address);
    *place = (struct place){.next = places->first,
                            .address = address,
                            .peer = http_peer_of(fd),
                            .fd = fd,
                            .since_ns = clock_now_ns()};
    places->first = place;
    pthread_mutex_unlock(&places->lock);
    return place;
}

void places_leave(struct places *places, struct place *place)
{
    struct place **at = &places->first;

    pthread_mutex_lock(&places->lock);
    while (*at != place)
        at = &(*at)->next;
    *at = place->next;
    pthread_mutex_unlock(&places->lock);
    free(place);
}

bool places_count_request(struct places *places, struct place *place, unsigned max_per_second)
{
    uint64_t second = clock_now_ns() / 1000000000u;
    bool is_allowed;

    pthread_mutex_lock(&places->lock);
    if (place->second != second) {
        place->second = second;
        place->n_requests = 0;
    }
    is_allowed = place->n_requests++ < max_per_second;
    pthread_mutex_unlock(&places->lock);
    return is_allowed;
}

bool places_waits(struct places *places, struct place *place, void (*give_up)(void *opaque),
                  void *opaque)
{
    bool is_there;

    pthread_mutex_lock(&places->lock);
    is_there = !place->is_cut;
    set_state(place, PLACE_WAITS);
    place->give_up = is_there ? give_up : NULL;
    place->opaque = opaque;
    pthread_mutex_unlock(&places->lock);
    return is_there;
}

void places_know(struct places *places, struct place *place)
{
    pthread_mutex_lock(&places->lock);
    place->is_known = true;
    pthread_mutex_unlock(&places->lock);
}

/* ---- documents ------------------------------------------------------------------------------ */

void places_reads(struct places *places, struct place *place, const struct http_body *body)
{
    pthread_mutex_lock(&places->lock);
    set_state(place, body ? PLACE_READS : PLACE_SILENT);
    place->body = body;
    if (body && body->is_given_up) /* for others, before anybody read it */
        cut(place);
    pthread_mutex_unlock(&places->lock);
}

/* The oldest one that is not given up. Under the lock. */
static struct http_body *find_oldest(const struct places *places)
{
    struct http_body *oldest = NULL;

    for (struct http_body *body = places->bodies; body; body = body->next)
        if (!body->is_given_up)
            oldest = body;
    return oldest;
}

/* Those that are given up are there until their readers' threads have seen it. Under the lock. */
static size_t count_bytes(const struct places *places)
{
    size_t n = places->spare.cap;

    for (const struct http_body *body = places->bodies; body; body = body->next)
        n += body->bytes.cap;
    return n;
}

/* Who holds the oldest ones is cut off. Under the lock. */
static void give_up_old(struct places *places, size_t more)
{
    size_t n_bytes = more;
    struct http_body *oldest;

    for (const struct http_body *body = places->bodies; body; body = body->next)
        n_bytes += body->is_given_up ? 0 : body->bytes.cap;
    while (n_bytes > places->bytes_max && (oldest = find_oldest(places))) {
        oldest->is_given_up = true;
        n_bytes -= oldest->bytes.cap;
        for (struct place *place = places->first; place; place = place->next)
            if (place->body == oldest)
                cut(place);
    }
}

static void exchange(struct buf *a, struct buf *b)
{
    struct buf before = *a;

    *a = *b;
    *b = before;
}

/* The larger one is kept, and what is not is left in @bytes. Under the lock. */
static void keep_spare(struct places *places, struct buf *bytes)
{
    bool fits = count_bytes(places) - places->spare.cap + bytes->cap <= places->bytes_max;

    if (bytes->max != IN_MAPPINGS || bytes->cap < PLACES_SPARE_MIN ||
        bytes->cap > PLACES_SPARE_MAX || !fits)
        return;
    if (bytes->cap > places->spare.cap)
        exchange(&places->spare, bytes);
    buf_reset(&places->spare);
    places->spare_since_ns = clock_now_ns();
}

/* What is spare goes first, also what has become so while others were waited for. Under the lock. */
static bool has_room(struct places *places, size_t more)
{
    if (count_bytes(places) + more > places->bytes_max)
        buf_free(&places->spare);
    return count_bytes(places) + more <= places->bytes_max;
}

struct http_body *places_add_body(struct places *places, struct buf *bytes)
{
    size_t size = bytes->cap;
    struct http_body *body = size <= places->bytes_max ? malloc(sizeof(*body)) : NULL;

    if (!body) {
        buf_free(bytes);
        return NULL;
    }
    *body = (struct http_body){.places = places, .bytes = *bytes};
    *bytes = (struct buf){0};
    pthread_mutex_lock(&places->lock);
    give_up_old(places, size);
    while (!has_room(places, size))
        pthread_cond_wait(&places->freed, &places->lock);
    body->next = places->bodies;
    places->bodies = body;
    pthread_mutex_unlock(&places->lock);
    return body;
}

void places_free_body(void *opaque)
{
    struct http_body *body = opaque, **at = &body->places->bodies;

    pthread_mutex_lock(&body->places->lock);
    while (*at != body)
        at = &(*at)->next;
    *at = body->next;
    keep_spare(body->places, &body->bytes);
    pthread_cond_signal(&body->places->freed);
    pthread_mutex_unlock(&body->places->lock);
    buf_free(&body->bytes);
    free(body);
}

struct buf places_take_spare(struct places *places)
{
    struct buf spare;

    pthread_mutex_lock(&places->lock);
    spare = places->spare;
    places->spare = (struct buf){0};
    pthread_mutex_unlock(&places->lock);
    spare.max = IN_MAPPINGS;
    return spare;
}

void places_give_back(struct places *places, struct buf *bytes)
{
    pthread_mutex_lock(&places->lock);
    keep_spare(places, bytes);
    pthread_mutex_unlock(&places->lock);
    buf_free(bytes);
}

bool places_let_go(struct places *places, uint64_t now_ns)
{
    struct buf old = {0};
    bool is_left;

    pthread_mutex_lock(&places->lock);
    if (places->spare.data && now_ns - places->spare_since_ns >= PLACES_SPARE_NS)
        exchange(&places->spare, &old);
    is_left = places->spare.data || places->bodies;
    pthread_mutex_unlock(&places->lock);
    buf_free(&old);
    return is_left;
}
