/* SPDX-License-Identifier: MIT */
/* cmocka with the headers it wants, and the two checks of results that this project needs most. */
#ifndef UNIT_CHECK_H
#define UNIT_CHECK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define check_ok(call)         assert_int_equal((call), 0)
#define check_error(call, err) assert_int_equal((call), -(err))

/* Then what takes how long says nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

#define N_ELEMENTS(array)           (sizeof(array) / sizeof((array)[0]))

#define assert_contains(text, part) check_contains((text), (part), __FILE__, __LINE__)

static inline void check_contains(const char *text, const char *part, const char *file, int line)
{
    if (text && strstr(text, part))
        return;
    print_error("'%s' is not in '%s'\n", part, text ? text : "NULL");
    _fail(file, line);
}

#endif
