/* SPDX-License-Identifier: MIT */
#include "kvm/stats_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "stats/schema.h"

/*
 * The file's own structs, fields in native byte order. They are spelled out here because <linux/kvm.h>
 * has a flexible or a fixed name member depending on its version and on __KERNEL__.
 */
struct file_header {
    uint32_t flags, name_size, num_desc, id_offset, desc_offset, data_offset;
};

struct file_descriptor {
    uint32_t flags;
    int16_t exponent;
    uint16_t size;
    uint32_t offset, bucket_size;
};

_Static_assert(sizeof(struct file_header) == 24, "header as in the file");
_Static_assert(sizeof(struct file_descriptor) == 16, "descriptor as in the file");

enum {
    TYPE_SHIFT = 0,
    UNIT_SHIFT = 4,
    BASE_SHIFT = 8,
    FIELD_MASK = 0xf,
    BASE_POW10 = 0,
    BASE_POW2 = 1
};

/* ---- checked reads -------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *bytes;
    size_t size;
};

/* The @len bytes at @offset, or NULL: they are not all in the file. */
static const uint8_t *cursor_at(const struct cursor *cursor, uint64_t offset, uint64_t len)
{
    if (offset > cursor->size || len > cursor->size - offset)
        return NULL;
    return cursor->bytes + offset;
}

static size_t descriptor_stride(const struct kvm_stats_file *file)
{
    return sizeof(struct file_descriptor) + file->name_size;
}

static struct file_descriptor read_descriptor(const struct kvm_stats_file *file, uint32_t i,
                                              const char **ret_name)
{
    const uint8_t *at = file->descriptors + i * descriptor_stride(file);
    struct file_descriptor descriptor;

    memcpy(&descriptor, at, sizeof(descriptor));
    *ret_name = (const char *)at + sizeof(descriptor);
    return descriptor;
}

/* ---- the header ----------------------------------------------------------------------------- */

static bool is_block_offset(uint32_t offset)
{
    return offset >= sizeof(struct file_header) && offset % 8 == 0;
}

static int check_header(const struct file_header *header, struct error_text *error)
{
    if (!header->name_size || header->name_size > KVM_NAME_SIZE_MAX)
        return error_set(error, -EBADMSG, "name_size is %u, must be 1 to %u", header->name_size,
                         KVM_NAME_SIZE_MAX);
    if (header->num_desc > KVM_DESCRIPTORS_MAX)
        return error_set(error, -EBADMSG, "num_desc is %u, at most %u", header->num_desc,
                         KVM_DESCRIPTORS_MAX);
    if (!is_block_offset(header->id_offset) || !is_block_offset(header->desc_offset) ||
        !is_block_offset(header->data_offset))
        return error_set(error, -EBADMSG,
                         "offsets %u, %u, %u: each must be a multiple of 8 behind the header",
                         header->id_offset, header->desc_offset, header->data_offset);
    return 0;
}

/* "kvm-<thread>" or "kvm-<thread>/vcpu-<id>"; anything else is no error, it just says nothing. */
static void parse_id(struct kvm_stats_file *file, const char *id)
{
    long thread, vcpu_id = -1;
    char *end;

    file->thread = file->vcpu_id = -1;
    if (strncmp(id, "kvm-", 4) || id[4] < '0' || id[4] > '9')
        return;
    errno = 0;
    thread = strtol(id + 4, &end, 10);
    if (!strncmp(end, "/vcpu-", 6) && end[6] >= '0' && end[6] <= '9')
        vcpu_id = strtol(end + 6, &end, 10);
    if (errno || *end || thread > INT32_MAX || vcpu_id > INT32_MAX)
        return;
    file->thread = thread;
    file->vcpu_id = vcpu_id;
}

/* ---- the descriptors ------------------------------------------------------------------------ */

static int check_descriptor(const struct kvm_stats_file *file, uint32_t i, struct error_text *error)
{
    const char *name;
    struct file_descriptor descriptor = read_descriptor(file, i, &name);

    if (!memchr(name, '\0', file->name_size))
        return error_set(error, -EBADMSG, "descriptor %u: the name has no end", i);
    if (!descriptor.size)
        return error_set(error, -EBADMSG, "descriptor %u '%.63s': size is 0", i, name);
    if (descriptor.offset % 8)
        return error_set(error, -EBADMSG, "descriptor %u '%.63s': offset %u is no multiple of 8", i,
                         name, descriptor.offset);
    return 0;
}

/* Values need not stand in the order of the descriptors, so the end of the block is the largest. */
static uint64_t data_size(const struct kvm_stats_file *file)
{
    uint64_t size = 0;
    uint32_t i;

    for (i = 0; i < file->n_descriptors; i++) {
        const char *name;
        struct file_descriptor descriptor = read_descriptor(file, i, &name);
        uint64_t end = (uint64_t)descriptor.offset + 8ull * descriptor.size;

        if (end > size)
            size = end;
    }
    return size;
}

static int find_blocks(const struct cursor *cursor, const struct file_header *header,
                       struct error_text *error, struct kvm_stats_file *file)
{
    const uint8_t *id = cursor_at(cursor, header->id_offset, header->name_size);

    file->name_size = header->name_size;
    file->n_descriptors = header->num_desc;
    file->data_offset = header->data_offset;
    file->n_left_out = 0;
    file->descriptors_size = header->num_desc * descriptor_stride(file);
    file->descriptors = cursor_at(cursor, header->desc_offset, file->descriptors_size);
    if (!id || !memchr(id, '\0', header->name_size))
        return error_set(error, -EBADMSG, "the id string is cut off or has no end");
    if (!file->descriptors)
        return error_set(error, -EBADMSG,
                         "%u descriptors at %u are not all in the file of %zu bytes",
                         header->num_desc, header->desc_offset, cursor->size);
    parse_id(file, (const char *)id);
    return 0;
}

int kvm_stats_file_parse(const uint8_t *bytes, size_t size, struct error_text *error,
                         struct kvm_stats_file *ret_file)
{
    struct cursor cursor = {.bytes = bytes, .size = size};
    struct kvm_stats_file file;
    struct file_header header;
    uint64_t data;
    uint32_t i;
    int err;

    if (!cursor_at(&cursor, 0, sizeof(header)))
        return error_set(error, -EBADMSG, "%zu bytes are less than a header", size);
    memcpy(&header, bytes, sizeof(header));
    err = check_header(&header, error);
    if (!err)
        err = find_blocks(&cursor, &header, error, &file);
    for (i = 0; !err && i < header.num_desc; i++)
        err = check_descriptor(&file, i, error);
    if (err)
        return err;
    data = data_size(&file);
    if (!cursor_at(&cursor, file.data_offset, data))
        return error_set(error, -EBADMSG,
                         "%llu bytes of values at %u are not all in the file of %zu",
                         (unsigned long long)data, file.data_offset, size);
    file.row_len = (uint32_t)(data / 8);
    *ret_file = file;
    return 0;
}

/* ---- from descriptors to statistics --------------------------------------------------------- */

static uint8_t flag_field(const struct file_descriptor *descriptor, unsigned shift)
{
    return (descriptor->flags >> shift) & FIELD_MASK;
}

/* The last that the kernel has. The public header may have more: its next one is not the kernel's. */
enum { KERNEL_TYPE_LAST = VITALS_LOG_HIST, KERNEL_UNIT_LAST = VITALS_BOOLEAN };

/* The kernel numbers types and units as the public header does, as far as it has them. */
static struct vitals_stat to_stat(const struct file_descriptor *descriptor, const char *name)
{
    uint8_t base = flag_field(descriptor, BASE_SHIFT);
    struct vitals_stat stat = {
        .name = name,
        .type = flag_field(descriptor, TYPE_SHIFT),
        .unit = flag_field(descriptor, UNIT_SHIFT),
        .base = base == BASE_POW10  ? 10
                : base == BASE_POW2 ? 2
                                    : 0,
        .exponent = descriptor->exponent,
        .count = descriptor->size,
        .slot = descriptor->offset / 8,
    };

    if (stat.type == VITALS_LINEAR_HIST)
        stat.bucket_size = descriptor->bucket_size;
    return stat;
}

static int check_numbers(const struct vitals_stat *stat, struct error_text *error)
{
    if (stat->type > KERNEL_TYPE_LAST)
        return error_set(error, -EINVAL, "statistic '%s': type %u is unknown", stat->name,
                         stat->type);
    if (stat->unit > KERNEL_UNIT_LAST)
        return error_set(error, -EINVAL, "statistic '%s': unit %u is unknown", stat->name,
                         stat->unit);
    return 0;
}

static bool is_repeated(const struct vitals_stat *stats, uint32_t n, const char *name)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        if (!strcmp(stats[i].name, name))
            return true;
    return false;
}

/* Another statistic's elements of the row can't be this one's, too. */
static bool is_overlapping(const struct vitals_stat *stats, uint32_t n)
{
    const struct vitals_stat *stat = &stats[n];
    uint32_t i;

    for (i = 0; i < n; i++)
        if (stats[i].slot < stat->slot + stat->count && stat->slot < stats[i].slot + stats[i].count)
            return true;
    return false;
}

uint32_t kvm_stats_file_describe(struct kvm_stats_file *file, struct vitals_stat *stats,
                                 struct error_text *error)
{
    uint32_t i, n = 0;

    for (i = 0; i < file->n_descriptors; i++) {
        const char *name;
        struct file_descriptor descriptor = read_descriptor(file, i, &name);
        struct error_text why;

        stats[n] = to_stat(&descriptor, name);
        if (is_repeated(stats, n, name))
            error_set(&why, 0, "statistic '%.63s' is there twice", name);
        else if (!check_numbers(&stats[n], &why) &&
                 !schema_check_stat(&stats[n], file->row_len, &why)) {
            if (!is_overlapping(stats, n)) {
                n++;
                continue;
            }
            error_set(&why, 0, "statistic '%.63s' overlaps another one", name);
        }
        if (!file->n_left_out++)
            *error = why;
    }
    return n;
}
