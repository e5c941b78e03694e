/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "args/cli.h"

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_swapped(const char *a, size_t i, const char *b, size_t j)
{
    return i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
}

/* Each row has the distances of the first letters of @a to the first letters of @b. */
size_t cli_count_typos(const char *a, const char *b)
{
    size_t rows[3][CLI_WORD_MAX + 1], *before = rows[0], *row = rows[1], *next = rows[2];
    size_t len = strlen(b);

    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t *free_row = before;

        next[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            next[j + 1] = min(row[j] + (a[i] != b[j]), min(row[j + 1], next[j]) + 1);
            if (is_swapped(a, i, b, j))
                next[j + 1] = min(next[j + 1], before[j - 1] + 1);
        }
        before = row;
        row = next;
        next = free_row;
    }
    return row[len];
}
