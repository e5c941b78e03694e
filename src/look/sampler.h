/* SPDX-License-Identifier: MIT */
/* Asks all VMs again and again. */
#ifndef LOOK_SAMPLER_H
#define LOOK_SAMPLER_H

#include "look/look.h"
#include "look/series.h"

struct sampler_outcome {
    int err;
    struct client_error error;
    bool is_missing; /* it answered without any value: missing_check() has said so */
};

struct sampler {
    struct look *look;
    double time;                      /* when the last sample was asked for, seconds since 1970 */
    double epoch;                     /* of clock_now_ns(), in the same */
    struct series_vm *vms;            /* the values of each */
    struct sampler_outcome *outcomes; /* of asking each VM */
};

/* @look has been opened. False: no memory, which has been said. */
bool sampler_init(struct sampler *sampler, struct look *look);
void sampler_free(struct sampler *sampler);

/*
 * Asks all VMs at once for what is wanted. One that fails is complained about, and not asked again. Returns
 * how many are left.
 */
size_t sampler_sample(struct sampler *sampler);

/*
 * Shows each statistic of each object. @wants_deltas: since the sample before; a counter without one
 * is left out then.
 */
void sampler_each(struct sampler *sampler, bool wants_deltas,
                  void (*show)(void *opaque, const struct row *row), void *opaque);

/* Sleeps to the next multiple of @interval, so that the time that asking takes adds nothing. */
void sampler_wait(uint64_t *turn_ns, double interval);

/* The same before there is any output: a person is told what takes long. */
void sampler_wait_first(const struct sampler *sampler, uint64_t *turn_ns, double interval);

#endif
