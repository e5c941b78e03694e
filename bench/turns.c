/* SPDX-License-Identifier: MIT */
/*
 * How long the turns of requests are: CPU time of each step that a server would take one at a time, which
 * are 16 KiB that come, or a part of a reply. No socket is in between. What is sent away is not in it.
 *
 *     bench-turns grouped|flat SCHEMAS STATS OBJECTS GROUPS <requests
 *
 * To a VM that has so many schemas of one provider and target ("vcpu"), each with so many statistics, so many
 * objects, and so many groups for each schema. For each request: the number of turns, all of them, the longest, and the
 * bytes of the reply.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qmp/session.h"
#include "vitals/stats.h"

enum { PIECE = 16 * 1024, REPEATS = 5, NAME_SIZE = 48 };

struct size {
    uint32_t schemas, stats, objects, groups;
};

struct turns {
    unsigned n;
    double all_ms, longest_ms;
    size_t reply;
};

static double cpu_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* ---- the VM --------------------------------------------------------------------------------- */

static int collect(void *opaque, struct vitals_sink *sink)
{
    const struct size *size = opaque;
    char path[NAME_SIZE];

    for (uint32_t i = 0; i < size->objects; i++) {
        snprintf(path, sizeof(path), "/machine/unattached/device[%u]", i);
        vitals_row(sink, path);
    }
    return 0;
}

static void add_group(struct vitals_ctx *ctx, struct size *size, uint32_t schema)
{
    struct vitals_stat *stats = calloc(size->stats, sizeof(*stats));
    char *names = calloc(size->stats, NAME_SIZE);
    const struct vitals_group_ops ops = {
        VITALS_GROUP_OPS_INIT,  .provider = "kvm",      .target = "vcpu",   .stats = stats,
        .n_stats = size->stats, .row_len = size->stats, .collect = collect, .opaque = size};

    if (!stats || !names)
        abort();
    for (uint32_t i = 0; i < size->stats; i++) {
        snprintf(names + (size_t)i * NAME_SIZE, NAME_SIZE, "exits_of_%u_%u", schema, i);
        stats[i] = (struct vitals_stat){
            .name = names + (size_t)i * NAME_SIZE, .base = 10, .count = 1, .slot = i};
    }
    if (vitals_register(ctx, &ops, NULL))
        abort();
    free(stats);
    free(names);
}

static struct vitals_ctx *make_vm(struct size *size)
{
    struct vitals_ctx *ctx;

    if (vitals_ctx_new(NULL, &ctx))
        abort();
    for (uint32_t i = 0; i < size->schemas; i++)
        for (uint32_t j = 0; j < size->groups; j++)
            add_group(ctx, size, i);
    return ctx;
}

/* ---- one request ---------------------------------------------------------------------------- */

static void end_turn(struct turns *turns, double start_ms, struct buf *out)
{
    double ms = cpu_ms() - start_ms;

    turns->n++;
    turns->all_ms += ms;
    if (ms > turns->longest_ms)
        turns->longest_ms = ms;
    turns->reply += out->len;
    if (out->cap > 1 << 20)
        buf_free(out);
    buf_reset(out);
}

static struct turns ask(struct qmp_session *session, struct qmp_workbench *bench, const char *line,
                        size_t len)
{
    struct turns turns = {0};
    struct buf out = {.max = 64 << 20};
    double start;

    while (len || session->task) {
        start = cpu_ms();
        if (session->task) {
            qmp_session_go_on(session, bench, &out);
        } else {
            size_t n = qmp_session_feed(session, bench, line, len < PIECE ? len : PIECE, &out);

            line += n;
            len -= n;
        }
        end_turn(&turns, start, &out);
    }
    buf_free(&out);
    return turns;
}

static void measure(struct qmp_session *session, struct qmp_workbench *bench, const char *line,
                    size_t len)
{
    struct turns least = {.longest_ms = 1e9}, turns;

    for (int i = 0; i < REPEATS; i++) {
        turns = ask(session, bench, line, len);
        if (turns.longest_ms < least.longest_ms)
            least = turns;
    }
    printf("%u %.3f %.3f %zu\n", least.n, least.all_ms, least.longest_ms, least.reply);
}

int main(int argc, char **argv)
{
    static struct size size;
    struct qmp_session session;
    struct qmp_workbench bench;
    struct vitals_ctx *ctx;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (argc != 6)
        return 2;
    size = (struct size){(uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
                         (uint32_t)atoi(argv[5])};
    ctx = make_vm(&size);
    if (qmp_workbench_init(&bench))
        return 1;
    qmp_session_init(&session, ctx,
                     strcmp(argv[1], "flat") ? VITALS_DIALECT_GROUPED : VITALS_DIALECT_FLAT, NULL);
    session.negotiated = true;
    while ((len = getline(&line, &cap, stdin)) > 0)
        measure(&session, &bench, line, (size_t)len);
    free(line);
    qmp_session_free(&session);
    qmp_workbench_free(&bench);
    return vitals_ctx_free(ctx) != 0;
}
