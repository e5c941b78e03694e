/* SPDX-License-Identifier: MIT */
/*
 * Builds statistics files as the kernel's documentation allows them, also such as no kernel has: any
 * order of blocks, gaps, values in another order than their descriptors.
 */
#ifndef UNIT_STATS_FILE_BUILDER_H
#define UNIT_STATS_FILE_BUILDER_H

#include <stddef.h>
#include <stdint.h>

/* Fields of the flags of a descriptor, as <linux/kvm.h> numbers them. */
enum {
    FILE_CUMULATIVE = 0x0,
    FILE_INSTANT = 0x1,
    FILE_PEAK = 0x2,
    FILE_LINEAR_HIST = 0x3,
    FILE_LOG_HIST = 0x4,
    FILE_NONE = 0x00,
    FILE_BYTES = 0x10,
    FILE_SECONDS = 0x20,
    FILE_CYCLES = 0x30,
    FILE_BOOLEAN = 0x40,
    FILE_POW10 = 0x000,
    FILE_POW2 = 0x100,
};

/* Where things are in a file. */
enum {
    HEADER_FLAGS = 0,
    HEADER_NAME_SIZE = 4,
    HEADER_NUM_DESC = 8,
    HEADER_ID_OFFSET = 12,
    HEADER_DESC_OFFSET = 16,
    HEADER_DATA_OFFSET = 20,
    HEADER_SIZE = 24,
    DESC_FLAGS = 0,
    DESC_EXPONENT = 4,
    DESC_SIZE = 6,
    DESC_OFFSET = 8,
    DESC_BUCKET_SIZE = 12,
    DESC_NAME = 16,
};

struct plan_stat {
    const char *name;
    uint32_t flags;
    int16_t exponent;
    uint16_t size; /* number of values; 0: one */
    uint32_t bucket_size;
    uint32_t slot;  /* index of the first value */
    uint64_t first; /* value i is first + i */
};

struct plan {
    const char *id; /* NULL: "kvm-1234/vcpu-5" */
    const struct plan_stat *stats;
    uint32_t n_stats;
    uint32_t name_size; /* 0: 48, as the kernel has it */
    uint32_t flags;
    uint32_t gap;      /* bytes between two blocks, a multiple of 8 */
    const char *order; /* of the blocks: 'i'd, 'd'escriptors, 'v'alues; NULL: "idv" */
};

struct built_file {
    uint8_t *bytes; /* of exactly this size, so that a read past the end is caught */
    size_t size;
};

struct built_file build_file(const struct plan *plan);
struct built_file copy_file(const struct built_file *file, size_t size);
void free_file(struct built_file *file);

uint32_t file_get32(const struct built_file *file, size_t at);
void file_set16(struct built_file *file, size_t at, uint16_t value);
void file_set32(struct built_file *file, size_t at, uint32_t value);

/* Where descriptor number @i is. */
size_t descriptor_at(const struct built_file *file, uint32_t i);

/* A memory file with these bytes. */
int file_to_fd(const struct built_file *file);

/* One of the files in tests/data/kvm. */
struct built_file load_recorded(const char *name);

#endif
