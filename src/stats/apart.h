/* SPDX-License-Identifier: MIT */
/*
 * Groups that may block, VITALS_GROUP_MAY_BLOCK: their collect() runs in a thread of its own, which
 * lives as long as the call, and gives all that the group has. Who asks looks now and then whether it
 * has come, and waits for nothing.
 */
#ifndef STATS_APART_H
#define STATS_APART_H

#include "stats/collect.h"

/* Called first in each thread, before apart_look() returns. */
struct thread_hook {
    void (*run)(void *opaque); /* NULL: nothing is */
    void *opaque;
};

struct apart;

/* NULL: no memory. @deadline_ms: 0 is VITALS_DEADLINE_MS. */
struct apart *apart_new(uint32_t deadline_ms);
void apart_free(struct apart *apart); /* nothing runs; NULL is allowed */
/* In a child made by fork(): what ran is the parent's. */
void apart_forget(struct apart *apart);

/*
 * Whether nothing more is to be waited for: there are rows no older than @since_ns, or the deadline has
 * passed, or what runs is past it already. If nothing runs and there are none, it begins.
 */
bool apart_look(struct vitals_group *group, uint64_t since_ns, const struct thread_hook *hook);

/* Gives the rows of apart_look() to @sink. -ETIMEDOUT: there are none; or what collect() returned. */
int apart_give(const struct group_pin *pin, uint64_t since_ns, struct vitals_sink *sink);

#endif
