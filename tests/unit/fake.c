/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void fill_row(const struct fake *fake, struct vitals_sink *sink, const char *object,
                     uint64_t number)
{
    uint64_t *row = vitals_row(sink, object);
    uint32_t i;

    for (i = 0; row && fake->names[i]; i++)
        row[i] = fake->base + 10 * number + i;
}

static int fake_collect(void *opaque, struct vitals_sink *sink)
{
    struct fake *fake = opaque;
    uint64_t i;

    fake->collects++;
    if (fake->inside)
        fake->inside(fake, sink);
    if (!strcmp(fake->target, "vm"))
        fill_row(fake, sink, NULL, 0);
    for (i = 0; fake->objects && fake->objects[i]; i++)
        fill_row(fake, sink, fake->objects[i], i);
    return fake->result;
}

static void fake_release(void *opaque)
{
    struct fake *fake = opaque;

    fake->releases++;
}

static uint32_t fill_stats(const struct fake *fake, struct vitals_stat *stats)
{
    uint32_t n;

    for (n = 0; fake->names[n]; n++)
        stats[n] = (struct vitals_stat){.name = fake->names[n], .base = 10, .count = 1, .slot = n};
    return n;
}

struct vitals_group_ops fake_ops(struct fake *fake)
{
    static _Thread_local struct vitals_stat stats[FAKE_STATS_MAX];
    uint32_t n = fill_stats(fake, stats);

    return (struct vitals_group_ops){VITALS_GROUP_OPS_INIT,
                                     .provider = fake->provider,
                                     .target = fake->target,
                                     .stats = stats,
                                     .n_stats = n,
                                     .row_len = n,
                                     .flags = fake->flags,
                                     .collect = fake_collect,
                                     .release = fake_release,
                                     .opaque = fake};
}

int fake_register(struct vitals_ctx *ctx, struct fake *fake, struct vitals_group **ret_group)
{
    struct vitals_group_ops ops = fake_ops(fake);

    return vitals_register(ctx, &ops, ret_group);
}

void log_to_book(void *opaque, enum vitals_log_level level, const char *text)
{
    struct log_book *book = opaque;

    book->lines++;
    book->level = level;
    snprintf(book->last, sizeof(book->last), "%s", text);
}

void *older_struct(const void *newer, size_t size)
{
    void *older = malloc(size);

    assert_non_null(older);
    return memcpy(older, newer, size);
}

struct vitals_ctx *ctx_with_log(struct log_book *book)
{
    const struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .log = log_to_book,
                                               .log_opaque = book};
    struct vitals_ctx *ctx;

    check_ok(vitals_ctx_new(&options, &ctx));
    return ctx;
}

struct vitals_ctx *new_ctx(void)
{
    struct vitals_ctx *ctx;

    check_ok(vitals_ctx_new(NULL, &ctx));
    return ctx;
}
