/* SPDX-License-Identifier: MIT */
/* How many elements a table has. */
#ifndef BASE_COUNT_H
#define BASE_COUNT_H

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A table that lacks the element of a value that came later is read past its end: it is not built. */
#define ASSERT_COUNT(table, n) _Static_assert(COUNT(table) == (n), #table " has not " #n)

#endif
