/* SPDX-License-Identifier: MIT */
#include "base/pattern.h"

#include <fnmatch.h>
#include <string.h>

bool pattern_is_glob(const char *text)
{
    return strpbrk(text, "*?[") != NULL;
}

bool pattern_matches(const char *text, bool is_part, const char *name)
{
    if (pattern_is_glob(text))
        return fnmatch(text, name, 0) == 0;
    return is_part ? *text && strstr(name, text) : strcmp(name, text) == 0;
}
