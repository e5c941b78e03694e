/* SPDX-License-Identifier: MIT */
/* libvitals: the statistics of virtual machines, published over QMP. Includes all of the API. */
#ifndef VITALS_H
#define VITALS_H

#include "vitals/stats.h"
#include "vitals/counters.h"
#include "vitals/kvm.h"
#include "vitals/sched.h"
#include "vitals/publish.h"
#include "vitals/qmp.h"
#include "vitals/ffi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library, e.g. "0.1.0". */
const char *vitals_version(void);

#ifdef __cplusplus
}
#endif
#endif
