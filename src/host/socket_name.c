/* SPDX-License-Identifier: MIT */
#include "host/socket_name.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { HASH_LENGTH = 1 + 16 }; /* "-" and its digits */

/* By this table and no other: not by the locale's. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

static bool is_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool needs_escape(const char *name, size_t i)
{
    if (name[i] == '_')
        return is_digit(name[i + 1]) && is_digit(name[i + 2]);
    return !is_plain(name[i]) || (name[i] == '.' && i == 0);
}

/* What fits into @size bytes; returns the whole length. Never half an escape. */
static size_t escape(const char *vm_name, char *name, size_t size)
{
    size_t len = 0, fits = 0;

    for (size_t i = 0; vm_name[i]; i++) {
        char piece[4] = {vm_name[i]};

        if (needs_escape(vm_name, i))
            snprintf(piece, sizeof(piece), "_%02x", (unsigned char)vm_name[i]);
        len += strlen(piece);
        if (len < size) {
            strcpy(name + fits, piece);
            fits = len;
        } else {
            size = 0; /* what is behind may be shorter */
        }
    }
    name[fits] = '\0';
    return len;
}

/* FNV-1a. Who finds two names with one hash has the second one tried again. */
static uint64_t hash_of(const char *text, unsigned n_tried)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) + n_tried;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

void socket_name_make(const char *vm_name, unsigned n_tried, size_t max,
                      char ret_name[SOCKET_NAME_MAX + 1])
{
    if (escape(vm_name, ret_name, max + 1) <= max && n_tried == 0)
        return;
    escape(vm_name, ret_name, max + 1 - HASH_LENGTH);
    snprintf(ret_name + strlen(ret_name), HASH_LENGTH + 1, "-%016llx",
             (unsigned long long)hash_of(vm_name, n_tried));
}
