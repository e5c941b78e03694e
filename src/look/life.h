/* SPDX-License-Identifier: MIT */
/* What tells two lives of a VM apart, as a snapshot keeps it: threads, their process, the host. */
#ifndef LOOK_LIFE_H
#define LOOK_LIFE_H

#include "look/look.h"

/*
 * JSON only, in front of an output's list: the host and its boot, and of each VM whose it is, its
 * state, the threads of its vCPUs, and the process that they are of, with the times when they began.
 */
void life_put(struct record_writer *to, const struct look *look);

#endif
