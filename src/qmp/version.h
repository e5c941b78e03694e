/* SPDX-License-Identifier: MIT */
#ifndef QMP_VERSION_H
#define QMP_VERSION_H

#include "qmp/dialect.h"

/* The VersionInfo of the greeting and of query-version. */
void qmp_put_version(struct buf *out, const struct qmp_dialect *dialect);

#endif
