/* SPDX-License-Identifier: MIT */
/* How wide a text is on a terminal. */
#ifndef BASE_WIDTH_H
#define BASE_WIDTH_H

#include <stddef.h>

/*
 * The columns of a line of UTF-8, up to its line feed or NUL, whatever the locale is: a character of
 * Chinese takes two, an accent that combines none.
 */
size_t width_of_line(const char *line);

/* The columns of the terminal that @fd is; the variable COLUMNS comes first. 0: neither says it. */
size_t width_of_terminal(int fd);

#endif
