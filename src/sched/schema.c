/* SPDX-License-Identifier: MIT */
#include "sched/schema.h"

#include "base/count.h"

const char sched_provider[] = "sched";
const char *const sched_targets[SCHED_TARGETS] = {[SCHED_VM] = "vm", [SCHED_VCPU] = "vcpu"};

#define STAT(place, name_, type_, unit_, exponent_, help_)                                         \
    [place] = {.name = (name_),                                                                    \
               .help = (help_),                                                                    \
               .type = (type_),                                                                    \
               .unit = (unit_),                                                                    \
               .base = 10,                                                                         \
               .exponent = (exponent_),                                                            \
               .count = 1,                                                                         \
               .slot = (place)}
#define TIME(place, name, help)      STAT(place, name, VITALS_CUMULATIVE, VITALS_SECONDS, -9, help)
#define EVENTS(place, name, help)    STAT(place, name, VITALS_CUMULATIVE, VITALS_NONE, 0, help)
#define BYTES(place, name, help)     STAT(place, name, VITALS_CUMULATIVE, VITALS_BYTES, 0, help)
#define NOW(place, name, unit, help) STAT(place, name, VITALS_INSTANT, unit, 0, help)

static const struct vitals_stat vcpu_stats[] = {
    TIME(SCHED_RUN, "run_ns", "Time that the vCPU's thread had a CPU."),
    TIME(SCHED_STEAL, "steal_ns",
         "Time that the vCPU's thread was ready to run and had to wait for a CPU."),
    EVENTS(SCHED_TIMESLICES, "timeslices", "Times that the vCPU's thread got a CPU."),
    TIME(SCHED_USER, "user_ns", "Part of run_ns that went to the guest and to the VMM's own code."),
    TIME(SCHED_SYSTEM, "system_ns", "Part of run_ns that the host's kernel used, such as KVM."),
    EVENTS(SCHED_VOLUNTARY_SWITCHES, "voluntary_switches",
           "Times that the vCPU's thread gave its CPU up because it had to wait."),
    EVENTS(SCHED_INVOLUNTARY_SWITCHES, "involuntary_switches",
           "Times that the CPU was taken away from the vCPU's thread."),
    NOW(SCHED_LAST_CPU, "last_cpu", VITALS_NONE,
        "The CPU of the host on which the vCPU's thread runs, or ran last."),
};
ASSERT_COUNT(vcpu_stats, SCHED_VCPU_STATS);

static const struct vitals_stat vm_stats[] = {
    NOW(SCHED_RESIDENT, "resident_bytes", VITALS_BYTES,
        "Memory of the host that the VMM's process holds, that of the guest included."),
    NOW(SCHED_THREADS, "threads", VITALS_NONE, "Threads of the VMM's process."),
    EVENTS(SCHED_MINOR_FAULTS, "minor_faults",
           "Page faults of the VMM's process that needed nothing from storage."),
    EVENTS(SCHED_MAJOR_FAULTS, "major_faults",
           "Page faults of the VMM's process that waited for storage."),
    BYTES(SCHED_READ, "read_bytes", "Bytes that the VMM's process had read from storage."),
    BYTES(SCHED_WRITTEN, "written_bytes",
          "Bytes that the VMM's process caused to be written to storage."),
    TIME(SCHED_OTHER_THREADS, "other_threads_ns",
         "CPU time of all threads of the VMM's process that are no vCPU, such as I/O threads."),
    TIME(SCHED_THROTTLED, "throttled_ns",
         "Time that a CPU quota held the VM back, added up over CPUs and over all of its control "
         "groups."),
};
ASSERT_COUNT(vm_stats, SCHED_VM_STATS);

static const struct {
    const struct vitals_stat *stats;
    uint32_t n;
} tables[SCHED_TARGETS] = {
    [SCHED_VM] = {vm_stats, SCHED_VM_STATS},
    [SCHED_VCPU] = {vcpu_stats, SCHED_VCPU_STATS},
};
_Static_assert((int)SCHED_VM_STATS <= SCHED_STATS_MAX && (int)SCHED_VCPU_STATS <= SCHED_STATS_MAX,
               "SCHED_STATS_MAX is the larger of the two");

uint32_t sched_row_len(enum sched_target target)
{
    return tables[target].n;
}

int sched_schema_new(enum sched_target target, uint32_t left_out, struct error_text *error,
                     struct stats_schema **ret_schema)
{
    struct vitals_stat stats[SCHED_STATS_MAX];
    struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = sched_provider,
                                   .target = sched_targets[target], .stats = stats,
                                   .row_len = sched_row_len(target)};

    for (uint32_t i = 0; i < tables[target].n; i++)
        if (!(left_out & SCHED_BIT(i)))
            stats[ops.n_stats++] = tables[target].stats[i];
    return schema_new(&ops, error, ret_schema);
}

uint32_t sched_wanted(const struct vitals_sink *sink, enum sched_target target, uint32_t left_out)
{
    uint32_t wanted = 0, index = 0;

    for (uint32_t i = 0; i < tables[target].n; i++)
        if (!(left_out & SCHED_BIT(i)) && vitals_wants(sink, index++))
            wanted |= SCHED_BIT(i);
    return wanted;
}
