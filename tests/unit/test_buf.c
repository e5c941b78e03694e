/* SPDX-License-Identifier: MIT */
/* The growing buffer. */
#include "base/buf.h"

#include "check.h"

static void an_empty_buffer_is_all_zeros(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_append(&buf, "", 0);
    buf_append(&buf, NULL, 0);
    assert_int_equal(buf.len, 0);
    buf_free(&buf);
    buf_free(&buf);
}

static void bytes_come_one_behind_the_other(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_append(&buf, "ab\0c", 4);
    buf_puts(&buf, "de");
    buf_printf(&buf, "%d%s", 42, "x");
    assert_int_equal(buf.len, 9);
    assert_memory_equal(buf.data, "ab\0cde42x", 9);
    buf_free(&buf);
}

static void a_buffer_grows(void **state)
{
    struct buf buf = {0};
    int i;

    (void)state;
    for (i = 0; i < 100000; i++)
        buf_printf(&buf, "%05d", i);
    assert_int_equal(buf.len, 500000);
    assert_memory_equal(buf.data + 5 * 77777, "77777", 5);
    assert_false(buf.failed);
    buf_free(&buf);
}

static void a_long_text_is_printed_whole(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_printf(&buf, "%0*d", 5000, 7);
    assert_int_equal(buf.len, 5000);
    assert_int_equal(buf.data[4999], '7');
    buf_free(&buf);
}

static void room_is_made_exactly_as_asked(void **state)
{
    struct buf buf = {0};

    (void)state;
    assert_true(buf_reserve(&buf, 0));
    assert_non_null(buf.data);
    assert_true(buf_reserve(&buf, 1000));
    assert_true(buf.cap >= 1000);
    assert_int_equal(buf.len, 0);
    buf_free(&buf);
}

static void a_size_that_can_not_be_is_a_failure(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_puts(&buf, "before");
    assert_false(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    assert_int_equal(buf.len, 6);
    buf_reset(&buf);
    assert_false(buf.failed);
    assert_int_equal(buf.len, 0);
    buf_puts(&buf, "after");
    assert_memory_equal(buf.data, "after", 5);
    buf_free(&buf);
}

static void a_reset_keeps_the_memory(void **state)
{
    struct buf buf = {0};
    size_t cap;

    (void)state;
    buf_printf(&buf, "%0*d", 5000, 7);
    cap = buf.cap;
    buf_reset(&buf);
    assert_int_equal(buf.cap, cap);
    buf_free(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.cap, 0);
}

static void a_bounded_buffer_takes_its_max_and_no_more(void **state)
{
    struct buf buf = {.max = 1000};

    (void)state;
    buf_printf(&buf, "%0*d", 990, 7);
    buf_append(&buf, "0123456789", 10);
    assert_int_equal(buf.len, 1000);
    assert_false(buf.failed);
    buf_append(&buf, "x", 1);
    assert_true(buf.failed && buf.full);
    assert_int_equal(buf.len, 1000);
    buf_reset(&buf);
    assert_false(buf.failed || buf.full);
    buf_free(&buf);
}

/* It is a mapping by then, and becomes a larger one. */
static void a_large_bounded_buffer_keeps_its_bytes(void **state)
{
    struct buf buf = {.max = 10 * 1000 * 1000};
    uint32_t i;

    (void)state;
    for (i = 0; i < buf.max / sizeof(i); i++)
        buf_append(&buf, &i, sizeof(i));
    assert_false(buf.failed);
    assert_true(buf.cap >= BUF_MAPPED && buf.cap <= buf.max);
    for (i = 0; i < buf.max / sizeof(i); i++)
        assert_memory_equal(buf.data + i * sizeof(i), &i, sizeof(i));
    buf_free(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.max, 10 * 1000 * 1000);
}

static void a_buffer_fits_its_bytes(void **state)
{
    struct buf small = {0}, large = {0}, mapped = {.max = 10 * BUF_MAPPED},
               *all[] = {&small, &large, &mapped};
    size_t len[] = {3, 1000 * 1000, BUF_MAPPED + 1}, i, j;

    (void)state;
    for (i = 0; i < N_ELEMENTS(all); i++) {
        for (j = 0; j < len[i]; j++)
            buf_append(all[i], &"abcdefg"[j % 7], 1);
        buf_fit(all[i], 2);
        assert_int_equal(all[i]->cap, len[i] + 2);
        buf_fit(all[i], 0);
        assert_int_equal(all[i]->cap, len[i]);
        buf_puts(all[i], "z"); /* it grows again */
        for (j = 0; j < len[i]; j++)
            assert_int_equal(all[i]->data[j], "abcdefg"[j % 7]);
        buf_free(all[i]);
    }
    buf_fit(&small, 1); /* which is empty */
    assert_null(small.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_all_zeros),
        cmocka_unit_test(bytes_come_one_behind_the_other),
        cmocka_unit_test(a_buffer_grows),
        cmocka_unit_test(a_long_text_is_printed_whole),
        cmocka_unit_test(room_is_made_exactly_as_asked),
        cmocka_unit_test(a_size_that_can_not_be_is_a_failure),
        cmocka_unit_test(a_reset_keeps_the_memory),
        cmocka_unit_test(a_bounded_buffer_takes_its_max_and_no_more),
        cmocka_unit_test(a_large_bounded_buffer_keeps_its_bytes),
        cmocka_unit_test(a_buffer_fits_its_bytes),
    };

    return cmocka_run_group_tests_name("buffers", tests, NULL, NULL);
}
