/* SPDX-License-Identifier: MIT */
/*
 * What a statistic is called where OpenMetrics is read: `halt_wait_ns` of provider `kvm` and target
 * `vcpu`, nanoseconds that add up, is the counter `kvm_vcpu_halt_wait_seconds`. It follows from what
 * the schema says, so a statistic that is new today has its name, too.
 */
#ifndef METRICS_FAMILY_H
#define METRICS_FAMILY_H

#include "vitals/stats.h"
#include "base/buf.h"

enum family_kind { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_HISTOGRAM, FAMILY_INFO };

enum family_kind family_kind(const struct vitals_stat *stat);

/* "seconds", "bytes", "cycles"; NULL: it has none. */
const char *family_unit(const struct vitals_stat *stat);

/*
 * PROVIDER_TARGET_NAME: once where both are one word. The name is without the provider's, and without
 * what it says of its scale (_ns); the unit is its end. A histogram never has the name of a counter
 * beside it: it ends in _duration_seconds, _size_bytes, or _distribution.
 */
void family_put_name(struct buf *out, const char *provider, const char *target,
                     const struct vitals_stat *stat);

/* One line for people, ends in NUL: what it means, as far as is known, and what it is made of. */
void family_put_help(struct buf *out, const char *provider, const char *target,
                     const struct vitals_stat *stat);

#endif
