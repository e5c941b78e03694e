/* SPDX-License-Identifier: MIT */
/* The inside of a context: its registry of groups, its log, its last error. */
#ifndef STATS_CTX_H
#define STATS_CTX_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "stats/objects.h"
#include "stats/schema.h"
#include "stats/schema_pool.h"
#include "vitals/stats.h"

/*
 * A thread inside collect() of a group, or about to enter, so that a call from there that would wait
 * for itself is refused. In memory of its own: a child made by fork() has no stacks but one.
 */
struct collector {
    pthread_t thread;
    struct vitals_group *group;
};
struct collectors {
    struct collector *entries; /* in no order */
    size_t n, cap;
};

/* What query-status says, in QEMU's words. */
enum ctx_state {
    CTX_RUNNING,
    CTX_PAUSED,
    CTX_PRELAUNCH, /* the guest has not begun yet */
    CTX_STATES
};

struct vitals_ctx {
    struct vitals_ctx_options options; /* name and uuid are copies */
    _Atomic pid_t process; /* whose it is: a child made by fork() has a copy, until it uses it */
    atomic_uint users;     /* listeners, clients and providers, which must go before it does */
    atomic_uint n_apart;   /* groups that may block */
    struct schema_pool *pool;
    atomic_int state; /* enum ctx_state */
    struct objects objects;

    pthread_mutex_t lock; /* all below; never held while a callback runs */
    pthread_cond_t unpinned;
    struct vitals_group *groups; /* in the order of registration */
    uint64_t next_order;
    uint64_t n_detached; /* groups that have left the list */
    struct collectors collectors;
    struct error_text error;

    pthread_mutex_t publishing; /* held by who begins or ends to tell a daemon of it: publish/ */
    struct publication *publication; /* under that; NULL: nobody is told */
    /*
     * Of an eventfd that whoever tells a daemon of changes sleeps at. It is closed with the context,
     * so that those who make changes need no lock. -1: there never was one.
     */
    atomic_int changes_fd;
};

/* As vitals_set_running(), with a word more. */
void ctx_set_state(struct vitals_ctx *ctx, enum ctx_state state);

/*
 * A child made by fork() has a copy of the context, and none of the parent's other threads. -ECHILD:
 * one of them was changing it; it can be neither used nor freed. Nothing waits here.
 */
int ctx_check_copy(struct vitals_ctx *ctx);
bool ctx_is_copy(const struct vitals_ctx *ctx);

/*
 * A copy that is used is the child's: what the parent's threads had pinned is not, and what the child
 * pins is waited for. So this comes before a pin, and before all else that a child does but freeing.
 * It waits for who holds the context; ctx_take_over() does not, and is -EBUSY.
 */
void ctx_adopt(struct vitals_ctx *ctx);
int ctx_take_over(struct vitals_ctx *ctx);

static inline void ctx_use(struct vitals_ctx *ctx)
{
    ctx_adopt(ctx);
    ctx->users++;
}

/* Something is not as it was: vCPUs, threads, whether the guest runs, what groups there are. */
void ctx_changed(struct vitals_ctx *ctx);
int ctx_watch(struct vitals_ctx *ctx); /* changes_fd, which stays the context's, or -errno */

static inline void ctx_leave(struct vitals_ctx *ctx)
{
    ctx->users--;
}

#endif
