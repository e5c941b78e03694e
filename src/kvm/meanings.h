/* SPDX-License-Identifier: MIT */
/* What statistics mean, and what to do about them. */
#ifndef KVM_MEANINGS_H
#define KVM_MEANINGS_H

#include <stdbool.h>
#include <stddef.h>

#define KVM_BLOCKING "blocking" /* a statistic: not 0 while the vCPU is halted */

struct explanation {
    const char *provider, *target, *name;
    const char *meaning; /* begins with a sentence that can stand alone */
    const char *high;    /* when a high value is bad */
    const char *next;    /* what to do then */
};

/* All of x86 KVM's, of the VM and then of vCPUs, and those of the providers "sched" and "demo". */
extern const struct explanation explanations[];
extern const size_t n_explanations;

/* NULL: somebody else has added it. */
const struct explanation *explanation_find(const char *provider, const char *target,
                                           const char *name);

/* ---- statistics that belong together -------------------------------------------------------- */

/* The name of the counter that sums up what the histogram @name counts, or NULL. */
const char *kvm_sum_of_histogram(const char *name);

/* Whether the counter of vCPUs @name counts exits of one cause. */
bool kvm_is_cause_of_exits(const char *name);

/* ---- figures -------------------------------------------------------------------------------- */

enum { FIGURES_MAX = 16, FIGURE_NAMES_MAX = 3 };

enum figure_kind {
    FIGURE_COUNT, /* events */
    FIGURE_SHARE, /* seconds of a second */
    FIGURE_BYTES, /* of this moment, or at most so far */
};

/* A sum of statistics of the vCPUs, or of the VM. */
struct figure {
    const char *title;
    const char *provider, *target;
    const char *names[FIGURE_NAMES_MAX];
    enum figure_kind kind;
    unsigned rank;       /* a narrow screen leaves out the highest */
    const char *goes_on; /* of a share: is 1 while something goes on that it counts at its end */
};

/* What says most about a VM: how busy it is, then its exits and their causes. */
extern const struct figure figures[];
extern const size_t n_figures;

/* The place in figures[] of the one that the statistic is a part of; -1: there is none. */
int figure_of_stat(const char *provider, const char *target, const char *name);

/* The CPU that a vCPU ran on. */
bool sched_is_last_cpu(const char *provider, const char *name);

/* Whether lists of VMs and vCPUs need the statistic: for a figure, or beside the figures. */
bool lists_need_stat(const char *provider, const char *target, const char *name);

#endif
