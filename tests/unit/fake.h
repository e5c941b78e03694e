/* SPDX-License-Identifier: MIT */
/* A provider made of plain data, which counts what the library does with it. */
#ifndef UNIT_FAKE_H
#define UNIT_FAKE_H

#include <stdatomic.h>
#include <stddef.h>

#include "vitals/stats.h"

enum { FAKE_STATS_MAX = 8 };

/* The value of statistic s of object o is base + 10 * o + s. */
struct fake {
    const char *provider, *target;
    const char *names[FAKE_STATS_MAX + 1];
    const char *const *objects; /* ends with NULL; none for target "vm" */
    uint64_t base;
    uint32_t flags;
    int result; /* of collect() */

    /* Called at the start of collect(), if set. */
    void (*inside)(struct fake *fake, struct vitals_sink *sink);
    void *opaque;

    atomic_uint collects, releases;
};

/* The group's ops, whose statistics are in memory that the next call overwrites. */
struct vitals_group_ops fake_ops(struct fake *fake);

int fake_register(struct vitals_ctx *ctx, struct fake *fake, struct vitals_group **ret_group);

/* The log callback of a context that writes into a log book. */
struct log_book {
    atomic_uint lines;
    char last[512];
    enum vitals_log_level level;
};
void log_to_book(void *book, enum vitals_log_level level, const char *text);

/*
 * The first @size bytes of a struct, as the caller of an older header has it: in memory of its own,
 * so that a sanitizer sees who reads on. To be freed.
 */
void *older_struct(const void *newer, size_t size);

struct vitals_ctx *ctx_with_log(struct log_book *book);
struct vitals_ctx *new_ctx(void);

#endif
