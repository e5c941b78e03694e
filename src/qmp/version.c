/* SPDX-License-Identifier: MIT */
#include "qmp/version.h"

#include "vitals/vitals.h"

void qmp_put_version(struct buf *out, const struct qmp_dialect *dialect)
{
    buf_printf(out,
               "{\"qemu\": {\"micro\": %u, \"minor\": %u, \"major\": %u}, "
               "\"package\": \"vitals %s\"}",
               dialect->qemu_micro, dialect->qemu_minor, dialect->qemu_major, vitals_version());
}
