/* SPDX-License-Identifier: MIT */
#include "base/unicode.h"

bool unicode_is_valid(uint32_t code_point)
{
    if (code_point >= 0xd800 && code_point <= 0xdfff)
        return false;
    if (code_point >= 0xfdd0 && code_point <= 0xfdef)
        return false;
    return code_point <= 0x10ffff && (code_point & 0xfffe) != 0xfffe;
}

size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX])
{
    if (code_point && code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xe0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}

size_t utf8_length(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc0 && lead < 0xe0)
        return 2;
    if (lead >= 0xe0 && lead < 0xf0)
        return 3;
    return lead >= 0xf0 && lead < 0xf8 ? 4 : 0;
}

bool utf8_is_shortest(uint32_t code_point, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    if (len == 2 && !code_point) /* C0 80 */
        return true;
    return code_point >= least[len] && unicode_is_valid(code_point);
}

int32_t utf8_decode(const char **text)
{
    const uint8_t *bytes = (const uint8_t *)*text;
    size_t len = utf8_length(bytes[0]), i;
    uint32_t code_point = bytes[0];

    ++*text;
    if (len == 1)
        return bytes[0];
    if (!len)
        return -1;
    code_point &= 0x7fu >> len;
    for (i = 1; i < len; i++) { /* the NUL at the end is no continuation */
        if ((bytes[i] & 0xc0) != 0x80)
            return -1;
        code_point = code_point << 6 | (bytes[i] & 0x3f);
    }
    if (!utf8_is_shortest(code_point, len))
        return -1;
    *text += len - 1;
    return (int32_t)code_point;
}
