/* SPDX-License-Identifier: MIT */
/*
 * The memory that the replies of all peers take at a time, as json_memory() has it: each is bounded by
 * itself, and a run may ask a thousand. Where they take too much together, the largest that is under
 * way is refused, so that VMs that mean well don't give way to one that does not.
 */
#ifndef CLIENT_RUN_MEMORY_H
#define CLIENT_RUN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

enum { RUN_MEMORY_MAX = 1 << 30 }; /* bytes */

/* The reply of one connection. All zeros at first. */
struct run_memory {
    int fd; /* of the connection */
    size_t memory;
    bool is_listed, is_done, is_refused;
    LIST_ENTRY(run_memory) link;
};

/* A reply begins; what the one before took is given back. */
void run_memory_begin(struct run_memory *reply, int fd);

/*
 * It takes @size bytes more. -ENOBUFS: it is refused, now or before. Another reply may be refused for
 * it: its connection is shut down, and does not count any more.
 */
int run_memory_take(struct run_memory *reply, size_t size);

/*
 * It has come to its end; it counts until it is given back, and is not refused any more. -ENOBUFS: it was
 * refused before.
 */
int run_memory_done(struct run_memory *reply);

/* It is not there any more. May be called at any time. */
void run_memory_end(struct run_memory *reply);

/* Behind run_memory_end(). */
static inline bool run_memory_was_refused(const struct run_memory *reply)
{
    return reply->is_refused;
}

#endif
