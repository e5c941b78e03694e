/* SPDX-License-Identifier: MIT */
/*
 * How many members each object of a message has. The parser has a hash table for each: whoever knows
 * names that all fall into one place makes it compare each with each.
 */
#ifndef BASE_JSON_MEMBERS_H
#define BASE_JSON_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one object: many more than any has that QMP knows. */
enum { JSON_MEMBERS_MAX = 256 };

/* Deeper objects are not counted: no parser takes them. */
enum { JSON_MEMBERS_DEPTH = 1024 };

/* Where a message has been read to. All zeros before its first byte. */
struct json_members {
    bool is_string, is_escaped; /* in a string; behind a backslash in it */
    uint32_t depth;
    uint16_t counts[JSON_MEMBERS_DEPTH];
};

/* Reads on, to the end of the message. False: an object of more than JSON_MEMBERS_MAX members. */
bool json_members_fit(struct json_members *members, const char *bytes, size_t n);

#endif
