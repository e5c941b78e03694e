/* SPDX-License-Identifier: MIT */
/*
 * Threads that do nothing but close files, for those whose closing may take as long as a stranger
 * likes. They are made when there is something to close, and end when there is nothing left.
 */
#ifndef BASE_CLOSER_H
#define BASE_CLOSER_H

#include <stdint.h>

enum { CLOSER_THREADS_MAX = 16 };

struct closer;

struct closer *closer_new(void); /* NULL: no memory */

/*
 * Takes over the fd. Where all threads are busy it waits for one of them, and where none can be made
 * it stays open until one can.
 */
void closer_take(struct closer *closer, int fd);

/* How many it has taken and not closed yet. */
uint32_t closer_pending(const struct closer *closer);

/* What is still to be closed will be. NULL is allowed. */
void closer_free(struct closer *closer);

/*
 * In a child made by fork(), which has none of the threads. What they had in hand is the parent's.
 * Either frees the child's copy, which closes nothing, or goes on with what is still to be closed;
 * -EBUSY: the copy was made while it was being changed.
 */
void closer_free_copy(struct closer *closer);
int closer_take_over(struct closer *closer);

#endif
