/* SPDX-License-Identifier: MIT */
/* Text in lines that fit the terminal. */
#include "base/wrap.h"

#include <stdlib.h>
#include <unistd.h>

#include "check.h"

static void check(const char *from, size_t indent, size_t width, const char *expected)
{
    struct buf out = {0};

    wrap_put(&out, from, indent, width);
    buf_append(&out, "", 1);
    assert_false(out.failed);
    assert_string_equal(out.data, expected);
    buf_free(&out);
}

static void test_lines_are_filled(void **state)
{
    (void)state;
    check("one two three", 0, 7, "one two\nthree\n");
    check("one two three", 0, 6, "one\ntwo\nthree\n");
    check("one two three", 2, 9, "one two\n  three\n");
    check("a-long-word b", 0, 4, "a-long-word\nb\n");
    check("", 4, 9, "\n");
}

static void test_line_feeds_are_kept(void **state)
{
    (void)state;
    check("one\n  two three\n\nfour", 0, 8, "one\n  two\nthree\n\nfour\n");
    check("one\ntwo", 2, 80, "one\n  two\n");
}

static void check_width(const char *columns, size_t expected)
{
    setenv("COLUMNS", columns, 1);
    assert_int_equal(wrap_width(), expected);
}

/* The tests have no terminal. */
static void test_width(void **state)
{
    (void)state;
    unsetenv("COLUMNS");
    if (!isatty(STDOUT_FILENO))
        assert_int_equal(wrap_width(), 79);
    check_width("60", 60);
    check_width("20", 20);
    check_width("19", 20); /* less than a word */
    check_width("100", 100);
    check_width("101", 100); /* wider is hard to read */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_filled),
        cmocka_unit_test(test_line_feeds_are_kept),
        cmocka_unit_test(test_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
