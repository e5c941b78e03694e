/* SPDX-License-Identifier: MIT */
/*
 * The connections, and the documents that they still read. There is room for so many at each address;
 * who needs a place gets that of the one who has held on for longest.
 */
#ifndef HTTP_PLACES_H
#define HTTP_PLACES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that live as long as anybody reads them. */
struct http_body {
    struct http_body *next;
    struct places *places;
    char *bytes;
    size_t len;
    bool is_given_up; /* its readers have been cut off */
};

/* One that is connected. */
struct place {
    struct place *next;
    const void *address;
    int fd;
    uint64_t since_ns; /* it has come, or its last request was answered */
    uint64_t second;   /* the requests of which are counted */
    unsigned n_requests;
    const struct http_body *body; /* that it reads; NULL: none */
    bool is_cut;
};

struct places {
    pthread_mutex_t lock;
    struct place *first;
    struct http_body *bodies; /* the newest first */
    size_t max, bytes_max;    /* connections of an address; bytes of bodies */
};

void places_init(struct places *places, size_t max, size_t bytes_max);
void places_free(struct places *places); /* nobody is connected */

/* NULL: no memory. Who makes too many is cut off. */
struct place *places_enter(struct places *places, const void *address, int fd);
void places_leave(struct places *places, struct place *place); /* before the fd is closed */

/* A further request. False: they are too many. */
bool places_count_request(struct places *places, struct place *place, unsigned max_per_second);

/* It reads @body; NULL: it has read all. */
void places_reads(struct places *places, struct place *place, const struct http_body *body);

/* Takes @bytes, from malloc(), over. NULL: no memory, and they are freed. */
struct http_body *places_add_body(struct places *places, char *bytes, size_t len);

/* As MHD calls it. */
void places_free_body(void *body);

#endif
