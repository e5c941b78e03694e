/* SPDX-License-Identifier: MIT */
/*
 * Structs that begin with their own size. The caller may have been built with the header of another
 * release. An older one has fewer members, which read as 0 here. A newer one may have more: they
 * must be 0, because nothing here would do what they ask for.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { SIZED_MAX = 4096 }; /* a greater size is no struct's, and nothing of it is read */

/* Where a member ends. */
#define SIZED_END(type_, member_) (offsetof(type_, member_) + sizeof(((type_ *)0)->member_))

/* A struct, and the function that takes it. */
struct sized {
    const char *function, *type;
    size_t least; /* up to the end of the last member that the first release needed */
    size_t known; /* our own header's */
    size_t alignment;
};
#define SIZED(function_, type_, last_needed)                                                       \
    {                                                                                              \
        .function = (function_), .type = #type_, .least = SIZED_END(type_, last_needed),           \
        .known = sizeof(type_), .alignment = _Alignof(type_)                                       \
    }

/* Whether a struct of this size is one of some header's, and has the member that ends at @end. */
bool sized_has(const struct sized *sized, size_t size, size_t end);

/*
 * Whether @given, of @size bytes, can be taken. -EINVAL: no header has this size; -E2BIG: an unknown
 * byte is not 0, or the size is past SIZED_MAX. @error may be NULL.
 */
int sized_check(const struct sized *sized, const void *given, size_t size,
                struct error_text *error);

/* Copies what is known of @given, of which @size bytes are there, and zeros for the rest. */
void sized_copy(const struct sized *sized, const void *given, size_t size, void *ret);

/* Both, for a struct whose first member is its size. Writes nothing if it can't be taken. */
int sized_take(const struct sized *sized, const void *given, void *ret, struct error_text *error);

#endif
