/* SPDX-License-Identifier: MIT */
/* UTF-8 as QEMU takes it. */
#include "base/unicode.h"

#include "check.h"

static void characters_are_valid(void **state)
{
    (void)state;
    assert_true(unicode_is_valid(0));
    assert_true(unicode_is_valid(0x7f));
    assert_true(unicode_is_valid(0xd7ff));
    assert_true(unicode_is_valid(0xe000));
    assert_true(unicode_is_valid(0xfdcf));
    assert_true(unicode_is_valid(0xfdf0));
    assert_true(unicode_is_valid(0xfffd));
    assert_true(unicode_is_valid(0x10000));
    assert_true(unicode_is_valid(0x10fffd));
}

static void surrogates_noncharacters_and_more_are_not(void **state)
{
    uint32_t plane;

    (void)state;
    assert_false(unicode_is_valid(0xd800));
    assert_false(unicode_is_valid(0xdbff));
    assert_false(unicode_is_valid(0xdc00));
    assert_false(unicode_is_valid(0xdfff));
    assert_false(unicode_is_valid(0xfdd0));
    assert_false(unicode_is_valid(0xfdef));
    for (plane = 0; plane <= 0x10; plane++) {
        assert_false(unicode_is_valid(plane << 16 | 0xfffe));
        assert_false(unicode_is_valid(plane << 16 | 0xffff));
    }
    assert_false(unicode_is_valid(0x110000));
    assert_false(unicode_is_valid(UINT32_MAX));
}

static void every_character_survives_a_round_trip(void **state)
{
    uint32_t code_point;

    (void)state;
    for (code_point = 0; code_point <= 0x10ffff; code_point++) {
        char bytes[UTF8_MAX + 1] = "";
        const char *text = bytes;
        size_t len;

        if (!unicode_is_valid(code_point))
            continue;
        len = utf8_encode(code_point, bytes);
        assert_int_equal(len, utf8_length((uint8_t)bytes[0]));
        assert_int_equal(utf8_decode(&text), code_point);
        assert_int_equal(text - bytes, len);
    }
}

static void a_nul_takes_two_bytes(void **state)
{
    char bytes[UTF8_MAX];

    (void)state;
    assert_int_equal(utf8_encode(0, bytes), 2);
    assert_memory_equal(bytes, "\xc0\x80", 2);
    assert_true(utf8_is_shortest(0, 2));
}

static void lengths_are_announced_by_the_first_byte(void **state)
{
    unsigned byte;

    (void)state;
    for (byte = 0; byte < 0x100; byte++) {
        size_t expected = byte < 0x80   ? 1
                          : byte < 0xc0 ? 0
                          : byte < 0xe0 ? 2
                          : byte < 0xf0 ? 3
                          : byte < 0xf8 ? 4
                                        : 0;

        assert_int_equal(utf8_length((uint8_t)byte), expected);
    }
}

static void no_character_may_take_more_bytes_than_it_needs(void **state)
{
    (void)state;
    assert_false(utf8_is_shortest(0x7f, 2));
    assert_true(utf8_is_shortest(0x80, 2));
    assert_false(utf8_is_shortest(0x7ff, 3));
    assert_true(utf8_is_shortest(0x800, 3));
    assert_false(utf8_is_shortest(0xffff, 4));
    assert_true(utf8_is_shortest(0x10000, 4));
    assert_false(utf8_is_shortest(0, 3));
    assert_false(utf8_is_shortest(0, 4));
    assert_false(utf8_is_shortest(0xd800, 3));
}

/* What is invalid costs one byte, so that the reader finds the next character. */
static void check_invalid(const char *bytes)
{
    const char *text = bytes;

    assert_int_equal(utf8_decode(&text), -1);
    assert_int_equal(text - bytes, 1);
}

static void invalid_bytes_are_passed_one_by_one(void **state)
{
    static const char *const inputs[] = {
        "\x80",  "\xbf",     "\xc1\xbf",    "\xe0\x80\x80", "\xed\xa0\x80",     "\xc2",
        "\xc2x", "\xe2\x82", "\xe2\x82x",   "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80",
        "\xfe",  "\xff",     "\xef\xbf\xbf"};
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(inputs); i++)
        check_invalid(inputs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_valid),
        cmocka_unit_test(surrogates_noncharacters_and_more_are_not),
        cmocka_unit_test(every_character_survives_a_round_trip),
        cmocka_unit_test(a_nul_takes_two_bytes),
        cmocka_unit_test(lengths_are_announced_by_the_first_byte),
        cmocka_unit_test(no_character_may_take_more_bytes_than_it_needs),
        cmocka_unit_test(invalid_bytes_are_passed_one_by_one),
    };

    return cmocka_run_group_tests_name("UTF-8", tests, NULL, NULL);
}
