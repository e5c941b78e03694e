/* SPDX-License-Identifier: MIT */
/* What somebody may have meant with a name that matches nothing. */
#ifndef ARGS_SUGGESTION_H
#define ARGS_SUGGESTION_H

#include <stddef.h>

struct suggestion {
    const char *meant; /* what was typed */
    const char *name;  /* the nearest, or NULL */
    size_t typos;
};

/* Takes @name if it is near to what was meant, and nearer than the one before. */
void suggestion_consider(struct suggestion *suggestion, const char *name);

/* Says on stderr that no @what matches, and the suggestion, or else the @hint. */
void suggestion_print(const struct suggestion *suggestion, const char *command, const char *what,
                      const char *hint);

#endif
