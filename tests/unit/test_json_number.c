/* SPDX-License-Identifier: MIT */
#include "base/json_number.h"

#include "check.h"

/* In one piece, and byte by byte. */
static void check_fit(const char *text, bool expected)
{
    struct json_numbers whole = {0}, piecewise = {0};
    bool fits = true;

    assert_int_equal(json_numbers_fit(&whole, text, strlen(text)), expected);
    for (const char *at = text; *at && fits; at++)
        fits = json_numbers_fit(&piecewise, at, 1);
    assert_int_equal(fits, expected);
}

static void numbers_at_the_limit_fit(void **state)
{
    (void)state;
    check_fit("[18446744073709551615]", true);
    check_fit("[-9223372036854775808, 18446744073709551615]", true);
    check_fit("[18446744073709551616]", false);
    check_fit("{\"a\": 1, \"b\":-9223372036854775809}", false);
    check_fit("[100000000000000000000000000000000000000000, 1]", false);
    check_fit("[1, 2 , 36893488147419103232 ]", false);
}

static void other_numbers_fit(void **state)
{
    (void)state;
    check_fit("[1e400, 18446744073709551616.0, 18446744073709551616e+3, -18446744073709551616E-3]",
              true);
    check_fit("[1.5, 18446744073709551616]", false);
    check_fit("[1e-5,-9223372036854775809]", false);
}

static void texts_are_no_numbers(void **state)
{
    (void)state;
    check_fit("[\"18446744073709551616\", \"\\\"18446744073709551616\", 1]", true);
    check_fit("[\"\\\\\", 18446744073709551616]", false);
    check_fit("", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_at_the_limit_fit),
        cmocka_unit_test(other_numbers_fit),
        cmocka_unit_test(texts_are_no_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
