/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdint.h>
#include <string.h>

#include "base/unicode.h"

/* What is no character is -1. Those that turn the direction of writing: Bidi_Control of Unicode. */
static bool is_plain(int32_t code_point)
{
    bool is_control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    bool turns = code_point == 0x061c || code_point == 0x200e || code_point == 0x200f ||
                 (code_point >= 0x202a && code_point <= 0x202e) ||
                 (code_point >= 0x2066 && code_point <= 0x2069);
    bool breaks = code_point == 0x2028 || code_point == 0x2029;

    return !is_control && !turns && !breaks;
}

bool text_is_plain(const char *text)
{
    while (*text)
        if (!is_plain(utf8_decode(&text)))
            return false;
    return true;
}

void text_make_plain(char *text)
{
    const char *from = text, *next = text;

    for (; *from; from = next) {
        if (is_plain(utf8_decode(&next))) {
            memmove(text, from, (size_t)(next - from));
            text += next - from;
        } else {
            *text++ = '?';
        }
    }
    *text = '\0';
}
