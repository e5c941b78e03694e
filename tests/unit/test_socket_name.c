/* SPDX-License-Identifier: MIT */
/* Names of directories made of names that strangers have chosen. */
#include "host/socket_name.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static void check(const char *vm_name, const char *expected)
{
    char name[SOCKET_NAME_MAX + 1];

    socket_name_make(vm_name, 0, SOCKET_NAME_MAX, name);
    assert_string_equal(name, expected);
}

static void plain_names_stay(void **state)
{
    (void)state;
    check("web1", "web1");
    check("my_vm-2.example.ORG", "my_vm-2.example.ORG");
    check("a..b", "a..b");
}

static void all_others_are_escaped(void **state)
{
    (void)state;
    check("../../etc", "_2e._2f.._2fetc");
    check(".", "_2e");
    check("..", "_2e.");
    check("qemu-1@2.3", "qemu-1_402.3");
    check("a\nb", "a_0ab");
    check("\xc3\xa4", "_c3_a4");
}

/* What was made by one name can't be what is made by another. */
static void an_escape_in_a_name_is_escaped(void **state)
{
    (void)state;
    check("a b", "a_20b");
    check("a_20b", "a_5f20b");
    check("a_5f20b", "a_5f5f20b");
    check("a_2Xb", "a_2Xb");
    check("a_2", "a_2");
    check("__20", "__5f20");
    check("_ ", "__20");
}

static void fill(char *text, size_t len)
{
    memset(text, 'x', len);
    text[len] = '\0';
}

static void a_long_name_is_cut(void **state)
{
    char vm_name[SOCKET_NAME_MAX + 3], name[SOCKET_NAME_MAX + 1], other[SOCKET_NAME_MAX + 1];

    (void)state;
    fill(vm_name, SOCKET_NAME_MAX);
    check(vm_name, vm_name);
    fill(vm_name, SOCKET_NAME_MAX + 1);
    socket_name_make(vm_name, 0, SOCKET_NAME_MAX, name);
    assert_int_equal(strlen(name), SOCKET_NAME_MAX);
    assert_int_equal(name[SOCKET_NAME_MAX - 17], '-');
    vm_name[SOCKET_NAME_MAX] = 'y';
    socket_name_make(vm_name, 0, SOCKET_NAME_MAX, other);
    assert_int_equal(strncmp(name, other, SOCKET_NAME_MAX - 16), 0);
    assert_string_not_equal(name, other);
}

static void no_escape_is_cut_in_two(void **state)
{
    char vm_name[SOCKET_NAME_MAX + 2], name[SOCKET_NAME_MAX + 1];

    (void)state;
    for (size_t before = 40; before < 50; before++) {
        fill(vm_name, SOCKET_NAME_MAX + 1);
        vm_name[before] = ' ';
        socket_name_make(vm_name, 0, SOCKET_NAME_MAX, name);
        assert_true(strlen(name) <= SOCKET_NAME_MAX);
        assert_int_equal(strspn(name, "x"), before < 47 ? before : 47);
        if (before + 3 <= 47)
            assert_int_equal(strncmp(name + before, "_20", 3), 0);
        else
            assert_int_equal(name[before < 47 ? before : 47], '-');
    }
}

static void a_shorter_path_makes_shorter_names(void **state)
{
    char name[SOCKET_NAME_MAX + 1];

    (void)state;
    socket_name_make("0123456789012345678901234", 0, SOCKET_NAME_MIN, name);
    assert_int_equal(strlen(name), SOCKET_NAME_MIN);
    assert_int_equal(strncmp(name, "0123456-", 8), 0);
}

static void a_taken_name_is_another_each_time(void **state)
{
    char names[3][SOCKET_NAME_MAX + 1];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        socket_name_make("web", i, SOCKET_NAME_MAX, names[i]);
    assert_string_equal(names[0], "web");
    assert_int_equal(strncmp(names[1], "web-", 4), 0);
    assert_int_equal(strlen(names[1]), 3 + 17);
    assert_string_not_equal(names[1], names[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_stay),
        cmocka_unit_test(all_others_are_escaped),
        cmocka_unit_test(an_escape_in_a_name_is_escaped),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(no_escape_is_cut_in_two),
        cmocka_unit_test(a_shorter_path_makes_shorter_names),
        cmocka_unit_test(a_taken_name_is_another_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
