/* SPDX-License-Identifier: MIT */
/* Whether a program takes a library that is preloaded, by what its file says. */
#ifndef RUN_PROGRAM_H
#define RUN_PROGRAM_H

#include <limits.h>

/* As execvp() finds it. -errno: it does not. */
int program_find(const char *name, char ret_path[PATH_MAX]);

/* Why it does not, to be read behind its name; NULL: nothing is known that speaks against it. */
const char *program_why_not(const char *path);

#endif
