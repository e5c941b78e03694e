/* SPDX-License-Identifier: MIT */
/* VMs that answer, and leave out all that was asked for: their providers have failed. */
#ifndef LOOK_MISSING_H
#define LOOK_MISSING_H

#include "look/sampler.h"

/* Of the last sample: complains, once about each VM. Returns how many VMs have values. */
size_t missing_check(struct sampler *sampler);

#endif
