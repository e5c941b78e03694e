/* SPDX-License-Identifier: MIT */
/* JSON as QEMU prints it. */
#include "base/json_write.h"
#include "qmp/json_value.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "check.h"

/* ---- a locale ------------------------------------------------------------------------------- */

static const char *decimal_point = ".";

static unsigned n_printed;

/*
 * Stand for snprintf() in the library, and for what _FORTIFY_SOURCE makes of it: what it prints in a
 * locale with this decimal point. No such locale need be installed.
 */
int __wrap_snprintf(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int __wrap___snprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static int print_in_locale(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static int print_in_locale(char *out, size_t size, const char *format, va_list args)
{
    char text[256], *point;
    int len = vsnprintf(text, sizeof(text), format, args);

    n_printed++;
    assert_true(len >= 0 && (size_t)len < sizeof(text));
    assert_true((size_t)len + strlen(decimal_point) < size);
    point = strchr(text, '.');
    if (point)
        *point++ = '\0';
    strcpy(out, text);
    if (point)
        strcat(strcat(out, decimal_point), point);
    return (int)strlen(out);
}

int __wrap_snprintf(char *out, size_t size, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = print_in_locale(out, size, format, args);
    va_end(args);
    return len;
}

int __wrap___snprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, ...)
{
    va_list args;
    int len;

    (void)flag, (void)room;
    va_start(args, format);
    len = print_in_locale(out, size, format, args);
    va_end(args);
    return len;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static void check_u64(uint64_t value)
{
    char expected[32], text[U64_DIGITS_MAX + 1];

    memset(text, '#', sizeof(text));
    snprintf(expected, sizeof(expected), "%" PRIu64, value);
    *u64_to_text(text, value) = '\0';
    assert_string_equal(text, expected);
}

static void numbers_of_every_length_are_printed(void **state)
{
    uint64_t power = 1;
    int i;

    (void)state;
    for (i = 0; i < 20; i++, power *= 10) {
        check_u64(power - 1);
        check_u64(power);
        check_u64(power + 1);
        check_u64(power * 9 / 2);
    }
    for (i = 0; i < 64; i++) {
        check_u64((uint64_t)1 << i);
        check_u64(((uint64_t)1 << i) - 1);
    }
    check_u64(UINT64_MAX - 1);
    check_u64(UINT64_MAX);
}

static void small_numbers_are_printed(void **state)
{
    uint64_t value;

    (void)state;
    for (value = 0; value < 20000; value++)
        check_u64(value);
}

static void a_number_writes_nothing_behind_itself(void **state)
{
    char text[] = "0123456789";

    (void)state;
    assert_ptr_equal(u64_to_text(text, 99), text + 2);
    assert_string_equal(text, "9923456789");
    assert_ptr_equal(u64_to_text(text, 100), text + 3);
    assert_string_equal(text, "1003456789");
}

static void put_i64(int64_t value, const char *expected)
{
    struct buf buf = {0};

    json_put_i64(&buf, value);
    buf_append(&buf, "", 1);
    assert_string_equal(buf.data, expected);
    buf_free(&buf);
}

static void signed_numbers_are_printed(void **state)
{
    (void)state;
    put_i64(0, "0");
    put_i64(-1, "-1");
    put_i64(INT64_MAX, "9223372036854775807");
    put_i64(INT64_MIN, "-9223372036854775808");
}

/* ---- strings -------------------------------------------------------------------------------- */

static void put_string(const char *text, const char *expected)
{
    struct buf buf = {0};

    json_put_string(&buf, text);
    buf_append(&buf, "", 1);
    assert_string_equal(buf.data, expected);
    buf_free(&buf);
}

static void plain_text_is_printed_as_it_is(void **state)
{
    (void)state;
    put_string("", "\"\"");
    put_string("a/b 'c' [0]~", "\"a/b 'c' [0]~\"");
}

static void what_is_not_plain_is_escaped(void **state)
{
    (void)state;
    put_string("\"\\", "\"\\\"\\\\\"");
    put_string("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
    put_string("\x01\x1f\x7f", "\"\\u0001\\u001F\\u007F\"");
    put_string("\xc3\xa4\xe2\x82\xac", "\"\\u00E4\\u20AC\"");
    put_string("\xf0\x9f\x98\x80", "\"\\uD83D\\uDE00\"");
    put_string("\xf4\x8f\xbf\xbd", "\"\\uDBFF\\uDFFD\"");
    put_string("a\xc0\x80z", "\"a\\u0000z\"");
}

static void invalid_bytes_are_replaced(void **state)
{
    (void)state;
    put_string("a\xffz", "\"a\\uFFFDz\"");
    put_string("\xe2\x82", "\"\\uFFFD\\uFFFD\"");
    put_string("\xed\xa0\x80!", "\"\\uFFFD\\uFFFD\\uFFFD!\"");
}

/* ---- values --------------------------------------------------------------------------------- */

static void put_value(const char *json, const char *expected)
{
    struct json_object *value = json_tokener_parse(json);
    struct buf buf = {0};

    json_put_value(&buf, value);
    buf_append(&buf, "", 1);
    assert_string_equal(buf.data, expected);
    buf_free(&buf);
    json_object_put(value);
}

static void values_are_printed(void **state)
{
    (void)state;
    put_value("null", "null");
    put_value("true", "true");
    put_value("false", "false");
    put_value("\"a\\u0001\"", "\"a\\u0001\"");
    put_value("[]", "[]");
    put_value("{}", "{}");
    put_value("[1,[2],{}]", "[1, [2], {}]");
    put_value("{\"a\":{\"b\":[null]}}", "{\"a\": {\"b\": [null]}}");
}

static void integers_are_exact(void **state)
{
    (void)state;
    put_value("0", "0");
    put_value("-0", "0");
    put_value("-1", "-1");
    put_value("9007199254740993", "9007199254740993");
    put_value("9223372036854775807", "9223372036854775807");
    put_value("9223372036854775808", "9223372036854775808");
    put_value("18446744073709551615", "18446744073709551615");
    put_value("-9223372036854775808", "-9223372036854775808");
}

static void doubles_have_17_digits(void **state)
{
    (void)state;
    put_value("0.1", "0.10000000000000001");
    put_value("1.0", "1");
    put_value("-0.0", "-0");
    put_value("1.5", "1.5");
    put_value("1e5", "100000");
    put_value("1e300", "1.0000000000000001e+300");
    put_value("1e-300", "1e-300");
    put_value("18446744073709551616.0", "1.8446744073709552e+19");
    put_value("-2.5e-7", "-2.4999999999999999e-07");
}

/* The locale is the VMM's business: whatever it has for a decimal point, JSON has a point. */
static void doubles_have_a_point_in_any_locale(void **state)
{
    static const char *const points[] = {",", "\xd9\xab", "'"};
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(points); i++) {
        decimal_point = points[i];
        n_printed = 0;
        put_value("[1.5, -2.5e-7, 100.0, 1e300]",
                  "[1.5, -2.4999999999999999e-07, 100, 1.0000000000000001e+300]");
        assert_true(n_printed >= 4);
    }
    decimal_point = ".";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_length_are_printed),
        cmocka_unit_test(small_numbers_are_printed),
        cmocka_unit_test(a_number_writes_nothing_behind_itself),
        cmocka_unit_test(signed_numbers_are_printed),
        cmocka_unit_test(plain_text_is_printed_as_it_is),
        cmocka_unit_test(what_is_not_plain_is_escaped),
        cmocka_unit_test(invalid_bytes_are_replaced),
        cmocka_unit_test(values_are_printed),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(doubles_have_17_digits),
        cmocka_unit_test(doubles_have_a_point_in_any_locale),
    };

    return cmocka_run_group_tests_name("writing JSON", tests, NULL, NULL);
}
