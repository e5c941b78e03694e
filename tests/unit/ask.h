/* SPDX-License-Identifier: MIT */
/*
 * A query to a context, and its answer as one line of text:
 *      cpu/0 sched:runs=1,waits=2 xyz:somestat=3; cpu/1 sched:runs=11,waits=12
 * The VM is "vm", a histogram is [1 2 3]. Objects of which nothing is left are not shown.
 */
#ifndef UNIT_ASK_H
#define UNIT_ASK_H

#include "stats/collect.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING   ((const char *const[]){NULL})

struct ask_filter {
    const char *provider;      /* NULL: absent */
    const char *const *fields; /* NULL: absent */
};
extern const char ask_end[]; /* the provider of a filter behind the last */
#define FILTERS(...) ((const struct ask_filter[]){__VA_ARGS__, {ask_end, NULL}})
#define NO_FILTER    ((const struct ask_filter[]){{ask_end, NULL}})

struct ask {
    const char *target;
    const struct ask_filter *filters; /* NULL: absent */
    const char *const *objects;       /* NULL: absent */
};

/* The answer; to be freed. NULL: stats_collect() failed. */
char *ask_with(struct stats_collection *collection, struct vitals_ctx *ctx, const struct ask *ask);
char *ask(struct vitals_ctx *ctx, const struct ask *ask);

/* All statistics of all objects. */
char *ask_all(struct vitals_ctx *ctx, const char *target);

/* Asks, and checks the answer. */
#define assert_answer(ctx, expected, ...)                                                          \
    check_answer((ctx), &(const struct ask){__VA_ARGS__}, (expected), __FILE__, __LINE__)
void check_answer(struct vitals_ctx *ctx, const struct ask *question, const char *expected,
                  const char *file, int line);

#endif
