/* SPDX-License-Identifier: MIT */
/* Asks VMs turn by turn, as -i and -n say. */
#ifndef LOOK_TURNS_H
#define LOOK_TURNS_H

#include "look/sampler.h"

/* How many there will be; 0: without end. */
unsigned long look_count_turns(const struct look_options *options);

/*
 * Opens the VMs that the options mean, and has @show print each sample. @is_rates: the first sample
 * is only what the second one is compared with. For one output all VMs are waited for; for more they
 * are watched: they come, fail, return and go. Ends after the last turn, when standard output takes no
 * more, or when @show returns false; both are errors. Returns the exit status.
 */
int look_turns(struct look *look, bool is_rates,
               bool (*show)(void *opaque, struct sampler *sampler), void *opaque);

/* Whether there may be several VMs, so that each must be named. */
bool look_has_many(const struct look *look);

#endif
