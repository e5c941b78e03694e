/* SPDX-License-Identifier: MIT */
/*
 * The registered groups of a context. A query visits them one at a time, each pinned while it is
 * used, so that one can be removed while queries run: removal waits for the pins to go.
 */
#ifndef STATS_REGISTRY_H
#define STATS_REGISTRY_H

#include "stats/ctx.h"
#include "stats/providers.h"

enum group_failure {
    FAILURE_ROW_PATH, /* a path where there must be none, or none where there must be one */
    FAILURE_OBJECT,
    FAILURE_GROUP,
    FAILURE_ROOM, /* more rows than a group that may block can give */
    GROUP_FAILURES,
};
enum { GROUP_ERRNO_WORDS = 4 }; /* of 64 bits; errors of higher numbers are one */

struct vitals_group {
    struct vitals_ctx *ctx;
    struct vitals_group *next;
    uint64_t order; /* its place among the groups; never used again */
    uint32_t flags;
    struct apart *apart; /* NULL: its collect() does not block */
    bool is_alone;       /* no other group has its provider and target */
    int (*collect)(void *opaque, struct vitals_sink *sink);
    void (*release)(void *opaque);
    void *opaque;
    pthread_mutex_t turn; /* held around collect() of a group that is not concurrent */
    atomic_int result;    /* of the last collect() */
    /* By what failed, and by errno: what was logged once is not logged again. */
    atomic_ullong failures_logged[GROUP_FAILURES][GROUP_ERRNO_WORDS];

    /* under ctx->lock */
    struct stats_schema *schema;
    unsigned pins;
    bool leaving; /* being unregistered: no new pins */
};

/* A group in use by one query. */
struct group_pin {
    struct vitals_group *group;
    struct stats_schema *schema; /* as it was when the group was pinned */
};

/*
 * Registers a group whose schema exists, so that many contexts can share it. Takes a reference to
 * the schema. Errors and @ops->release as vitals_register(); the descriptions in @ops are not used.
 * The group is the only one of its provider and target: -EEXIST. So its schema can change.
 */
int registry_add(struct vitals_ctx *ctx, const struct vitals_group_ops *ops,
                 struct stats_schema *schema, struct vitals_group **ret_group);

/*
 * Gives a group another schema of the same provider and target. Queries under way go on with the old
 * one.
 */
void registry_set_schema(struct vitals_group *group, struct stats_schema *schema);

/*
 * A way through the groups of some providers, with all else zero at first. It ends with those that
 * were there when it began: a provider that is replaced meanwhile does not answer twice.
 */
struct group_walk {
    const struct providers *providers; /* NULL: all */
    uint64_t order, end;
    const struct vitals_group *last; /* still there as long as so many have left: */
    uint64_t n_detached;
};

/* Pins the next group of @target; NULL: of any. */
bool registry_pin_next(struct vitals_ctx *ctx, const char *target, struct group_walk *walk,
                       struct group_pin *ret_pin);
/* Pins a group that the caller has pinned already. False: it is being unregistered. */
bool registry_pin(struct vitals_group *group, struct group_pin *ret_pin);
void registry_unpin(struct group_pin *pin);

/* Calls collect() of a pinned group. */
int registry_collect(const struct group_pin *pin, struct vitals_sink *sink);

/* Whether the calling thread is inside collect() of one of the context's groups. */
bool registry_is_collecting(struct vitals_ctx *ctx);

/* Under the lock. In a child made by fork(): all pins but the calling thread's are the parent's. */
void registry_forget_pins(struct vitals_ctx *ctx);

/* What the last collect() of the provider's groups came to: 0, or what one of them said. */
int registry_last_result(struct vitals_ctx *ctx, const char *provider, const char *target);

bool registry_has_provider(struct vitals_ctx *ctx, const char *provider);

/* Calls @fn for each provider once, in the order of registration, while the registry is locked. */
void registry_each_provider(struct vitals_ctx *ctx, void (*fn)(void *opaque, const char *provider),
                            void *opaque);

/* Whether one of the providers (NULL: of all) has it. */
bool registry_has_target(struct vitals_ctx *ctx, const struct providers *providers,
                         const char *target);

/* As registry_each_provider(), each target that one of the providers (NULL: of all) has. */
void registry_each_target(struct vitals_ctx *ctx, const struct providers *providers,
                          void (*fn)(void *opaque, const char *target), void *opaque);

/* What the groups of some providers had at one moment, each schema once, in the order of registration. */
struct schema_list {
    struct stats_schema **schemas;
    size_t n, cap;
};

/* @providers: NULL: all. -ENOMEM. */
int registry_list_schemas(struct vitals_ctx *ctx, const struct providers *providers,
                          struct schema_list *ret_list);
void schema_list_free(struct schema_list *list);

#endif
