/* SPDX-License-Identifier: MIT */
/* What people choose names by: a glob, a name, or a part of it. */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include <stdbool.h>

/* Whether @text has any of *?[ and is matched as a glob, by the whole name. */
bool pattern_is_glob(const char *text);

/*
 * A word that is no glob means the name that it is; with @is_part, because there is no such name, all names
 * that it is a part of.
 */
bool pattern_matches(const char *text, bool is_part, const char *name);

#endif
