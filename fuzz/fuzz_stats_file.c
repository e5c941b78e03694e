/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reader of statistics files: whatever the bytes are, the file is refused, or everything
 * that is said of it lies inside of it and makes a schema.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "kvm/stats_file.h"
#include "stats/schema.h"

static void check_layout(const struct kvm_stats_file *file, const uint8_t *data, size_t size)
{
    CHECK(file->data_offset % 8 == 0);
    CHECK(file->data_offset + 8ull * file->row_len <= size);
    CHECK(file->descriptors >= data && file->descriptors_size <= size);
    CHECK((size_t)(file->descriptors - data) <= size - file->descriptors_size);
    CHECK(file->n_descriptors <= KVM_DESCRIPTORS_MAX);
    CHECK(file->name_size <= KVM_NAME_SIZE_MAX);
    CHECK(file->thread >= -1 && file->vcpu_id >= -1);
    CHECK(file->vcpu_id == -1 || file->thread != -1);
}

/* Every element of a statistic is in the file: the sanitizer would see it if not. */
static uint64_t sum_of_values(const struct kvm_stats_file *file, const struct vitals_stat *stat,
                              const uint8_t *data)
{
    uint64_t sum = 0, value;
    uint32_t i;

    for (i = 0; i < stat->count; i++) {
        memcpy(&value, data + file->data_offset + 8ull * (stat->slot + i), sizeof(value));
        sum += value;
    }
    return sum;
}

static void check_schema(const struct kvm_stats_file *file, const struct vitals_stat *stats,
                         uint32_t n_stats)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = "kvm",
                                         .target = "vcpu",      .stats = stats,
                                         .n_stats = n_stats,    .row_len = file->row_len};
    struct stats_schema *schema;
    struct error_text error;
    uint32_t i;
    int err = schema_new(&ops, &error, &schema);

    CHECK(err == (file->row_len > VITALS_ROW_MAX ? -E2BIG : 0));
    if (err)
        return;
    for (i = 0; i < n_stats; i++)
        CHECK(schema_find(schema, stats[i].name) == i);
    schema_unref(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kvm_stats_file file;
    struct error_text error = {""};
    struct vitals_stat *stats;
    uint32_t n_stats, i;

    if (kvm_stats_file_parse(data, size, &error, &file)) {
        CHECK(*error.text);
        return 0;
    }
    check_layout(&file, data, size);
    stats = calloc(file.n_descriptors + 1, sizeof(*stats));
    n_stats = kvm_stats_file_describe(&file, stats, &error);
    CHECK(n_stats + file.n_left_out == file.n_descriptors);
    CHECK(!file.n_left_out || *error.text);
    for (i = 0; i < n_stats; i++) {
        CHECK(!schema_check_stat(&stats[i], file.row_len, &error));
        sum_of_values(&file, &stats[i], data);
    }
    check_schema(&file, stats, n_stats);
    free(stats);
    return 0;
}
