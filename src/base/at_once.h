/* SPDX-License-Identifier: MIT */
/* The same work for many things at once: a VM that does not answer must not keep the others waiting. */
#ifndef BASE_AT_ONCE_H
#define BASE_AT_ONCE_H

#include <stddef.h>

enum {
    AT_ONCE_FEW = 16,         /* threads at first: those that find work to do need no more */
    AT_ONCE_MAX = 1024,       /* threads that wait; a process may hardly have more sockets */
    AT_ONCE_PATIENCE_MS = 50, /* before as many again are made */
};

/*
 * Calls work(@opaque, i) for each i below @n, each on some thread. Where most threads wait, more are
 * made, so that those that wait do so together. Returns when all have returned.
 */
void at_once(size_t n, void (*work)(void *opaque, size_t i), void *opaque);

#endif
