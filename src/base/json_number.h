/* SPDX-License-Identifier: MIT */
/*
 * Integers of more than 64 bits. Some versions of json-c make the nearest one of them that fits, and
 * others refuse them.
 */
#ifndef BASE_JSON_NUMBER_H
#define BASE_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a message has been read to. All zeros before its first byte. */
struct json_numbers {
    bool is_string, is_escaped; /* in a string; behind a backslash in it */
    bool is_number, is_negative, is_large, is_double;
    uint64_t magnitude;
};

/* Reads on. False: an integer below -2^63, or of 2^64 and more, has ended in @bytes. */
bool json_numbers_fit(struct json_numbers *numbers, const char *bytes, size_t n);

#endif
