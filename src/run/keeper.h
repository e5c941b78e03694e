/* SPDX-License-Identifier: MIT */
/*
 * The process that `vitals run` leaves behind: it keeps the statistics files of the VMs that the shim
 * tells of, and shows them, as long as the command runs, or one of the VMs is there, or somebody who can make one.
 */
#ifndef RUN_KEEPER_H
#define RUN_KEEPER_H

#include "base/error.h"
#include "run/intake.h"
#include "run/vm.h"

/*
 * Starts it: no child of this process, which will be the command, no process of its terminal, and
 * without its files. The intake is the keeper's. -errno.
 */
int keeper_start(const struct run_place *place, struct intake *intake, struct error_text *error);

#endif
