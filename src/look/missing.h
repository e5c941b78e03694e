/* SPDX-License-Identifier: MIT */
/* VMs that answer, and leave out all that was asked for: their providers have failed. */
#ifndef LOOK_MISSING_H
#define LOOK_MISSING_H

#include "look/source.h"

/* Whether the sample has any value, if one is due: -EIO and the error if not. */
int missing_check(const struct source *source, const struct sample *sample,
                  struct client_error *error);

#endif
