/* SPDX-License-Identifier: MIT */
/* How much memory JSON takes once it is parsed, before it is. */
#ifndef BASE_JSON_MEMORY_H
#define BASE_JSON_MEMORY_H

#include <stddef.h>

/*
 * At least what json-c takes for @bytes, a piece of a message: three bytes can be an empty object,
 * which takes 800. What stands in strings counts as if it did not.
 */
size_t json_memory(const char *bytes, size_t n);

#endif
