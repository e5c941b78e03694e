/* SPDX-License-Identifier: MIT */
/* The text that goes with a -errno result. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>

enum { ERROR_TEXT_MAX = 512 }; /* a longer text is cut */

struct error_text {
    char text[ERROR_TEXT_MAX];
};

/* Sets the text and returns @err, so that a function can end with it. */
int error_set(struct error_text *error, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts the text into a buffer of the caller's, cut to its size. NULL: nothing happens. */
void error_tell(const struct error_text *error, char *buf, size_t size);

#endif
