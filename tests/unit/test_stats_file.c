/* SPDX-License-Identifier: MIT */
/*
 * Reading the kernel's statistics file: what the kernel's own selftest asks of one, over recorded and
 * built files; then every way in which one can be broken. Files have exactly their size in memory,
 * so that the address sanitizer sees a read past the end.
 */
#include "kvm/stats_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "stats/schema.h"
#include "stats_file_builder.h"

/* A file as the library sees it. */
struct parsed {
    struct kvm_stats_file file;
    struct vitals_stat *stats;
    uint32_t n_stats;
    char first_left_out[ERROR_TEXT_MAX];
};

static int parse(const struct built_file *built, struct parsed *parsed)
{
    struct error_text error = {""};
    int err = kvm_stats_file_parse(built->bytes, built->size, &error, &parsed->file);

    if (err)
        return err;
    parsed->stats = calloc(parsed->file.n_descriptors + 1, sizeof(*parsed->stats));
    parsed->n_stats = kvm_stats_file_describe(&parsed->file, parsed->stats, &error);
    snprintf(parsed->first_left_out, sizeof(parsed->first_left_out), "%s", error.text);
    return 0;
}

static void free_parsed(struct parsed *parsed)
{
    free(parsed->stats);
}

/* Parses a copy of just its size. */
static int parse_copy(const struct built_file *built, size_t size)
{
    struct built_file copy = copy_file(built, size);
    struct parsed parsed;
    int err = parse(&copy, &parsed);

    if (!err)
        free_parsed(&parsed);
    free_file(&copy);
    return err;
}

static struct built_file build_one(struct plan_stat stat)
{
    const struct plan plan = {.stats = &stat, .n_stats = 1};

    return build_file(&plan);
}

/* ---- what the kernel's selftest asserts ----------------------------------------------------- */

static void check_header(const struct built_file *built)
{
    const char *id = (const char *)built->bytes + file_get32(built, HEADER_ID_OFFSET);

    assert_true(built->size >= HEADER_SIZE);
    assert_true(strnlen(id, file_get32(built, HEADER_NAME_SIZE)) <
                file_get32(built, HEADER_NAME_SIZE));
    assert_int_equal(strncmp(id, "kvm", 3), 0);
    assert_true(file_get32(built, HEADER_DESC_OFFSET) >= HEADER_SIZE);
    assert_true(file_get32(built, HEADER_DATA_OFFSET) >= HEADER_SIZE);
}

static void check_exponent(const struct vitals_stat *stat)
{
    switch (stat->unit) {
    case VITALS_SECONDS:
        assert_true(stat->exponent <= 0);
        break;
    case VITALS_BOOLEAN:
        assert_int_equal(stat->exponent, 0);
        break;
    default:
        assert_true(stat->exponent >= 0);
    }
}

static void check_stat(const struct parsed *parsed, const struct vitals_stat *stat)
{
    assert_true(strlen(stat->name) > 0 && strlen(stat->name) < parsed->file.name_size);
    assert_true(stat->type <= VITALS_LOG_HIST);
    assert_true(stat->unit <= VITALS_BOOLEAN);
    assert_true(stat->base == 10 || stat->base == 2);
    assert_int_not_equal(stat->count, 0);
    assert_true((stat->bucket_size != 0) == (stat->type == VITALS_LINEAR_HIST));
    assert_true(stat->slot + stat->count <= parsed->file.row_len);
    check_exponent(stat);
}

/* Each statistic's slice is where its descriptor says. */
static void check_slice(const struct built_file *built, const struct parsed *parsed, uint32_t i)
{
    size_t at = descriptor_at(built, i);
    const struct vitals_stat *stat = &parsed->stats[i];

    assert_string_equal(stat->name, (const char *)built->bytes + at + DESC_NAME);
    assert_int_equal(stat->slot * 8, file_get32(built, at + DESC_OFFSET));
    assert_int_equal(stat->count, file_get32(built, at + DESC_EXPONENT) >> 16);
    assert_int_equal((uint16_t)stat->exponent, file_get32(built, at + DESC_EXPONENT) & 0xffff);
}

static void check_as_the_selftest(const struct built_file *built, uint32_t expected)
{
    struct parsed parsed;
    uint32_t i;

    check_header(built);
    check_ok(parse(built, &parsed));
    assert_int_equal(parsed.n_stats, expected);
    assert_int_equal(parsed.file.n_left_out, 0);
    assert_int_equal(parsed.file.data_offset, file_get32(built, HEADER_DATA_OFFSET));
    assert_true(parsed.file.row_len >= parsed.n_stats);
    for (i = 0; i < parsed.n_stats; i++) {
        check_stat(&parsed, &parsed.stats[i]);
        check_slice(built, &parsed, i);
    }
    free_parsed(&parsed);
}

static const struct plan_stat all_kinds[] = {
    {.name = "exits", .slot = 0, .first = 100},
    {.name = "guest_mode", .flags = FILE_INSTANT, .slot = 1, .first = 1},
    {.name = "max_collisions", .flags = FILE_PEAK, .slot = 3, .first = 30},
    {.name = "max_rmap_size", .flags = FILE_PEAK, .slot = 2, .first = 20},
    {.name = "dirty", .flags = FILE_INSTANT | FILE_BYTES | FILE_POW2, .exponent = 12, .slot = 4},
    {.name = "waited", .flags = FILE_SECONDS, .exponent = -9, .slot = 5, .first = 5},
    {.name = "cycles", .flags = FILE_CYCLES, .exponent = 3, .slot = 6, .first = 6},
    {.name = "seen", .flags = FILE_PEAK | FILE_BOOLEAN, .slot = 7, .first = 1},
    {.name = "vmx_exits", .flags = FILE_LINEAR_HIST, .size = 4, .bucket_size = 1, .slot = 40},
    {.name = "waits", .flags = FILE_LOG_HIST | FILE_SECONDS, .exponent = -9, .size = 32, .slot = 8},
    {.name = "on_off",
     .flags = FILE_LINEAR_HIST | FILE_BOOLEAN,
     .size = 2,
     .bucket_size = 1,
     .slot = 44},
};

static void recorded_files_pass_the_selftest(void **state)
{
    struct built_file vm = load_recorded("vm.stats"), vcpu = load_recorded("vcpu.stats");

    (void)state;
    check_as_the_selftest(&vm, 15);
    check_as_the_selftest(&vcpu, 45);
    free_file(&vm);
    free_file(&vcpu);
}

static void the_recorded_values_fill_the_files(void **state)
{
    struct built_file vm = load_recorded("vm.stats"), vcpu = load_recorded("vcpu.stats");
    struct parsed parsed;

    (void)state;
    check_ok(parse(&vm, &parsed));
    assert_int_equal(parsed.file.data_offset + 8 * parsed.file.row_len, vm.size);
    assert_int_equal(parsed.file.row_len, 120 / 8);
    free_parsed(&parsed);
    check_ok(parse(&vcpu, &parsed));
    assert_int_equal(parsed.file.data_offset + 8 * parsed.file.row_len, vcpu.size);
    assert_int_equal(parsed.file.row_len, 1104 / 8);
    free_parsed(&parsed);
    free_file(&vm);
    free_file(&vcpu);
}

static void every_order_of_blocks_passes_the_selftest(void **state)
{
    static const char *const orders[] = {"idv", "ivd", "div", "dvi", "vid", "vdi"};
    static const uint32_t gaps[] = {0, 8, 64, 4096};
    size_t i, j;

    (void)state;
    for (i = 0; i < N_ELEMENTS(orders); i++) {
        for (j = 0; j < N_ELEMENTS(gaps); j++) {
            const struct plan plan = {.stats = all_kinds,
                                      .n_stats = N_ELEMENTS(all_kinds),
                                      .order = orders[i],
                                      .gap = gaps[j]};
            struct built_file file = build_file(&plan);

            check_as_the_selftest(&file, N_ELEMENTS(all_kinds));
            free_file(&file);
        }
    }
}

static void every_size_of_names_passes_the_selftest(void **state)
{
    static const uint32_t sizes[] = {16, 17, 24, 47, 49, 64, 1000, KVM_NAME_SIZE_MAX};
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(sizes); i++) {
        const struct plan plan = {.stats = all_kinds,
                                  .n_stats = N_ELEMENTS(all_kinds),
                                  .name_size = sizes[i],
                                  .id = "kvm-1"};
        struct built_file file = build_file(&plan);

        check_as_the_selftest(&file, N_ELEMENTS(all_kinds));
        free_file(&file);
    }
}

/* ---- descriptions --------------------------------------------------------------------------- */

static void all_kinds_are_described(void **state)
{
    const struct plan plan = {.stats = all_kinds, .n_stats = N_ELEMENTS(all_kinds)};
    struct built_file file = build_file(&plan);
    struct parsed parsed;

    (void)state;
    check_ok(parse(&file, &parsed));
    assert_int_equal(parsed.stats[1].type, VITALS_INSTANT);
    assert_int_equal(parsed.stats[2].type, VITALS_PEAK);
    assert_int_equal(parsed.stats[2].slot, 3); /* not in the order of the descriptors */
    assert_int_equal(parsed.stats[3].slot, 2);
    assert_int_equal(parsed.stats[4].unit, VITALS_BYTES);
    assert_int_equal(parsed.stats[4].base, 2);
    assert_int_equal(parsed.stats[4].exponent, 12);
    assert_int_equal(parsed.stats[5].unit, VITALS_SECONDS);
    assert_int_equal(parsed.stats[5].base, 10);
    assert_int_equal(parsed.stats[5].exponent, -9);
    assert_int_equal(parsed.stats[6].unit, VITALS_CYCLES);
    assert_int_equal(parsed.stats[7].unit, VITALS_BOOLEAN);
    assert_int_equal(parsed.stats[8].type, VITALS_LINEAR_HIST);
    assert_int_equal(parsed.stats[8].bucket_size, 1);
    assert_int_equal(parsed.stats[8].count, 4);
    assert_int_equal(parsed.stats[9].type, VITALS_LOG_HIST);
    assert_int_equal(parsed.stats[9].count, 32);
    assert_int_equal(parsed.stats[9].bucket_size, 0);
    assert_int_equal(parsed.file.row_len, 46);
    free_parsed(&parsed);
    free_file(&file);
}

static void a_file_without_statistics_is_a_file(void **state)
{
    static const char *const orders[] = {"idv", "vdi"};
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(orders); i++) {
        const struct plan plan = {.order = orders[i]};
        struct built_file file = build_file(&plan);
        struct parsed parsed;

        check_ok(parse(&file, &parsed));
        assert_int_equal(parsed.n_stats, 0);
        assert_int_equal(parsed.file.row_len, 0);
        free_parsed(&parsed);
        free_file(&file);
    }
}

static void flags_that_are_not_known_yet_are_ignored(void **state)
{
    const struct plan plan = {
        .stats = all_kinds, .n_stats = N_ELEMENTS(all_kinds), .flags = UINT32_MAX};
    struct built_file file = build_file(&plan);
    uint32_t i;

    (void)state;
    check_as_the_selftest(&file, N_ELEMENTS(all_kinds));
    for (i = 0; i < N_ELEMENTS(all_kinds); i++)
        file_set32(&file, descriptor_at(&file, i), all_kinds[i].flags | 0xfffff000);
    check_as_the_selftest(&file, N_ELEMENTS(all_kinds));
    free_file(&file);
}

static void a_width_where_there_are_no_linear_buckets_is_ignored(void **state)
{
    struct built_file file = build_one((struct plan_stat){.name = "exits", .bucket_size = 7});
    struct parsed parsed;

    (void)state;
    check_ok(parse(&file, &parsed));
    assert_int_equal(parsed.n_stats, 1);
    assert_int_equal(parsed.stats[0].bucket_size, 0);
    free_parsed(&parsed);
    free_file(&file);
}

/* ---- what is left out ----------------------------------------------------------------------- */

static const struct plan_stat meaningless[] = {
    {.name = "type_5", .flags = 0x5},
    {.name = "type_15", .flags = 0xf},
    {.name = "unit_5", .flags = 0x50},
    {.name = "unit_15", .flags = 0xf0},
    {.name = "base_2", .flags = 0x200},
    {.name = "base_15", .flags = 0xf00},
    {.name = "two_values", .flags = FILE_INSTANT, .size = 2},
    {.name = "many_values", .flags = FILE_CUMULATIVE, .size = UINT16_MAX},
    {.name = "no_width", .flags = FILE_LINEAR_HIST, .size = 4},
    {.name = ""},
    {.name = "Upper"},
    {.name = "with space"},
    {.name = "new\nline"},
    {.name = "quo\"te"},
    {.name = "\xc3\xa4"},
    {.name = "9lives"},
    {.name = "_private"},
    {.name = "a23456789-123456789-123456789-123456789-123456789-123456789-1234"},
    {.name = "known"}, /* a second time */
};

static void check_left_out(const struct plan_stat *stat)
{
    const struct plan_stat stats[] = {
        {.name = "known", .slot = 0, .first = 7}, *stat, {.name = "later", .slot = 1, .first = 8}};
    const struct plan plan = {.stats = stats, .n_stats = N_ELEMENTS(stats), .name_size = 128};
    struct built_file file = build_file(&plan);
    struct parsed parsed;

    check_ok(parse(&file, &parsed));
    assert_int_equal(parsed.n_stats, 2);
    assert_int_equal(parsed.file.n_left_out, 1);
    assert_string_equal(parsed.stats[0].name, "known");
    assert_string_equal(parsed.stats[1].name, "later");
    assert_int_equal(parsed.stats[1].slot, 1);
    assert_contains(parsed.first_left_out, stat->name);
    free_parsed(&parsed);
    free_file(&file);
}

static void what_means_nothing_is_left_out(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(meaningless); i++)
        check_left_out(&meaningless[i]);
}

static void all_that_is_left_out_is_counted_and_the_first_is_named(void **state)
{
    const struct plan plan = {
        .stats = meaningless, .n_stats = N_ELEMENTS(meaningless), .name_size = 128};
    struct built_file file = build_file(&plan);
    struct parsed parsed;

    (void)state;
    check_ok(parse(&file, &parsed));
    assert_int_equal(parsed.n_stats, 1); /* here "known" comes only once */
    assert_int_equal(parsed.file.n_left_out, N_ELEMENTS(meaningless) - 1);
    assert_contains(parsed.first_left_out, "type_5");
    free_parsed(&parsed);
    free_file(&file);
}

static void what_overlaps_another_is_left_out(void **state)
{
    static const struct plan_stat stats[] = {
        {.name = "hist", .flags = FILE_LOG_HIST, .size = 4, .slot = 2},
        {.name = "inside", .slot = 3},
        {.name = "same", .flags = FILE_LOG_HIST, .size = 4, .slot = 2},
        {.name = "behind", .slot = 6},
    };
    const struct plan plan = {.stats = stats, .n_stats = N_ELEMENTS(stats)};
    struct built_file file = build_file(&plan);
    struct parsed parsed;

    (void)state;
    check_ok(parse(&file, &parsed));
    assert_int_equal(parsed.n_stats, 2);
    assert_string_equal(parsed.stats[1].name, "behind");
    assert_int_equal(parsed.file.n_left_out, 2);
    assert_contains(parsed.first_left_out, "inside");
    free_parsed(&parsed);
    free_file(&file);
}

/* The end of the data is that of all values, so that a read of the block is never cut. */
static void values_that_are_left_out_still_belong_to_the_row(void **state)
{
    struct built_file file = build_one((struct plan_stat){.name = "new", .flags = 5, .slot = 9});
    struct parsed parsed;

    (void)state;
    check_ok(parse(&file, &parsed));
    assert_int_equal(parsed.n_stats, 0);
    assert_int_equal(parsed.file.row_len, 10);
    free_parsed(&parsed);
    free_file(&file);
}

static void describing_twice_gives_the_same(void **state)
{
    const struct plan plan = {.stats = all_kinds, .n_stats = N_ELEMENTS(all_kinds)};
    struct built_file file = build_file(&plan);
    struct parsed first, second;

    (void)state;
    check_ok(parse(&file, &first));
    check_ok(parse(&file, &second));
    assert_memory_equal(first.stats, second.stats, first.n_stats * sizeof(*first.stats));
    free_parsed(&first);
    free_parsed(&second);
    free_file(&file);
}

/* ---- the id string -------------------------------------------------------------------------- */

struct id_case {
    const char *id;
    int64_t thread, vcpu_id;
};

static const struct id_case ids[] = {
    {"kvm-1234", 1234, -1},
    {"kvm-1234/vcpu-0", 1234, 0},
    {"kvm-1/vcpu-255", 1, 255},
    {"kvm-0", 0, -1},
    {"kvm-2147483647/vcpu-2147483647", INT32_MAX, INT32_MAX},
    {"kvm-2147483648", -1, -1},
    {"kvm-99999999999999999999", -1, -1},
    {"kvm-99999999999999999999/vcpu-1", -1, -1},
    {"kvm-1/vcpu-2147483648", -1, -1},
    {"kvm-1/vcpu-99999999999999999999", -1, -1},
    {"", -1, -1},
    {"kvm", -1, -1},
    {"kvm-", -1, -1},
    {"kvm--5", -1, -1},
    {"kvm-+5", -1, -1},
    {"kvm- 5", -1, -1},
    {"KVM-5", -1, -1},
    {"xen-5", -1, -1},
    {"kvm-x", -1, -1},
    {"kvm-0x10", -1, -1},
    {"kvm-12x", -1, -1},
    {"kvm-12/", -1, -1},
    {"kvm-12/vcpu-", -1, -1},
    {"kvm-12/vcpu-x", -1, -1},
    {"kvm-12/vcpu--1", -1, -1},
    {"kvm-12/vcpu-3x", -1, -1},
    {"kvm-12/vcpu-3/", -1, -1},
};

/* An id of another form is no error, and says nothing. */
static void check_id(const struct id_case *expected)
{
    const struct plan plan = {.stats = all_kinds, .n_stats = 1, .id = expected->id};
    struct built_file file = build_file(&plan);
    struct parsed parsed;

    check_ok(parse(&file, &parsed));
    if (parsed.file.thread != expected->thread || parsed.file.vcpu_id != expected->vcpu_id)
        fail_msg("'%s': thread %lld, vCPU %lld", expected->id, (long long)parsed.file.thread,
                 (long long)parsed.file.vcpu_id);
    free_parsed(&parsed);
    free_file(&file);
}

static void the_id_says_thread_and_vcpu(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(ids); i++)
        check_id(&ids[i]);
}

static void an_id_without_an_end_is_broken(void **state)
{
    const struct plan plan = {.stats = all_kinds, .n_stats = 1};
    struct built_file file = build_file(&plan);

    (void)state;
    memset(file.bytes + file_get32(&file, HEADER_ID_OFFSET), '7', 48);
    check_error(parse_copy(&file, file.size), EBADMSG);
    free_file(&file);
}

/* ---- broken files --------------------------------------------------------------------------- */

static void check_truncations(const struct built_file *file)
{
    size_t size;

    for (size = 0; size < file->size; size++)
        if (parse_copy(file, size) != -EBADMSG)
            fail_msg("%zu of %zu bytes are taken", size, file->size);
    check_ok(parse_copy(file, file->size));
    check_ok(parse_copy(file, file->size + 100));
}

static void a_file_that_is_cut_anywhere_is_broken(void **state)
{
    static const char *const orders[] = {"idv", "vdi", "dvi"};
    struct built_file vm = load_recorded("vm.stats"), vcpu = load_recorded("vcpu.stats");
    size_t i;

    (void)state;
    check_truncations(&vm);
    check_truncations(&vcpu);
    for (i = 0; i < N_ELEMENTS(orders); i++) {
        const struct plan plan = {
            .stats = all_kinds, .n_stats = N_ELEMENTS(all_kinds), .order = orders[i], .gap = 16};
        struct built_file file = build_file(&plan);

        check_truncations(&file);
        free_file(&file);
    }
    free_file(&vm);
    free_file(&vcpu);
}

/* Whatever a field says, the file is either broken or can be used without harm. */
static void check_harmless(const struct built_file *file)
{
    struct parsed parsed;
    struct error_text error;
    uint32_t i;

    if (parse(file, &parsed) < 0)
        return;
    for (i = 0; i < parsed.n_stats; i++)
        check_ok(schema_check_stat(&parsed.stats[i], parsed.file.row_len, &error));
    assert_true(parsed.file.data_offset + 8ull * parsed.file.row_len <= file->size);
    assert_int_equal(parsed.n_stats + parsed.file.n_left_out, parsed.file.n_descriptors);
    free_parsed(&parsed);
}

static void try_values(struct built_file *file, size_t at)
{
    uint32_t old = file_get32(file, at), size = (uint32_t)file->size;
    const uint32_t values[] = {0,          1,          2,          7,           8,
                               16,         23,         24,         25,          32,
                               old - 8,    old - 1,    old + 1,    old + 8,     old * 2,
                               size - 24,  size - 8,   size - 1,   size,        size + 8,
                               0x7ffffff8, 0x7fffffff, 0x80000000, 0xfffffff0,  0xfffffff8,
                               0xfffffffe, 0xffffffff, 0xffff,     0xffff0000u, 0xff};
    size_t i;

    for (i = 0; i < N_ELEMENTS(values); i++) {
        file_set32(file, at, values[i]);
        check_harmless(file);
    }
    file_set32(file, at, old);
}

static void no_field_can_do_harm(void **state)
{
    const struct plan plan = {.stats = all_kinds, .n_stats = N_ELEMENTS(all_kinds), .gap = 8};
    struct built_file file = build_file(&plan);
    size_t at;
    uint32_t i;

    (void)state;
    for (at = 0; at < HEADER_SIZE; at += 4)
        try_values(&file, at);
    for (i = 0; i < N_ELEMENTS(all_kinds); i++)
        for (at = 0; at < DESC_NAME; at += 4)
            try_values(&file, descriptor_at(&file, i) + at);
    free_file(&file);
}

static void no_byte_can_do_harm(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct built_file file = load_recorded("vm.stats");
    size_t at, i;

    (void)state;
    for (at = 0; at < file.size; at++) {
        uint8_t old = file.bytes[at];

        for (i = 0; i < N_ELEMENTS(values); i++) {
            file.bytes[at] = values[i];
            check_harmless(&file);
        }
        file.bytes[at] = old;
    }
    free_file(&file);
}

struct breakage {
    const char *what;
    size_t at; /* in the header, or in the first descriptor */
    bool in_descriptor;
    uint32_t value;
};

static const struct breakage breakages[] = {
    {"names of no size", HEADER_NAME_SIZE, false, 0},
    {"names larger than the limit", HEADER_NAME_SIZE, false, KVM_NAME_SIZE_MAX + 1},
    {"names of the largest size", HEADER_NAME_SIZE, false, UINT32_MAX},
    {"names larger than the file", HEADER_NAME_SIZE, false, 4000},
    {"more descriptors than the limit", HEADER_NUM_DESC, false, KVM_DESCRIPTORS_MAX + 1},
    {"the largest number of descriptors", HEADER_NUM_DESC, false, UINT32_MAX},
    {"more descriptors than the file has", HEADER_NUM_DESC, false, 100},
    {"an id inside the header", HEADER_ID_OFFSET, false, 16},
    {"an id at 0", HEADER_ID_OFFSET, false, 0},
    {"an id that is not aligned", HEADER_ID_OFFSET, false, 28},
    {"an id behind the file", HEADER_ID_OFFSET, false, 0x10000},
    {"an id at the end of memory", HEADER_ID_OFFSET, false, 0xfffffff8},
    {"descriptors inside the header", HEADER_DESC_OFFSET, false, 8},
    {"descriptors that are not aligned", HEADER_DESC_OFFSET, false, 73},
    {"descriptors behind the file", HEADER_DESC_OFFSET, false, 0x10000},
    {"descriptors at the end of memory", HEADER_DESC_OFFSET, false, 0xfffffff8},
    {"values inside the header", HEADER_DATA_OFFSET, false, 16},
    {"values that are not aligned", HEADER_DATA_OFFSET, false, 76},
    {"values behind the file", HEADER_DATA_OFFSET, false, 0x10000},
    {"values at the end of memory", HEADER_DATA_OFFSET, false, 0xfffffff8},
    {"a statistic of no size", DESC_EXPONENT, true, 0},
    {"a statistic larger than the file", DESC_EXPONENT, true, 0xffff0000},
    {"a value that is not aligned", DESC_OFFSET, true, 4},
    {"a value behind the file", DESC_OFFSET, true, 0x10000},
    {"a value at the end of memory", DESC_OFFSET, true, 0xfffffff8},
};

static void check_breakage(const struct breakage *breakage)
{
    const struct plan plan = {.stats = all_kinds, .n_stats = N_ELEMENTS(all_kinds)};
    struct built_file file = build_file(&plan);
    size_t at = breakage->in_descriptor ? descriptor_at(&file, 0) : 0;
    int err;

    file_set32(&file, at + breakage->at, breakage->value);
    err = parse_copy(&file, file.size);
    if (err != -EBADMSG)
        fail_msg("%s: %d", breakage->what, err);
    free_file(&file);
}

static void broken_fields_are_found(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(breakages); i++)
        check_breakage(&breakages[i]);
}

static void a_name_without_an_end_is_broken(void **state)
{
    const struct plan plan = {.stats = all_kinds, .n_stats = N_ELEMENTS(all_kinds)};
    uint32_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(all_kinds); i++) {
        struct built_file file = build_file(&plan);

        memset(file.bytes + descriptor_at(&file, i) + DESC_NAME, 'a', 48);
        check_error(parse_copy(&file, file.size), EBADMSG);
        free_file(&file);
    }
}

static void an_error_says_what_is_wrong(void **state)
{
    struct built_file file = build_one((struct plan_stat){.name = "exits"});
    struct kvm_stats_file result;
    struct error_text error;

    (void)state;
    file_set16(&file, descriptor_at(&file, 0) + DESC_SIZE, 0);
    check_error(kvm_stats_file_parse(file.bytes, file.size, &error, &result), EBADMSG);
    assert_contains(error.text, "exits");
    assert_contains(error.text, "size");
    free_file(&file);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void there_may_be_4096_descriptors(void **state)
{
    struct plan_stat *stats = calloc(KVM_DESCRIPTORS_MAX + 1, sizeof(*stats));
    struct plan plan = {
        .stats = stats, .n_stats = KVM_DESCRIPTORS_MAX, .name_size = 8, .id = "kvm"};
    char(*names)[8] = calloc(KVM_DESCRIPTORS_MAX + 1, sizeof(*names));
    struct built_file file;
    uint32_t i;

    (void)state;
    for (i = 0; i <= KVM_DESCRIPTORS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "s%u", i);
        stats[i] = (struct plan_stat){.name = names[i], .slot = i};
    }
    file = build_file(&plan);
    check_as_the_selftest(&file, KVM_DESCRIPTORS_MAX);
    free_file(&file);
    plan.n_stats++;
    file = build_file(&plan);
    check_error(parse_copy(&file, file.size), EBADMSG);
    free_file(&file);
    free(names);
    free(stats);
}

static void names_may_take_4096_bytes(void **state)
{
    struct plan plan = {.stats = all_kinds, .n_stats = 2, .name_size = KVM_NAME_SIZE_MAX};
    struct built_file file = build_file(&plan);

    (void)state;
    check_ok(parse_copy(&file, file.size));
    free_file(&file);
    plan.name_size++;
    file = build_file(&plan);
    check_error(parse_copy(&file, file.size), EBADMSG);
    free_file(&file);
}

static void the_longest_histogram_has_65535_buckets(void **state)
{
    struct built_file file = build_one(
        (struct plan_stat){.name = "waits", .flags = FILE_LOG_HIST, .size = UINT16_MAX, .slot = 1});

    (void)state;
    check_as_the_selftest(&file, 1);
    free_file(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_files_pass_the_selftest),
        cmocka_unit_test(the_recorded_values_fill_the_files),
        cmocka_unit_test(every_order_of_blocks_passes_the_selftest),
        cmocka_unit_test(every_size_of_names_passes_the_selftest),
        cmocka_unit_test(all_kinds_are_described),
        cmocka_unit_test(a_file_without_statistics_is_a_file),
        cmocka_unit_test(flags_that_are_not_known_yet_are_ignored),
        cmocka_unit_test(a_width_where_there_are_no_linear_buckets_is_ignored),
        cmocka_unit_test(what_means_nothing_is_left_out),
        cmocka_unit_test(all_that_is_left_out_is_counted_and_the_first_is_named),
        cmocka_unit_test(values_that_are_left_out_still_belong_to_the_row),
        cmocka_unit_test(what_overlaps_another_is_left_out),
        cmocka_unit_test(describing_twice_gives_the_same),
        cmocka_unit_test(the_id_says_thread_and_vcpu),
        cmocka_unit_test(an_id_without_an_end_is_broken),
        cmocka_unit_test(a_file_that_is_cut_anywhere_is_broken),
        cmocka_unit_test(no_field_can_do_harm),
        cmocka_unit_test(no_byte_can_do_harm),
        cmocka_unit_test(broken_fields_are_found),
        cmocka_unit_test(a_name_without_an_end_is_broken),
        cmocka_unit_test(an_error_says_what_is_wrong),
        cmocka_unit_test(there_may_be_4096_descriptors),
        cmocka_unit_test(names_may_take_4096_bytes),
        cmocka_unit_test(the_longest_histogram_has_65535_buckets),
    };

    return cmocka_run_group_tests_name("the statistics file", tests, NULL, NULL);
}
