/* SPDX-License-Identifier: MIT */
/*
 * The kernel's binary statistics file, as Linux Documentation/virt/kvm/api.rst 4.133 describes it: a
 * header, an id string, descriptors and a data block, in any order. Parsed from memory, so that a
 * file of any kind, and a fuzzer's bytes, take the same way as a real one.
 */
#ifndef KVM_STATS_FILE_H
#define KVM_STATS_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vitals/stats.h"

/* Limits on what is believed; the kernel's own files have 4 KiB, names of 48 and 60 descriptors. */
enum {
    KVM_FILE_MAX = 1 << 20,   /* bytes of a whole file */
    KVM_NAME_SIZE_MAX = 4096, /* bytes of the id string, and of a name with its padding */
    KVM_DESCRIPTORS_MAX = 4096,
};

struct kvm_stats_file {
    uint32_t data_offset; /* where the values start, in bytes */
    uint32_t row_len;     /* number of values */
    uint32_t n_left_out;  /* descriptors that mean nothing to us */
    /* What makes two files have the same schema: the size of names, and the descriptors. */
    const uint8_t *descriptors;
    size_t descriptors_size;
    /* From the id string "kvm-<thread>/vcpu-<id>"; -1: it does not say. */
    int64_t thread, vcpu_id;
    uint32_t name_size, n_descriptors;
};

/*
 * Reads the header and checks every offset and size against the @size bytes of the file. The result
 * points into @bytes. -EBADMSG and the text: the file is not as documented.
 */
int kvm_stats_file_parse(const uint8_t *bytes, size_t size, struct error_text *error,
                         struct kvm_stats_file *ret_file);

/*
 * Turns the descriptors into statistics, whose slots index the data block and whose names point into
 * the file. @stats has room for n_descriptors. Leaves out, and counts, those of an unknown type,
 * unit or base, or of a shape or name that the provider interface does not have; @error holds the
 * text of the first. Returns the number of statistics.
 */
uint32_t kvm_stats_file_describe(struct kvm_stats_file *file, struct vitals_stat *stats,
                                 struct error_text *error);

#endif
