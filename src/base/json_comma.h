/* SPDX-License-Identifier: MIT */
/*
 * Commas directly before a closing bracket, which is no JSON. json-c takes them, but where it is told
 * to be strict; and some versions that are strict refuse characters outside of ASCII as well.
 */
#ifndef BASE_JSON_COMMA_H
#define BASE_JSON_COMMA_H

#include <stddef.h>

/* Where the bracket is behind the first of them; @len: there is none. */
size_t json_trailing_comma(const char *text, size_t len);

#endif
