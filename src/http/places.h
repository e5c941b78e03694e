/* SPDX-License-Identifier: MIT */
/*
 * The connections, and the documents that they still read. There is room for so many at each address.
 * Who needs a place gets that of one who has left; else of one who has not shown a password, if there is any; and of
 * the peer who has most of them, that of who has been silent for longest, or reads for longest, or, where all
 * wait for us, of the last who came to.
 */
#ifndef HTTP_PLACES_H
#define HTTP_PLACES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/peer.h"

/* Bytes that live as long as anybody reads them. */
struct http_body {
    struct http_body *next;
    struct places *places;
    struct buf bytes;
    bool is_given_up; /* its readers have been cut off */
};

/* In the order in which they lose their places. */
enum place_state { PLACE_SILENT, PLACE_READS, PLACE_WAITS };

/* One that is connected. */
struct place {
    struct place *next;
    const void *address;
    struct http_peer peer;
    int fd;
    enum place_state state;
    uint64_t since_ns; /* it is in that state */
    uint64_t second;   /* the requests of which are counted */
    unsigned n_requests;
    const struct http_body *body;  /* that it reads; NULL: none */
    void (*give_up)(void *opaque); /* NULL: it waits for nothing that could be given up */
    void *opaque;
    bool is_cut;
    bool is_known; /* it has shown a password */
};

/*
 * The memory of a document that all have read is kept for the next one: to get as much from the system, all
 * zeros, takes a fifth of what a large one does. There is one at most, of so many bytes, for so long.
 */
#define PLACES_SPARE_MIN ((size_t)1024 * 1024)
#define PLACES_SPARE_MAX ((size_t)64 * 1024 * 1024)
#define PLACES_SPARE_NS  75000000000u /* who scrapes each minute has use for it */

struct places {
    pthread_mutex_t lock;
    struct place *first;
    struct http_body *bodies; /* the newest first */
    pthread_cond_t freed;     /* one of them */
    struct buf spare;
    uint64_t spare_since_ns;
    size_t max, bytes_max; /* connections of an address; bytes of bodies, and of what is spare */
};

void places_init(struct places *places, size_t max, size_t bytes_max);
void places_free(struct places *places); /* nobody is connected */

/* NULL: no memory. Who makes too many is cut off. */
struct place *places_enter(struct places *places, const void *address, int fd);
void places_leave(struct places *places, struct place *place); /* before the fd is closed */

/* A further request. False: they are too many. */
bool places_count_request(struct places *places, struct place *place, unsigned max_per_second);

/*
 * It waits for us. @give_up(@opaque) is called, in places_enter(), if it loses its place; NULL: nothing.
 * False: it has lost it already.
 */
bool places_waits(struct places *places, struct place *place, void (*give_up)(void *opaque),
                  void *opaque);

/* It has shown a password: others lose their places first. */
void places_know(struct places *places, struct place *place);

/* It reads @body; NULL: it has read all. */
void places_reads(struct places *places, struct place *place, const struct http_body *body);

/*
 * Takes @bytes over, and leaves nothing there. Where all bodies are more than may be, who reads the oldest ones is
 * cut off, and their ends are waited for. NULL: no memory, or it is too large; the bytes are freed.
 */
struct http_body *places_add_body(struct places *places, struct buf *bytes);

/* As MHD calls it. */
void places_free_body(void *body);

/* Empty, with the spare memory, if there is any. It has no bound. */
struct buf places_take_spare(struct places *places);

/* What was taken, and became no body. */
void places_give_back(struct places *places, struct buf *bytes);

/* Lets go of what has been spare for long. False: nothing is, or can become spare by itself. */
bool places_let_go(struct places *places, uint64_t now_ns);

#endif
