/* SPDX-License-Identifier: MIT */
/* What the dialects call types and units. The names are those of the contract, in qapi/. */
#ifndef QMP_STAT_NAMES_H
#define QMP_STAT_NAMES_H

#include "vitals/qmp.h"
#include "vitals/stats.h"

const char *stat_type_name(enum vitals_dialect dialect, uint8_t type);

/* NULL: the dialect says it by leaving the unit out. */
const char *stat_unit_name(enum vitals_dialect dialect, uint8_t unit);

/* An enum vitals_type or vitals_unit, or -1. @name may be NULL, which is none. */
int stat_type_find(enum vitals_dialect dialect, const char *name);
int stat_unit_find(enum vitals_dialect dialect, const char *name);

#endif
