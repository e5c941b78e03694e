/* SPDX-License-Identifier: MIT */
#ifndef BASE_FILE_LIMIT_H
#define BASE_FILE_LIMIT_H

/* This process may have as many files open as it can be let without a privilege. */
void file_limit_raise(void);

#endif
