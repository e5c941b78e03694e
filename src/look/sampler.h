/* SPDX-License-Identifier: MIT */
/* Asks all VMs at once, or takes what a watch has of them. */
#ifndef LOOK_SAMPLER_H
#define LOOK_SAMPLER_H

#include "look/look.h"
#include "look/series.h"
#include "show/row_output.h"

struct sampler_vm {
    char *name, *socket;                /* as they are shown; NULL: there is no VM */
    const struct client_origin *origin; /* stays as the descriptions of the values do */
    struct series_vm values;
    bool is_here; /* its values are of this sample */
    /* Else: */
    char *reason;   /* or NULL: it is only late */
    double since;   /* when it had been asked, seconds since 1970 */
    double silence; /* for how long its answer is awaited */
};

struct sampler_outcome {
    int err;
    struct client_error error;
};

struct sampler {
    struct look *look;
    double time;  /* when the last sample was asked for, seconds since 1970 */
    double epoch; /* of clock_now_ns(), in the same */
    struct sampler_vm *vms;
    size_t n_vms;
    struct sampler_outcome *outcomes; /* of asking each VM */
};

/* @look has been opened, or will be watched. False: no memory, which has been said. */
bool sampler_init(struct sampler *sampler, struct look *look);
void sampler_free(struct sampler *sampler);

/*
 * Asks all VMs at once for what is wanted. One that fails is complained about, and not asked again.
 * Returns how many are left.
 */
size_t sampler_sample(struct sampler *sampler);

/*
 * Takes what the watch has of each VM. One that fails is complained about, and so is its return.
 * False: no memory, which has been said.
 */
bool sampler_take(struct sampler *sampler, struct watch *watch);

/*
 * Shows each statistic of each object. @wants_deltas: since the sample before; a counter without one
 * is left out then.
 */
void sampler_each(struct sampler *sampler, bool wants_deltas,
                  void (*show)(void *opaque, const struct row *row), void *opaque);

/* Shows each VM that is not in this sample. */
void sampler_each_absent(const struct sampler *sampler,
                         void (*show)(void *opaque, const struct row_absent *absent), void *opaque);

/* Sleeps to the next multiple of @interval, so that the time that asking takes adds nothing. */
void sampler_wait(uint64_t *turn_ns, double interval);

/* The same before there is any output: a person is told what takes long. */
void sampler_wait_first(const struct sampler *sampler, uint64_t *turn_ns, double interval);

#endif
