/* SPDX-License-Identifier: MIT */
/* Commas that JSON does not have. */
#include "base/json_comma.h"

#include <string.h>

#include "check.h"

static void check(const char *text, const char *expected)
{
    size_t len = strlen(text), at = json_trailing_comma(text, len);

    assert_true(at <= len);
    assert_string_equal(text + at, expected);
}

static void a_comma_before_a_bracket_is_found(void **state)
{
    (void)state;
    check("[1,]", "]");
    check("{\"a\":1,}", "}");
    check("[1, \t\r\n]", "]");
    check("[[1,],2,]", "],2,]");
    check("[,]", "]");
    check("{\"a\":[],\"b\":{\"c\":\"x\",}}", "}}");
}

static void other_commas_are_not(void **state)
{
    (void)state;
    check("", "");
    check("[]", "");
    check("[1,2]", "");
    check("{\"a\":1,\"b\":[{},[]]}", "");
    check("[1,\"\"]", "");
    check(",", "");
}

static void what_is_in_a_string_is_no_comma(void **state)
{
    (void)state;
    check("[\",]\"]", "");
    check("[\"\\\",]\"]", "");
    check("[\"\\\\\",]", "]");
    check("[\"a\",\"]\"]", "");
}

static void a_string_without_an_end_has_all(void **state)
{
    (void)state;
    check("[\",]", "");
    check("[\"\\", "");
    check("\"", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comma_before_a_bracket_is_found),
        cmocka_unit_test(other_commas_are_not),
        cmocka_unit_test(what_is_in_a_string_is_no_comma),
        cmocka_unit_test(a_string_without_an_end_has_all),
    };

    return cmocka_run_group_tests_name("trailing commas", tests, NULL, NULL);
}
