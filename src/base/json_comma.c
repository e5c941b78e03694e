/* SPDX-License-Identifier: MIT */
#include "base/json_comma.h"

#include <stdbool.h>

/* Where the string ends whose first quote is at @i; without an end, @len. */
static size_t skip_string(const char *text, size_t len, size_t i)
{
    for (i++; i < len && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i;
}

size_t json_trailing_comma(const char *text, size_t len)
{
    bool is_behind_comma = false;

    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case ' ':
        case '\t':
        case '\r':
        case '\n':
            break;
        case ',':
            is_behind_comma = true;
            break;
        case ']':
        case '}':
            if (is_behind_comma)
                return i;
            break;
        case '"':
            i = skip_string(text, len, i);
            is_behind_comma = false;
            break;
        default:
            is_behind_comma = false;
        }
    }
    return len;
}
