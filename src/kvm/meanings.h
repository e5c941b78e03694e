/* SPDX-License-Identifier: MIT */
/* What statistics mean, and what to do about them. */
#ifndef KVM_MEANINGS_H
#define KVM_MEANINGS_H

#include <stddef.h>

struct explanation {
    const char *provider, *target, *name;
    const char *meaning; /* begins with a sentence that can stand alone */
    const char *high;    /* when a high value is bad */
    const char *next;    /* what to do then */
};

/* All of x86 KVM's, of the VM and then of vCPUs, and those of the provider "demo". */
extern const struct explanation explanations[];
extern const size_t n_explanations;

/* NULL: somebody else has added it. */
const struct explanation *explanation_find(const char *provider, const char *target,
                                           const char *name);

#endif
