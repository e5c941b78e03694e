/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "args/cli.h"

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t cli_count_typos(const char *a, const char *b)
{
    size_t row[CLI_WORD_MAX + 1], len = strlen(b);

    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t replaced = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = min(replaced, min(row[j], row[j + 1]) + 1);
        }
    }
    return row[len];
}
