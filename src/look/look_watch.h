/* SPDX-License-Identifier: MIT */
/* VMs that are watched: asked turn by turn, while they come, fail, return and go. */
#ifndef LOOK_LOOK_WATCH_H
#define LOOK_LOOK_WATCH_H

#include "look/look.h"

/*
 * In place of look_open(): watches the VMs that the options mean, from the first turn on. Returns as
 * soon as one has answered and what is wanted is found; those that don't answer are not waited for
 * then. Also where nothing answers, or nothing has what is wanted: that has been said. 0, or the exit
 * status. watch_stop() must come before the look is freed.
 */
int look_watch(struct look *look, double interval, struct watch **ret_watch);

/* What is wrong, without the path in front that @error names. */
const char *look_reason(const struct client_error *error, const char *path);

#endif
