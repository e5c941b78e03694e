/* SPDX-License-Identifier: MIT */
/*
 * A provider of a VMM's own statistics has three parts, and here they are in this order:
 *
 *  1. tables that describe the statistics: queries for schemas are answered from them alone;
 *  2. a collect() for each group, which fills the rows when somebody asks;
 *  3. the VMM's side: it registers the groups, and counts.
 *
 * A VM has objects of two kinds, the VM itself and its vCPUs, so there are two groups. collect()
 * runs on the thread that answers the query, which may be another than those that count: hence the
 * atomics. Relaxed ones do, because a reader expects each number to be right and not that all are
 * of the same moment.
 */
#include "demo/provider.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define EXITS_BUCKETS     16
#define EXITS_BUCKET_SIZE 32

/* ---- 1. the tables -------------------------------------------------------------------------- */

/* Where a statistic's values lie in the row. */
enum vm_slot { MEMORY, DIRTY_PEAK, TICKS, UPTIME, VM_ROW_LEN };
enum vcpu_slot { EXITS_HANDLED, EXITS_PER_TICK, VCPU_ROW_LEN = EXITS_PER_TICK + EXITS_BUCKETS };

/* A number is raw * base^exponent units: 10 and -9 make nanoseconds of seconds. */
static const struct vitals_stat vm_stats[] = {
    {
        .name = "demo_memory",
        .help = "Size of the guest's memory.",
        .type = VITALS_INSTANT,
        .unit = VITALS_BYTES,
        .base = 10,
        .count = 1,
        .slot = MEMORY,
    },
    {
        .name = "demo_dirty_peak",
        .help = "Most guest memory that was written between two ticks.",
        .type = VITALS_PEAK,
        .unit = VITALS_BYTES,
        .base = 10,
        .count = 1,
        .slot = DIRTY_PEAK,
    },
    {
        .name = "demo_ticks",
        .help = "Ticks of the VMM's main loop.",
        .type = VITALS_CUMULATIVE,
        .unit = VITALS_NONE,
        .base = 10,
        .count = 1,
        .slot = TICKS,
    },
    {
        .name = "demo_uptime",
        .help = "Time since the VMM started, pauses included.",
        .type = VITALS_CUMULATIVE,
        .unit = VITALS_SECONDS,
        .base = 10,
        .exponent = -9,
        .count = 1,
        .slot = UPTIME,
    },
};

/* The unit of a histogram is that of its bounds; here they are plain numbers of exits. */
static const struct vitals_stat vcpu_stats[] = {
    {
        .name = "demo_exits_handled",
        .help = "Times that the VMM had to do something for the vCPU.",
        .type = VITALS_CUMULATIVE,
        .unit = VITALS_NONE,
        .base = 10,
        .count = 1,
        .slot = EXITS_HANDLED,
    },
    {
        .name = "demo_exits_per_tick",
        .help = "Ticks by the number of exits that the VMM handled in them.",
        .type = VITALS_LINEAR_HIST,
        .unit = VITALS_NONE,
        .base = 10,
        .count = EXITS_BUCKETS,
        .slot = EXITS_PER_TICK,
        .bucket_size = EXITS_BUCKET_SIZE,
    },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- 2. collecting -------------------------------------------------------------------------- */

struct vcpu_counts {
    char path[DEMO_PATH_MAX];
    uint64_t exits_before; /* at the last tick */
    _Atomic uint64_t exits_per_tick[EXITS_BUCKETS];
};

struct demo_provider {
    struct demo_vmm *vmm;
    struct vitals_group *vm_group;
    struct vitals_group *vcpu_group;
    uint64_t start;
    _Atomic uint64_t ticks;
    _Atomic uint64_t dirty_peak;
    unsigned n_vcpus;
    struct vcpu_counts vcpus[];
};

static uint64_t load(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t exits_handled(const struct demo_provider *provider, unsigned index)
{
    return provider->vmm ? demo_vmm_exits_handled(provider->vmm, index) : 0;
}

static int collect_vm(void *opaque, struct vitals_sink *sink)
{
    struct demo_provider *provider = opaque;
    uint64_t *row = vitals_row(sink, NULL);

    if (!row)
        return 0;
    row[MEMORY] = provider->vmm ? GUEST_MEMORY_SIZE : 0;
    row[DIRTY_PEAK] = load(&provider->dirty_peak);
    row[TICKS] = load(&provider->ticks);
    row[UPTIME] = now() - provider->start;
    return 0;
}

/* A vCPU that the query does not want has no row. Nothing is computed for it. */
static int collect_vcpus(void *opaque, struct vitals_sink *sink)
{
    struct demo_provider *provider = opaque;

    for (unsigned i = 0; i < provider->n_vcpus; i++) {
        uint64_t *row = vitals_row(sink, provider->vcpus[i].path);
        if (!row)
            continue;
        row[EXITS_HANDLED] = exits_handled(provider, i);
        for (unsigned bucket = 0; bucket < EXITS_BUCKETS; bucket++)
            row[EXITS_PER_TICK + bucket] = load(&provider->vcpus[i].exits_per_tick[bucket]);
    }
    return 0;
}

/* ---- 3. registering and counting ------------------------------------------------------------ */

/*
 * There is no release(): both groups use one struct, which demo_provider_free() frees after it has
 * unregistered them.
 */
static int register_groups(struct vitals_ctx *ctx, struct demo_provider *provider)
{
    struct vitals_group_ops vm = {
        VITALS_GROUP_OPS_INIT,
        .provider = "demo",
        .target = "vm",
        .stats = vm_stats,
        .n_stats = COUNT(vm_stats),
        .row_len = VM_ROW_LEN,
        .flags = VITALS_GROUP_CONCURRENT,
        .collect = collect_vm,
        .opaque = provider,
    };
    struct vitals_group_ops vcpu = {
        VITALS_GROUP_OPS_INIT,
        .provider = "demo",
        .target = "vcpu",
        .stats = vcpu_stats,
        .n_stats = COUNT(vcpu_stats),
        .row_len = VCPU_ROW_LEN,
        .flags = VITALS_GROUP_CONCURRENT,
        .collect = collect_vcpus,
        .opaque = provider,
    };
    int err = vitals_register(ctx, &vm, &provider->vm_group);

    return err < 0 ? err : vitals_register(ctx, &vcpu, &provider->vcpu_group);
}

int demo_provider_new(struct vitals_ctx *ctx, struct demo_vmm *vmm, unsigned n_vcpus,
                      struct demo_provider **ret_provider)
{
    struct demo_provider *provider =
        calloc(1, sizeof(*provider) + n_vcpus * sizeof(struct vcpu_counts));

    if (!provider)
        return -ENOMEM;
    provider->vmm = vmm;
    provider->n_vcpus = n_vcpus;
    provider->start = now();
    for (unsigned i = 0; i < n_vcpus; i++)
        demo_vcpu_path(i, provider->vcpus[i].path);

    int err = register_groups(ctx, provider);
    if (err < 0) {
        demo_provider_free(provider);
        return err;
    }
    *ret_provider = provider;
    return 0;
}

void demo_provider_free(struct demo_provider *provider)
{
    if (!provider)
        return;
    vitals_unregister(provider->vcpu_group);
    vitals_unregister(provider->vm_group);
    free(provider);
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void count_exits(struct demo_provider *provider, unsigned index)
{
    struct vcpu_counts *vcpu = &provider->vcpus[index];
    uint64_t exits = exits_handled(provider, index);
    uint64_t bucket = (exits - vcpu->exits_before) / EXITS_BUCKET_SIZE;

    vcpu->exits_before = exits;
    count(&vcpu->exits_per_tick[bucket < EXITS_BUCKETS ? bucket : EXITS_BUCKETS - 1]);
}

void demo_provider_tick(struct demo_provider *provider, size_t dirty_bytes)
{
    count(&provider->ticks);
    if (dirty_bytes > load(&provider->dirty_peak))
        atomic_store_explicit(&provider->dirty_peak, dirty_bytes, memory_order_relaxed);
    for (unsigned i = 0; provider->vmm && i < provider->n_vcpus; i++)
        count_exits(provider, i);
}
