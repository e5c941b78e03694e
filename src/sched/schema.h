/* SPDX-License-Identifier: MIT */
/*
 * What the provider 'sched' says of a vCPU and of a VM, whoever reads it: a VMM of itself, or the
 * host of all VMs. An enum is both the place in a row and, in sched_stats, that of the description.
 */
#ifndef SCHED_SCHEMA_H
#define SCHED_SCHEMA_H

#include "base/error.h"
#include "stats/schema.h"

enum sched_target { SCHED_VM, SCHED_VCPU, SCHED_TARGETS };

enum sched_vcpu_stat {
    SCHED_RUN,
    SCHED_STEAL,
    SCHED_TIMESLICES,
    SCHED_USER,
    SCHED_SYSTEM,
    SCHED_VOLUNTARY_SWITCHES,
    SCHED_INVOLUNTARY_SWITCHES,
    SCHED_LAST_CPU,
    SCHED_VCPU_STATS,
};

enum sched_vm_stat {
    SCHED_RESIDENT,
    SCHED_THREADS,
    SCHED_MINOR_FAULTS,
    SCHED_MAJOR_FAULTS,
    SCHED_READ,
    SCHED_WRITTEN,
    SCHED_OTHER_THREADS,
    SCHED_THROTTLED,
    SCHED_VM_STATS,
};

enum { SCHED_STATS_MAX = 8 };

/* Statistics that this host can't give, as bits by their place: they are left out of the schema. */
#define SCHED_BIT(stat) (1u << (stat))

extern const char sched_provider[];
extern const char *const sched_targets[SCHED_TARGETS];

/* A row has a place for each statistic of its target, also for one that is left out. */
uint32_t sched_row_len(enum sched_target target);

/* -ENOMEM, and the text. */
int sched_schema_new(enum sched_target target, uint32_t left_out, struct error_text *error,
                     struct stats_schema **ret_schema);

/* The bits of the statistics that a query wants, inside collect() of a group with such a schema. */
uint32_t sched_wanted(const struct vitals_sink *sink, enum sched_target target, uint32_t left_out);

#endif
