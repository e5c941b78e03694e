/* SPDX-License-Identifier: MIT */
#ifndef BASE_FILE_LIMIT_H
#define BASE_FILE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* This process may have as many files open as it can be let without a privilege. */
void file_limit_raise(void);

/* One part in @share of the files that it may have. INT32_MAX: there is no limit to speak of. */
uint32_t file_limit_part(unsigned share);

/*
 * Whether @n files are left beside @fd, which was just opened. A new one has the lowest number that is free, so
 * all below are taken.
 */
bool file_limit_leaves(int fd, uint32_t n);

#endif
