/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stats_file_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { GAP_BYTE = 0xee };

/* ---- building ------------------------------------------------------------------------------- */

static uint32_t name_size(const struct plan *plan)
{
    return plan->name_size ? plan->name_size : 48;
}

static uint32_t stat_size(const struct plan_stat *stat)
{
    return stat->size ? stat->size : 1;
}

static uint32_t n_values(const struct plan *plan)
{
    uint32_t i, n = 0;

    for (i = 0; i < plan->n_stats; i++) {
        uint32_t end = plan->stats[i].slot + stat_size(&plan->stats[i]);

        if (end > n)
            n = end;
    }
    return n;
}

static uint32_t block_size(const struct plan *plan, char block)
{
    switch (block) {
    case 'i':
        return name_size(plan);
    case 'd':
        return plan->n_stats * (DESC_NAME + name_size(plan));
    default:
        return n_values(plan) * 8;
    }
}

static uint32_t align(uint32_t offset)
{
    return (offset + 7) & ~7u;
}

/* Finds the place of each block, and returns the size of the file. */
static uint32_t lay_out(const struct plan *plan, uint32_t offsets[3])
{
    static const char blocks[] = "idv";
    const char *order = plan->order ? plan->order : blocks;
    uint32_t end = HEADER_SIZE;

    for (; *order; order++) {
        end = align(end) + plan->gap;
        offsets[strchr(blocks, *order) - blocks] = end;
        end += block_size(plan, *order);
    }
    return end;
}

static void write_header(struct built_file *file, const struct plan *plan,
                         const uint32_t offsets[3])
{
    file_set32(file, HEADER_FLAGS, plan->flags);
    file_set32(file, HEADER_NAME_SIZE, name_size(plan));
    file_set32(file, HEADER_NUM_DESC, plan->n_stats);
    file_set32(file, HEADER_ID_OFFSET, offsets[0]);
    file_set32(file, HEADER_DESC_OFFSET, offsets[1]);
    file_set32(file, HEADER_DATA_OFFSET, offsets[2]);
}

static void write_text(struct built_file *file, size_t at, const char *text, size_t room)
{
    memset(file->bytes + at, 0, room);
    memcpy(file->bytes + at, text, strlen(text));
}

static void write_stat(struct built_file *file, const struct plan_stat *stat, size_t at,
                       size_t values, size_t room)
{
    uint32_t i;

    file_set32(file, at + DESC_FLAGS, stat->flags);
    file_set16(file, at + DESC_EXPONENT, (uint16_t)stat->exponent);
    file_set16(file, at + DESC_SIZE, (uint16_t)stat_size(stat));
    file_set32(file, at + DESC_OFFSET, stat->slot * 8);
    file_set32(file, at + DESC_BUCKET_SIZE, stat->bucket_size);
    write_text(file, at + DESC_NAME, stat->name, room);
    for (i = 0; i < stat_size(stat); i++) {
        uint64_t value = stat->first + i;

        memcpy(file->bytes + values + 8 * (stat->slot + i), &value, sizeof(value));
    }
}

struct built_file build_file(const struct plan *plan)
{
    uint32_t offsets[3], i;
    struct built_file file;

    file.size = lay_out(plan, offsets);
    file.bytes = malloc(file.size);
    memset(file.bytes, GAP_BYTE, file.size);
    write_header(&file, plan, offsets);
    write_text(&file, offsets[0], plan->id ? plan->id : "kvm-1234/vcpu-5", name_size(plan));
    for (i = 0; i < plan->n_stats; i++)
        write_stat(&file, &plan->stats[i], descriptor_at(&file, i), offsets[2], name_size(plan));
    return file;
}

struct built_file copy_file(const struct built_file *file, size_t size)
{
    struct built_file copy = {.bytes = malloc(size ? size : 1), .size = size};

    memcpy(copy.bytes, file->bytes, size < file->size ? size : file->size);
    if (size > file->size)
        memset(copy.bytes + file->size, GAP_BYTE, size - file->size);
    return copy;
}

void free_file(struct built_file *file)
{
    free(file->bytes);
    *file = (struct built_file){0};
}

/* ---- changing ------------------------------------------------------------------------------- */

uint32_t file_get32(const struct built_file *file, size_t at)
{
    uint32_t value;

    memcpy(&value, file->bytes + at, sizeof(value));
    return value;
}

void file_set16(struct built_file *file, size_t at, uint16_t value)
{
    memcpy(file->bytes + at, &value, sizeof(value));
}

void file_set32(struct built_file *file, size_t at, uint32_t value)
{
    memcpy(file->bytes + at, &value, sizeof(value));
}

size_t descriptor_at(const struct built_file *file, uint32_t i)
{
    return file_get32(file, HEADER_DESC_OFFSET) +
           (size_t)i * (DESC_NAME + file_get32(file, HEADER_NAME_SIZE));
}

/* ---- files ---------------------------------------------------------------------------------- */

int file_to_fd(const struct built_file *file)
{
    int fd = memfd_create("statistics", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, file->bytes, file->size, 0), file->size);
    return fd;
}

struct built_file load_recorded(const char *name)
{
    struct built_file file = {.bytes = malloc(1 << 16)};
    char path[512];
    FILE *stream;

    snprintf(path, sizeof(path), "%s/kvm/x86_64-linux-6.18/%s", TEST_DATA, name);
    stream = fopen(path, "rb");
    assert_non_null(stream);
    file.size = fread(file.bytes, 1, 1 << 16, stream);
    fclose(stream);
    assert_true(file.size > HEADER_SIZE);
    file.bytes = realloc(file.bytes, file.size);
    return file;
}
