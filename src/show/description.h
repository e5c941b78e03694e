/* SPDX-License-Identifier: MIT */
/* What a statistic means, and what to do about it, as text for people. */
#ifndef SHOW_DESCRIPTION_H
#define SHOW_DESCRIPTION_H

#include "base/buf.h"
#include "kvm/meanings.h"
#include "vitals/stats.h"

#define DESCRIPTION_UNKNOWN                                                                        \
    "There is no explanation of this statistic here: the kernel or the VMM has added it."

/* One statistic. At least one of the last two is there. */
struct description {
    const char *provider, *target, *name;
    const struct vitals_stat *stat;        /* NULL: no VM was asked */
    const struct explanation *explanation; /* NULL: none */
};

/* The program's own words, else the VMM's, else that there are none. */
const char *description_meaning(const struct description *description);

/* Appends its lines, but for the name: the meaning, "Of: each vCPU", "Type: ...", "High: ...". */
void description_put(struct buf *out, const struct description *description, size_t width);

/* The same, but what to do comes before type and unit, and what a path says already is left out. */
void description_put_advice(struct buf *out, const struct description *description, size_t width);

#endif
