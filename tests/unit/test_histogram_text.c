/* SPDX-License-Identifier: MIT */
/* Histograms as text. */
#include "show/histogram_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "show/output.h"

static const struct vitals_stat log2_ns = {
    .type = VITALS_LOG_HIST, .unit = VITALS_SECONDS, .base = 10, .exponent = -9};
static const struct vitals_stat linear = {
    .type = VITALS_LINEAR_HIST, .unit = VITALS_NONE, .base = 10, .bucket_size = 10};

static void check_text(const struct vitals_stat *stat, const uint64_t *values, size_t n,
                       size_t width, bool is_utf8, const char *expected)
{
    struct buf out = {0};

    histogram_text_put(&out, stat, values, n, width, is_utf8);
    buf_append(&out, "", 1);
    assert_string_equal(out.data, expected);
    buf_free(&out);
}

static void an_empty_histogram_has_no_lines(void **state)
{
    (void)state;
    check_text(&linear, (const uint64_t[3]){0}, 3, 80, true, "");
    check_text(&linear, (const uint64_t[1]){0}, 0, 80, true, "");
}

static void empty_ends_are_left_out(void **state)
{
    (void)state;
    check_text(&linear, (const uint64_t[]){0, 2, 0, 2, 0}, 5, 44, false,
               "  10 - 20  2   50.0 %  #####################\n"
               "  20 - 30  0    0.0 %\n"
               "  30 - 40  2   50.0 %  #####################\n");
}

static void bars_end_in_eighths(void **state)
{
    (void)state;
    check_text(&linear, (const uint64_t[]){16, 1, 9}, 3, 25, true,
               "   0 - 10  16   61.5 %  █\n"
               "  10 - 20   1    3.8 %  ▏\n"
               "    >= 20   9   34.6 %  ▋\n");
}

static void bounds_are_in_units_of_people(void **state)
{
    uint64_t values[32] = {[0] = 1, [11] = 1, [31] = 1};
    struct buf out = {0};

    (void)state;
    histogram_text_put(&out, &log2_ns, values, 32, 80, false);
    buf_append(&out, "", 1);
    assert_non_null(strstr(out.data, " 0 s  1   33.3 %  #"));
    assert_non_null(strstr(out.data, "\n  1.024 us - 2.048 us  1   33.3 %  #"));
    assert_non_null(strstr(out.data, " >= 1.074 s  1   33.3 %  #"));
    buf_free(&out);
}

static void the_largest_counts_fit(void **state)
{
    (void)state;
    check_text(&linear, (const uint64_t[]){UINT64_MAX}, 1, 20, false,
               "  >= 0  18446744073709551615  100.0 %\n");
}

static void percentiles_name_the_bucket(void **state)
{
    const uint64_t values[] = {50, 40, 9, 1};
    struct buf out = {0};

    (void)state;
    histogram_text_put_percentiles(&out, &linear, values, 4);
    buf_append(&out, "", 1);
    assert_string_equal(out.data, "p50 0 - 10, p90 10 - 20, p99 20 - 30");
    buf_reset(&out);
    histogram_text_put_percentiles(&out, &linear, (const uint64_t[2]){0}, 2);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static void check_short(const struct vitals_stat *stat, const uint64_t *values, size_t n,
                        const char *expected)
{
    struct buf out = {0};

    histogram_text_put_short_percentiles(&out, stat, values, n);
    buf_append(&out, "", 1);
    assert_string_equal(out.data, expected);
    buf_free(&out);
}

/* By the bound that they are below, so that three fit into a line. */
static void percentiles_in_short(void **state)
{
    uint64_t values[32] = {0};

    (void)state;
    check_short(&linear, values, 4, "");
    check_short(&linear, (const uint64_t[]){50, 40, 9, 1}, 4, "p50 <10 p90 <20 p99 <30");
    check_short(&linear, (const uint64_t[]){0, 0, 0, 1}, 4, "p50 >=30 p90 >=30 p99 >=30");
    values[0] = values[24] = values[25] = 40;
    check_short(&log2_ns, values, 32, "p50 <17ms p90 <34ms p99 <34ms");
    values[0] = 1000;
    check_short(&log2_ns, values, 32, "p50 0 p90 0 p99 <34ms");
    values[11] = 10000;
    check_short(&log2_ns, values, 32, "p50 <2.0us p90 <2.0us p99 <2.0us");
    values[31] = 1000000;
    check_short(&log2_ns, values, 32, "p50 >=1.1s p90 >=1.1s p99 >=1.1s");
}

static void check_quantity(const struct vitals_stat *stat, double raw, const char *expected)
{
    char text[QUANTITY_MAX];

    quantity_text(text, stat, raw);
    assert_string_equal(text, expected);
}

/* No VM has them, but a peer can claim them. */
static void quantities_out_of_this_world(void **state)
{
    const struct vitals_stat plain = {.base = 10};
    const struct vitals_stat huge = {.base = 10, .exponent = INT16_MAX};
    const struct vitals_stat bytes = {.base = 10, .exponent = 100, .unit = VITALS_BYTES};
    const struct vitals_stat tiny = {.base = 10, .exponent = INT16_MIN, .unit = VITALS_SECONDS};

    (void)state;
    check_quantity(&plain, 18446744073709551615.0, "18446744073709551616");
    check_quantity(&plain, 1e20, "1e+20");
    check_quantity(&huge, 0, "0");
    check_quantity(&huge, 1, "inf");
    check_quantity(&bytes, 1, "8.674e+81 EiB");
    check_quantity(&tiny, 1, "0 ns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_has_no_lines),
        cmocka_unit_test(empty_ends_are_left_out),
        cmocka_unit_test(bars_end_in_eighths),
        cmocka_unit_test(bounds_are_in_units_of_people),
        cmocka_unit_test(the_largest_counts_fit),
        cmocka_unit_test(percentiles_name_the_bucket),
        cmocka_unit_test(percentiles_in_short),
        cmocka_unit_test(quantities_out_of_this_world),
    };

    return cmocka_run_group_tests_name("histograms as text", tests, NULL, NULL);
}
