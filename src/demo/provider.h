/* SPDX-License-Identifier: MIT */
/* Provider "demo": what this VMM itself can tell of its VM. The example for writing a provider. */
#ifndef DEMO_PROVIDER_H
#define DEMO_PROVIDER_H

#include "demo/vmm.h"
#include "vitals/stats.h"

struct demo_provider;

/*
 * Registers both groups of the provider in @ctx. @vmm must outlive it; NULL: no guest runs, and
 * what would come from it stays 0.
 */
int demo_provider_new(struct vitals_ctx *ctx, struct demo_vmm *vmm, unsigned n_vcpus,
                      struct demo_provider **ret_provider);

/* To be called at a steady pace, with the bytes of guest memory written since the last call. */
void demo_provider_tick(struct demo_provider *provider, size_t dirty_bytes);

/* NULL is allowed. */
void demo_provider_free(struct demo_provider *provider);

#endif
