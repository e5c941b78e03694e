/* SPDX-License-Identifier: MIT */
/* What all VMs that are meant give, for an exposition: those that fail are in it as what fails. */
#ifndef LOOK_EXPOSITION_H
#define LOOK_EXPOSITION_H

#include "look/look.h"
#include "look/source.h"
#include "metrics/openmetrics.h"

/* What came of asking a VM. */
struct exposition_vm {
    struct sample sample;
    struct client_error error;
    int err;
};

struct exposition {
    struct look *look;
    struct metrics *metrics;
    struct exposition_vm *vms; /* as the look's */
    char **names;              /* of the sockets that were lost */
    bool (*wants)(const void *opaque, const struct client_stat *stat);
    const void *opaque;
};

/*
 * Asks all VMs, each once, for what @wants says, and for the sums of histograms. Returns 0, or the exit
 * status that says what is missing: what there is can be written nevertheless, unless `metrics` is
 * NULL.
 */
int exposition_take(struct exposition *exposition);
void exposition_free(struct exposition *exposition);

#endif
