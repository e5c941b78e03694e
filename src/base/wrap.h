/* SPDX-License-Identifier: MIT */
/* Text for people in lines that fit the terminal. */
#ifndef BASE_WRAP_H
#define BASE_WRAP_H

#include "base/buf.h"

/*
 * How wide text should be: as the variable COLUMNS says, or as the terminal that standard output is,
 * but not wider than is good to read; where there is no terminal, 79.
 */
size_t wrap_width(void);

/*
 * Appends @text with line breaks where @width columns are full; all lines but the first are indented by
 * @indent. A line feed in @text is kept, and spaces behind it are the line's own indentation. It ends in a
 * line feed.
 */
void wrap_put(struct buf *out, const char *text, size_t indent, size_t width);

#endif
