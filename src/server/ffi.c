/* SPDX-License-Identifier: MIT */
/* The public structs, for callers that can't see what they have. */
#include "vitals/ffi.h"

#include <errno.h>
#include <stdlib.h>

struct vitals_ctx_options *vitals_ctx_options_new(const char *name)
{
    struct vitals_ctx_options *options = malloc(sizeof(*options));

    if (options)
        *options = (struct vitals_ctx_options){VITALS_CTX_OPTIONS_INIT, .name = name};
    return options;
}

struct vitals_server_options *vitals_server_options_new(uint32_t clients_max, size_t memory_max)
{
    struct vitals_server_options *options = malloc(sizeof(*options));

    if (options)
        *options = (struct vitals_server_options){
            VITALS_SERVER_OPTIONS_INIT, .clients_max = clients_max, .memory_max = memory_max};
    return options;
}

struct vitals_listen_options *vitals_listen_options_new(const char *path, int dialect,
                                                        const char *providers)
{
    struct vitals_listen_options *options = malloc(sizeof(*options));

    if (options)
        *options = (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT, .path = path,
                                                  .fd = -1, .dialect = (enum vitals_dialect)dialect,
                                                  .providers = providers};
    return options;
}

struct vitals_client_options *vitals_client_options_new(int dialect, const char *providers)
{
    struct vitals_client_options *options = malloc(sizeof(*options));

    if (options)
        *options = (struct vitals_client_options){VITALS_CLIENT_OPTIONS_INIT,
                                                  .dialect = (enum vitals_dialect)dialect,
                                                  .providers = providers};
    return options;
}

struct vitals_publish_options *vitals_publish_options_new(const char *path, const char *vmm)
{
    struct vitals_publish_options *options = malloc(sizeof(*options));

    if (options)
        *options =
            (struct vitals_publish_options){VITALS_PUBLISH_OPTIONS_INIT, .path = path, .vmm = vmm};
    return options;
}

void vitals_options_free(void *options)
{
    free(options);
}

struct vitals_group_ops *vitals_group_ops_new(const char *provider, const char *target,
                                              int (*collect)(void *opaque,
                                                             struct vitals_sink *sink),
                                              void (*release)(void *opaque), void *opaque)
{
    struct vitals_group_ops *ops = malloc(sizeof(*ops));

    if (ops)
        *ops = (struct vitals_group_ops){VITALS_GROUP_OPS_INIT, .provider = provider,
                                         .target = target,      .collect = collect,
                                         .release = release,    .opaque = opaque};
    return ops;
}

int vitals_group_ops_add(struct vitals_group_ops *ops, const char *name, const char *help, int type,
                         int unit, int base, int exponent, uint32_t count, uint32_t bucket_size)
{
    const struct vitals_stat stat = {.name = name,
                                     .help = help,
                                     .type = (uint8_t)type,
                                     .unit = (uint8_t)unit,
                                     .base = (uint8_t)base,
                                     .exponent = (int16_t)exponent,
                                     .count = (uint16_t)count,
                                     .slot = ops ? ops->row_len : 0,
                                     .bucket_size = bucket_size};
    struct vitals_stat *stats;

    if (!ops || stat.type != type || stat.unit != unit || stat.base != base ||
        stat.exponent != exponent || stat.count != count)
        return -EINVAL;
    if (ops->n_stats == VITALS_STATS_MAX || count > VITALS_ROW_MAX - ops->row_len)
        return -E2BIG;
    stats = realloc((void *)ops->stats, (ops->n_stats + 1) * sizeof(*stats));
    if (!stats)
        return -ENOMEM;
    stats[ops->n_stats++] = stat;
    ops->stats = stats;
    ops->row_len += count;
    return (int)stat.slot;
}

void vitals_group_ops_free(struct vitals_group_ops *ops)
{
    if (ops)
        free((void *)ops->stats);
    free(ops);
}
