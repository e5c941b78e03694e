/* SPDX-License-Identifier: MIT */
/* Records in their three forms. */
#include "show/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void put_vm(struct record_writer *to, const char *name, uint64_t n_vcpus, const char *path)
{
    record_begin(to);
    record_text(to, "vm", "VM", name);
    record_text(to, "socket", NULL, path);
    record_u64(to, "vcpus", "VCPUS", n_vcpus);
    record_absent(to, "pid", NULL);
    record_bool(to, "live", NULL, true);
    record_text(to, NULL, "SOCKET", path);
    record_end(to);
}

static void put_two(struct record_writer *to)
{
    put_vm(to, NULL, 1, "/a,b");
    put_vm(to, "x\"y", 20, "/c");
}

static void put_blank(struct record_writer *to)
{
    if (record_begin_blank(to)) {
        record_text(to, "vm", "VM", "none");
        record_u64(to, "vcpus", "VCPUS", 0);
        record_end(to);
    }
}

static void put_nested(struct record_writer *to)
{
    record_begin(to);
    record_list(to, "buckets");
    for (uint64_t i = 0; i < 2; i++) {
        record_begin(to);
        record_u64(to, "lower", NULL, i);
        record_end(to);
    }
    record_list_end(to);
    record_values(to, "values", (const uint64_t[]){3, 4}, 2);
    record_null(to, "upper", NULL);
    record_end(to);
}

/* What one output prints. */
static void check(enum output_format format, bool has_legend, void (*put)(struct record_writer *to),
                  const char *expected)
{
    struct record_writer to = {.format = format, .has_legend = has_legend};
    FILE *before = stdout;
    char *text;
    size_t len;

    stdout = open_memstream(&text, &len);
    assert_non_null(stdout);
    record_open(&to);
    record_number(&to, "time", NULL, "%.1f", 1.5);
    record_list(&to, "vms");
    put(&to);
    record_close(&to);
    record_free(&to);
    fclose(stdout);
    stdout = before;
    assert_string_equal(text, expected);
    free(text);
}

static void each_form_has_its_fields(void **state)
{
    (void)state;
    check(OUTPUT_TABLE, true, put_two, "VM   VCPUS  SOCKET\n         1  /a,b\nx\"y     20  /c\n");
    check(OUTPUT_CSV, true, put_two,
          "vm,socket,vcpus,pid,live\n,\"/a,b\",1,,1\n\"x\"\"y\",/c,20,,1\n");
    check(OUTPUT_JSON, true, put_two,
          "{\"schema_version\": 1, \"time\": 1.5, \"vms\": ["
          "{\"vm\": null, \"socket\": \"/a,b\", \"vcpus\": 1, \"live\": true}, "
          "{\"vm\": \"x\\\"y\", \"socket\": \"/c\", \"vcpus\": 20, \"live\": true}]}\n");
}

static void titles_can_be_left_out(void **state)
{
    (void)state;
    check(OUTPUT_TABLE, false, put_two, "      1  /a,b\nx\"y  20  /c\n");
    check(OUTPUT_CSV, false, put_two, ",\"/a,b\",1,,1\n\"x\"\"y\",/c,20,,1\n");
}

static void an_output_without_records_has_titles(void **state)
{
    (void)state;
    check(OUTPUT_TABLE, true, put_blank, "VM  VCPUS\n");
    check(OUTPUT_TABLE, false, put_blank, "");
    check(OUTPUT_CSV, true, put_blank, "vm,vcpus\n");
    check(OUTPUT_CSV, false, put_blank, "");
    check(OUTPUT_JSON, true, put_blank, "{\"schema_version\": 1, \"time\": 1.5, \"vms\": []}\n");
}

static void lists_stand_in_records(void **state)
{
    (void)state;
    check(OUTPUT_JSON, true, put_nested,
          "{\"schema_version\": 1, \"time\": 1.5, \"vms\": [{\"buckets\": [{\"lower\": 0}, "
          "{\"lower\": 1}], \"values\": [3, 4], \"upper\": null}]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_has_its_fields),
        cmocka_unit_test(titles_can_be_left_out),
        cmocka_unit_test(an_output_without_records_has_titles),
        cmocka_unit_test(lists_stand_in_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
