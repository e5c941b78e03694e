/* SPDX-License-Identifier: MIT */
/* Values as decimals, and bounds of buckets as OpenMetrics wants them. */
#include "metrics/decimal.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

static void check_value(uint64_t value, uint8_t base, int16_t exponent, const char *expected)
{
    char text[DECIMAL_MAX + 1];

    *decimal_put(text, value, base, exponent) = '\0';
    assert_string_equal(text, expected);
}

static void check_bound(uint64_t value, uint8_t base, int16_t exponent, const char *expected)
{
    char text[DECIMAL_MAX + 1];

    *decimal_put_bound(text, value, base, exponent) = '\0';
    assert_string_equal(text, expected);
}

static void values_are_exact(void **state)
{
    (void)state;
    check_value(0, 10, 0, "0");
    check_value(UINT64_MAX, 10, 0, "18446744073709551615");
    check_value(UINT64_MAX - 1, 10, -9, "18446744073.709551614");
    check_value(2914204711, 10, -9, "2.914204711");
    check_value(3000000000, 10, -9, "3");
    check_value(1, 10, -9, "0.000000001");
    check_value(1, 10, -10, "0.0000000001");
    check_value(1200, 10, -2, "12");
    check_value(5, 10, -1, "0.5");
    check_value(70, 10, 3, "70000");
    check_value(0, 10, -64, "0");
    check_value(0, 2, 64, "0");
    check_value(1, 2, 10, "1024");
    check_value(10, 2, 0, "10");
    check_value(3, 2, -1, "1.5");
    check_value(1000, 2, -3, "125");
}

static void the_largest_scales_are_exact(void **state)
{
    (void)state;
    check_value(UINT64_MAX, 2, 64, "340282366920938463444927863358058659840");
    check_value(1, 2, -64, "0.0000000000000000000542101086242752217003726400434970855712890625");
    check_value(UINT64_MAX, 2, -64,
                "0.9999999999999999999457898913757247782996273599565029144287109375");
    check_value(UINT64_MAX, 10, 64,
                "18446744073709551615"
                "0000000000000000000000000000000000000000000000000000000000000000");
    check_value(UINT64_MAX, 10, -64,
                "0.00000000000000000000000000000000000000000000"
                "18446744073709551615");
}

static void scales_have_a_limit(void **state)
{
    (void)state;
    assert_true(decimal_can_scale(10, 64) && decimal_can_scale(10, -64));
    assert_true(decimal_can_scale(2, 64) && decimal_can_scale(2, -64));
    assert_false(decimal_can_scale(10, 65) || decimal_can_scale(10, -65));
    assert_false(decimal_can_scale(2, INT16_MAX) || decimal_can_scale(2, INT16_MIN));
    assert_false(decimal_can_scale(16, 0) || decimal_can_scale(0, 0));
}

/* 2^i * 10^-9 as strconv.FormatFloat(f, 'g', -1, 64) of Go has it, and ".0" where that is whole. */
static const char *const nanoseconds[] = {
    "1e-09",
    "2e-09",
    "4e-09",
    "8e-09",
    "1.6e-08",
    "3.2e-08",
    "6.4e-08",
    "1.28e-07",
    "2.56e-07",
    "5.12e-07",
    "1.024e-06",
    "2.048e-06",
    "4.096e-06",
    "8.192e-06",
    "1.6384e-05",
    "3.2768e-05",
    "6.5536e-05",
    "0.000131072",
    "0.000262144",
    "0.000524288",
    "0.001048576",
    "0.002097152",
    "0.004194304",
    "0.008388608",
    "0.016777216",
    "0.033554432",
    "0.067108864",
    "0.134217728",
    "0.268435456",
    "0.536870912",
    "1.073741824",
    "2.147483648",
    "4.294967296",
    "8.589934592",
    "17.179869184",
    "34.359738368",
    "68.719476736",
    "137.438953472",
    "274.877906944",
    "549.755813888",
    "1099.511627776",
    "2199.023255552",
    "4398.046511104",
    "8796.093022208",
    "17592.186044416",
    "35184.372088832",
    "70368.744177664",
    "140737.488355328",
    "281474.976710656",
    "562949.953421312",
    "1.125899906842624e+06",
    "2.251799813685248e+06",
    "4.503599627370496e+06",
    "9.007199254740993e+06",
    "1.8014398509481985e+07",
    "3.602879701896397e+07",
    "7.205759403792794e+07",
    "1.4411518807585588e+08",
    "2.8823037615171176e+08",
    "5.764607523034235e+08",
    "1.152921504606847e+09",
    "2.305843009213694e+09",
    "4.611686018427388e+09",
    "9.223372036854776e+09",
};

static void each_bound_of_the_kernel(void **state)
{
    (void)state;
    for (unsigned i = 0; i < N_ELEMENTS(nanoseconds); i++)
        check_bound(UINT64_C(1) << i, 10, -9, nanoseconds[i]);
    assert_int_equal(N_ELEMENTS(nanoseconds), 64);
}

static void bounds_of_other_scales(void **state)
{
    (void)state;
    check_bound(0, 10, 0, "0.0");
    check_bound(0, 10, -9, "0.0");
    check_bound(1, 10, 0, "1.0");
    check_bound(10, 10, 0, "10.0");
    check_bound(100000, 10, 0, "100000.0");
    check_bound(1000000, 10, 0, "1e+06");
    check_bound(1, 10, 10, "1e+10");
    check_bound(1, 10, -4, "0.0001");
    check_bound(1, 10, -5, "1e-05");
    check_bound(524288, 10, 0, "524288.0");
    check_bound(1048576, 10, 0, "1.048576e+06");
    check_bound(1, 2, 20, "1.048576e+06");
    check_bound(3, 2, -1, "1.5");
    check_bound(UINT64_C(1) << 63, 10, 0, "9.223372036854776e+18");
    check_bound(1, 10, -64, "1e-64");
    check_bound(1, 2, -64, "5.421010862427522e-20");
    check_bound(UINT64_MAX, 10, 64, "1.8446744073709552e+83");
}

/* Whoever reads it has the double that is nearest to the bound. */
static void a_bound_is_its_double(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        char text[DECIMAL_MAX + 1], exact[64];
        uint64_t bound = (UINT64_C(1) << i) + i * i;

        snprintf(exact, sizeof(exact), "%llue-9", (unsigned long long)bound);
        *decimal_put_bound(text, bound, 10, -9) = '\0';
        assert_true(strtod(text, NULL) == strtod(exact, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_exact),       cmocka_unit_test(the_largest_scales_are_exact),
        cmocka_unit_test(scales_have_a_limit),    cmocka_unit_test(each_bound_of_the_kernel),
        cmocka_unit_test(bounds_of_other_scales), cmocka_unit_test(a_bound_is_its_double),
    };

    return cmocka_run_group_tests_name("decimals", tests, NULL, NULL);
}
