/* SPDX-License-Identifier: MIT */
/* What is told of a machine, for who tells it of many. */
#ifndef QMP_MACHINE_H
#define QMP_MACHINE_H

#include "base/buf.h"
#include "vitals/stats.h"

/* What query-cpus-fast returns of a context. -ENOMEM, and nothing is written. */
int machine_put_cpus(struct buf *out, struct vitals_ctx *ctx);

#endif
