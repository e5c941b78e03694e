/* SPDX-License-Identifier: MIT */
/*
 * The structs that callers fill, made by functions: for programs that are not written in C and can
 * neither see what the structs have, nor use the _INIT macros. What is not asked for here is 0.
 *
 * Texts are borrowed until the struct is used the last time. NULL is returned where there is no memory.
 * These functions have no place for the text of an error.
 */
#ifndef VITALS_FFI_H
#define VITALS_FFI_H

#include "vitals/publish.h"
#include "vitals/qmp.h"
#include "vitals/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vitals_ctx_options *vitals_ctx_options_new(const char *name);
struct vitals_server_options *vitals_server_options_new(uint32_t clients_max, size_t memory_max);
struct vitals_listen_options *vitals_listen_options_new(const char *path, int dialect,
                                                        const char *providers);
struct vitals_client_options *vitals_client_options_new(int dialect, const char *providers);
struct vitals_publish_options *vitals_publish_options_new(const char *path, const char *vmm);

/* One of the above, after the call that takes it. NULL is allowed. */
void vitals_options_free(void *options);

/*
 * A group without statistics, for vitals_register(), which takes @opaque: free the struct behind it.
 * @collect and @release as in struct vitals_group_ops.
 */
struct vitals_group_ops *vitals_group_ops_new(const char *provider, const char *target,
                                              int (*collect)(void *opaque,
                                                             struct vitals_sink *sink),
                                              void (*release)(void *opaque), void *opaque);

/*
 * Adds a statistic behind the others; members as in struct vitals_stat. Returns its slot, the index of
 * its first element in a row; -E2BIG: a limit of vitals_register(), -EINVAL: a number that has no room
 * in its member, or no struct (NULL); -ENOMEM. vitals_register() checks all else.
 */
int vitals_group_ops_add(struct vitals_group_ops *ops, const char *name, const char *help, int type,
                         int unit, int base, int exponent, uint32_t count, uint32_t bucket_size);

/* NULL is allowed. */
void vitals_group_ops_free(struct vitals_group_ops *ops);

#ifdef __cplusplus
}
#endif
#endif
