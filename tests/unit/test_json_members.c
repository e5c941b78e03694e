/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_members.h"
#include "check.h"

/* In one piece, and byte by byte. */
static void check_fit(const char *text, bool expected)
{
    struct json_members whole = {0}, piecewise = {0};
    bool fits = true;

    assert_int_equal(json_members_fit(&whole, text, strlen(text)), expected);
    for (const char *at = text; *at && fits; at++)
        fits = json_members_fit(&piecewise, at, 1);
    assert_int_equal(fits, expected);
}

/* @before {"0":0,"1":0,...} @behind, with @n members. */
static char *object_of(size_t n, const char *before, const char *behind)
{
    size_t size = strlen(before) + strlen(behind) + n * 16 + 3, i;
    char *text = malloc(size), *at = text;

    if (!text)
        abort();
    at += sprintf(at, "%s{", before);
    for (i = 0; i < n; i++)
        at += sprintf(at, "%s\"%zu\":0", i ? "," : "", i);
    sprintf(at, "}%s", behind);
    return text;
}

static void check_object(size_t n, const char *before, const char *behind, bool expected)
{
    char *text = object_of(n, before, behind);

    check_fit(text, expected);
    free(text);
}

static void an_object_may_have_256_members(void **state)
{
    (void)state;
    check_object(JSON_MEMBERS_MAX, "", "", true);
    check_object(JSON_MEMBERS_MAX + 1, "", "", false);
    check_object(JSON_MEMBERS_MAX, "{\"a\": [1, ", ", {\"b\": 0}], \"c\": {}}", true);
    check_object(JSON_MEMBERS_MAX + 1, "{\"a\": [1, ", "]}", false);
}

static void those_of_several_objects_are_not_added_up(void **state)
{
    char *object = object_of(JSON_MEMBERS_MAX, "", "");
    char *list = malloc(3 * strlen(object) + 8);

    (void)state;
    if (!list)
        abort();
    sprintf(list, "[%s,[%s],%s]", object, object, object);
    check_fit(list, true);
    free(list);
    free(object);
}

static void those_around_an_object_go_on_behind_it(void **state)
{
    char *inner = object_of(2, "", ""), *rest = object_of(JSON_MEMBERS_MAX - 1, "", "");
    char *text = malloc(strlen(inner) + strlen(rest) + 32);

    (void)state;
    if (!text)
        abort();
    sprintf(text, "{\"x\":%s,%s", inner, rest + 1);
    check_fit(text, true);
    sprintf(text, "{\"x\":%s,\"y\":[],%s", inner, rest + 1);
    check_fit(text, false);
    free(text);
    free(rest);
    free(inner);
}

static void colons_in_strings_are_none(void **state)
{
    char text[JSON_MEMBERS_MAX + 16] = "{\"\\\"";

    (void)state;
    memset(text + 4, ':', JSON_MEMBERS_MAX + 1);
    strcat(text, "\":1}");
    check_fit(text, true);
}

static void the_next_message_is_another_one(void **state)
{
    struct json_members members = {0};
    char *text = object_of(JSON_MEMBERS_MAX + 1, "{}", "");

    (void)state;
    assert_true(json_members_fit(&members, text, strlen(text)));
    free(text);
}

/* The parser refuses them; nothing is written behind the counts. */
static void deep_messages_are_no_danger(void **state)
{
    struct json_members members = {0};
    int i;

    (void)state;
    check_fit("]]]:::}", true);
    for (i = 0; i < 3 * JSON_MEMBERS_DEPTH; i++)
        assert_true(json_members_fit(&members, "{\"a\":", 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_may_have_256_members),
        cmocka_unit_test(those_of_several_objects_are_not_added_up),
        cmocka_unit_test(those_around_an_object_go_on_behind_it),
        cmocka_unit_test(colons_in_strings_are_none),
        cmocka_unit_test(the_next_message_is_another_one),
        cmocka_unit_test(deep_messages_are_no_danger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
