/* SPDX-License-Identifier: MIT */
#include "kvm/schema.h"

#include <errno.h>
#include <stdlib.h>

int kvm_schema_new(struct kvm_stats_file *file, const char *target, struct error_text *first,
                   struct error_text *error, struct stats_schema **ret_schema)
{
    struct vitals_stat *stats = calloc(file->n_descriptors + 1, sizeof(*stats));
    struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = KVM_PROVIDER,
                                   .target = target, .stats = stats, .row_len = file->row_len};
    int err;

    if (!stats)
        return error_set(error, -ENOMEM, "no memory for %u descriptors", file->n_descriptors);
    ops.n_stats = kvm_stats_file_describe(file, stats, first);
    err = schema_new(&ops, error, ret_schema);
    free(stats);
    return err;
}
