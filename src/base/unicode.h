/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 as QEMU takes it: like the standard, but U+0000 is the two bytes C0 80, so that a C string
 * can hold it, and noncharacters are invalid.
 */
#ifndef BASE_UNICODE_H
#define BASE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_MAX = 4 };

/* Whether it is a character: no surrogate, no noncharacter, not past U+10FFFF. */
bool unicode_is_valid(uint32_t code_point);

/* Writes the bytes of a valid code point, and returns how many. */
size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX]);

/* The number of bytes that @lead announces, or 0: no character starts with it. */
size_t utf8_length(uint8_t lead);

/* Whether @code_point, read from @len bytes, is valid and could not have been written with fewer. */
bool utf8_is_shortest(uint32_t code_point, size_t len);

/* Reads one character of a C string; -1: invalid. Moves *@text behind it, or one byte on. */
int32_t utf8_decode(const char **text);

#endif
