/* SPDX-License-Identifier: MIT */
/* Structs of callers that were built with an older or a newer header. */
#include <stdlib.h>

#include "base/sized.h"
#include "check.h"

struct thing {
    size_t size;
    uint64_t needed;
    uint32_t a, b;
    uint64_t appended;
};

/* Of a later release. */
struct newer_thing {
    struct thing thing;
    uint64_t unknown[2];
};

static const struct sized sized = SIZED("take_thing", struct thing, needed);

static const struct newer_thing full = {
    .thing = {.needed = 1, .a = 2, .b = 3, .appended = 4},
};

enum { LEAST = offsetof(struct thing, a) };

/* Takes a copy of the first @size bytes of @thing that has no byte more. */
static int take(struct newer_thing thing, size_t size, struct thing *ret, struct error_text *error)
{
    void *given = malloc(size);
    int err;

    assert_non_null(given);
    thing.thing.size = size;
    memcpy(given, &thing, size);
    err = sized_take(&sized, given, ret, error);
    free(given);
    return err;
}

static void our_own_size_is_taken(void **state)
{
    struct thing thing;

    (void)state;
    check_ok(take(full, sizeof(struct thing), &thing, NULL));
    assert_int_equal(thing.size, sizeof(struct thing));
    assert_int_equal(thing.needed, 1);
    assert_int_equal(thing.b, 3);
    assert_int_equal(thing.appended, 4);
}

static void members_that_an_older_caller_lacks_are_0(void **state)
{
    struct thing thing;

    (void)state;
    memset(&thing, 0xff, sizeof(thing));
    check_ok(take(full, offsetof(struct thing, appended), &thing, NULL));
    assert_int_equal(thing.b, 3);
    assert_int_equal(thing.appended, 0);
    memset(&thing, 0xff, sizeof(thing));
    check_ok(take(full, LEAST, &thing, NULL));
    assert_int_equal(thing.needed, 1);
    assert_int_equal(thing.a, 0);
    assert_int_equal(thing.b, 0);
    assert_int_equal(thing.appended, 0);
}

static void what_is_needed_must_be_there(void **state)
{
    struct thing thing = {.needed = 9};
    struct error_text error;

    (void)state;
    check_error(take(full, LEAST - 8, &thing, &error), EINVAL);
    assert_string_equal(error.text,
                        "size of the struct thing for take_thing() is 8, must be at least 16");
    check_error(take(full, LEAST - 1, &thing, NULL), EINVAL);
    assert_int_equal(thing.needed, 9);
}

static void a_size_that_cuts_a_member_is_refused(void **state)
{
    struct thing thing;
    struct error_text error;
    size_t size;

    (void)state;
    for (size = LEAST; size <= sizeof(struct newer_thing); size++)
        assert_int_equal(take(full, size, &thing, NULL), size % 8 ? -EINVAL : 0);
    check_error(take(full, 33, &thing, &error), EINVAL);
    assert_string_equal(error.text,
                        "size of the struct thing for take_thing() is 33, must be a multiple of 8");
}

static void members_that_are_not_known_must_be_0(void **state)
{
    struct thing thing = {.needed = 9};
    size_t i;

    (void)state;
    check_ok(take(full, sizeof(struct newer_thing), &thing, NULL));
    for (i = sizeof(struct thing); i < sizeof(struct newer_thing); i++) {
        struct newer_thing newer = full;

        ((char *)&newer)[i] = 1;
        thing.needed = 9;
        check_error(take(newer, sizeof(newer), &thing, NULL), E2BIG);
        assert_int_equal(thing.needed, 9);
    }
}

static void the_first_unknown_byte_is_named(void **state)
{
    struct newer_thing newer = full;
    struct error_text error;
    struct thing thing;

    (void)state;
    ((unsigned char *)newer.unknown)[9] = 0xab;
    ((unsigned char *)newer.unknown)[10] = 0xcd;
    check_error(take(newer, sizeof(newer), &thing, &error), E2BIG);
    assert_string_equal(error.text, "byte 41 of the struct thing for take_thing() is 0xab, must be "
                                    "0: this library knows 32 bytes");
}

static void a_size_has_a_limit(void **state)
{
    static const union {
        struct thing thing;
        char bytes[SIZED_MAX + 8];
    } huge = {.thing = {.needed = 1}};
    struct error_text error;

    (void)state;
    check_ok(sized_check(&sized, &huge, SIZED_MAX, NULL));
    check_error(sized_check(&sized, &huge, SIZED_MAX + 1, &error), E2BIG);
    assert_string_equal(error.text,
                        "size of the struct thing for take_thing() is 4097, must be at most 4096");
    check_error(sized_check(&sized, &huge, SIZE_MAX, NULL), E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_size_is_taken),
        cmocka_unit_test(members_that_an_older_caller_lacks_are_0),
        cmocka_unit_test(what_is_needed_must_be_there),
        cmocka_unit_test(a_size_that_cuts_a_member_is_refused),
        cmocka_unit_test(members_that_are_not_known_must_be_0),
        cmocka_unit_test(the_first_unknown_byte_is_named),
        cmocka_unit_test(a_size_has_a_limit),
    };

    return cmocka_run_group_tests_name("structs with a size", tests, NULL, NULL);
}
