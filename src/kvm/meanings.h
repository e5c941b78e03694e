/* SPDX-License-Identifier: MIT */
/* What statistics mean, and what to do about them. */
#ifndef KVM_MEANINGS_H
#define KVM_MEANINGS_H

#include <stdbool.h>
#include <stddef.h>

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

/* Whether the counter @name only sums up what others count for themselves. */
bool kvm_is_sum_of_others(const char *name);

/* ---- figures -------------------------------------------------------------------------------- */

enum { FIGURE_NAMES_MAX = 3 };

/* A sum of statistics of vCPUs. */
struct figure {
    const char *title;
    const char *names[FIGURE_NAMES_MAX]; /* counters that are added up */
    bool is_share;                       /* seconds of a second */
    const char *goes_on; /* of a share: is 1 while something goes on that it counts at its end */
};

/* What says most about a VM, the most telling first: a narrow screen leaves out the last. */
extern const struct figure figures[];
extern const size_t n_figures;

#endif
