/* SPDX-License-Identifier: MIT */
/* The words of a line that somebody types into a shell, as far as it has been typed. */
#ifndef ARGS_SHELL_WORDS_H
#define ARGS_SHELL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct shell_words {
    char **all; /* without quotes; nothing is expanded */
    size_t n;   /* the last word is what is being typed: empty behind a space */
    char *bytes;
};

/* Of the last command of the line. False: no memory. */
bool shell_words_split(const char *line, struct shell_words *ret_words);
void shell_words_free(struct shell_words *words);

#endif
