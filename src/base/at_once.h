/* SPDX-License-Identifier: MIT */
/* The same work for many things at once: a VM that does not answer must not keep the others waiting. */
#ifndef BASE_AT_ONCE_H
#define BASE_AT_ONCE_H

#include <stddef.h>

enum { AT_ONCE_MAX = 16 };

/*
 * Calls work(@opaque, i) for each i below @n, at most AT_ONCE_MAX at a time, each on some thread.
 * Returns when all have returned.
 */
void at_once(size_t n, void (*work)(void *opaque, size_t i), void *opaque);

#endif
