/* SPDX-License-Identifier: MIT */
/* How wide a text is, whatever the locale. */
#include "base/width.h"
#include "check.h"

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(width_of_line(""), 0);
    assert_int_equal(width_of_line("web1 ~"), 6);
    assert_int_equal(width_of_line("a\u4e2db"), 4);     /* Chinese */
    assert_int_equal(width_of_line("\u2588\u258f"), 2); /* bars */
    assert_int_equal(width_of_line("e\u0301."), 2);     /* an accent that combines */
    assert_int_equal(width_of_line("a\t\377b"), 4);     /* no character of a text */
}

static void test_the_end_of_a_line(void **state)
{
    (void)state;
    assert_int_equal(width_of_line("\nweb1"), 0);
    assert_int_equal(width_of_line("web1\nweb2"), 4);
    assert_int_equal(width_of_line("\u4e2d\nweb2"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_the_end_of_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
