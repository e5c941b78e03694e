/* SPDX-License-Identifier: MIT */
/* SipHash-2-4, as its authors have described it: nobody finds two texts for it without the key. */
#ifndef BASE_KEYED_HASH_H
#define BASE_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t keyed_hash(const uint64_t key[2], const void *bytes, size_t len);

#endif
