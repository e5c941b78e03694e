/* SPDX-License-Identifier: MIT */
/*
 * Texts of strangers. A name that a peer or a file made up may do something to the terminal it is
 * shown on, so it is looked at where it comes in.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether @text is UTF-8 without control characters, and without those that break lines or turn the
 * direction of writing round.
 */
bool text_is_plain(const char *text);

/* A question mark for each character that is not plain, and for each byte that is none. */
void text_make_plain(char *text);

#endif
