/* SPDX-License-Identifier: MIT */
/* Times of day for people. */
#ifndef SHOW_MOMENT_H
#define SHOW_MOMENT_H

#include <stdbool.h>

enum { MOMENT_MAX = 40 };

/* "2026-11-26 06:14:34", of seconds since 1970; @is_exact: "06:14:34.250". */
const char *moment_text(char text[MOMENT_MAX], double time, bool is_exact);

/* The same without the day. */
const char *moment_clock(char text[MOMENT_MAX], double time, bool is_exact);

#endif
