/* SPDX-License-Identifier: MIT */
#include "http/places.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

void places_init(struct places *places, size_t max, size_t bytes_max)
{
    *places = (struct places){.max = max, .bytes_max = bytes_max};
    pthread_mutex_init(&places->lock, NULL);
}

void places_free(struct places *places)
{
    pthread_mutex_destroy(&places->lock);
}

/* ---- connections ---------------------------------------------------------------------------- */

/* Its thread finds the connection ended, and closes it. */
static void cut(struct place *place)
{
    shutdown(place->fd, SHUT_RDWR);
    place->is_cut = true;
}

/* Under the lock. */
static void make_room(struct places *places, const void *address)
{
    struct place *longest = NULL;
    size_t n = 0;

    for (struct place *place = places->first; place; place = place->next) {
        if (place->is_cut || place->address != address)
            continue;
        n++;
        if (!longest || place->since_ns < longest->since_ns)
            longest = place;
    }
    if (n >= places->max)
        cut(longest);
}

struct place *places_enter(struct places *places, const void *address, int fd)
{
    struct place *place = calloc(1, sizeof(*place));

    if (!place)
        return NULL;
    pthread_mutex_lock(&places->lock);
    make_room(places, address);
    *place = (struct place){
        .next = places->first, .address = address, .fd = fd, .since_ns = clock_now_ns()};
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

/* ---- documents ------------------------------------------------------------------------------ */

void places_reads(struct places *places, struct place *place, const struct http_body *body)
{
    pthread_mutex_lock(&places->lock);
    place->body = body;
    if (!body)
        place->since_ns = clock_now_ns();
    else if (body->is_given_up) /* for others, before anybody read it */
        cut(place);
    pthread_mutex_unlock(&places->lock);
}

/* The oldest one that anybody reads. Under the lock. */
static struct http_body *find_oldest(const struct places *places)
{
    struct http_body *oldest = NULL;

    for (struct http_body *body = places->bodies; body; body = body->next)
        if (!body->is_given_up)
            oldest = body;
    return oldest;
}

/* Who holds the oldest ones is cut off. Under the lock. */
static void give_up_old(struct places *places, size_t more)
{
    size_t n_bytes = more;
    struct http_body *oldest;

    for (const struct http_body *body = places->bodies; body; body = body->next)
        n_bytes += body->is_given_up ? 0 : body->len;
    while (n_bytes > places->bytes_max && (oldest = find_oldest(places))) {
        oldest->is_given_up = true;
        n_bytes -= oldest->len;
        for (struct place *place = places->first; place; place = place->next)
            if (place->body == oldest)
                cut(place);
    }
}

struct http_body *places_add_body(struct places *places, char *bytes, size_t len)
{
    struct http_body *body = malloc(sizeof(*body));

    if (!body) {
        free(bytes);
        return NULL;
    }
    *body = (struct http_body){.places = places, .bytes = bytes, .len = len};
    pthread_mutex_lock(&places->lock);
    give_up_old(places, len);
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
    pthread_mutex_unlock(&body->places->lock);
    free(body->bytes);
    free(body);
}
