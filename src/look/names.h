/* SPDX-License-Identifier: MIT */
/* The names that a shell completes: of VMs, and of what they have. */
#ifndef LOOK_NAMES_H
#define LOOK_NAMES_H

#include "args/cli.h"

/*
 * Asks the VMs that the options typed so far mean, quickly and without a complaint: of this host
 * where no socket is named and that is allowed. Statistics of KVM that are known are offered where
 * none answers. Each name comes once; standard error is closed to all that comes later.
 */
void look_offer_names(const struct cli_typed *typed, enum cli_words kind,
                      void (*offer)(void *opaque, const char *name), void *opaque);

#endif
