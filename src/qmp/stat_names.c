/* SPDX-License-Identifier: MIT */
#include "qmp/stat_names.h"

#include <string.h>

#include "base/count.h"
#include "qapi_commands.h"
#include "qmp/dialect.h"
#include "stats/schema.h"

/* What 'flat' calls two types in another way than the public header does. */
enum { VITALS_LINEAR_HISTOGRAM = VITALS_LINEAR_HIST, VITALS_LOG2_HISTOGRAM = VITALS_LOG_HIST };

static const char *const grouped_types[] = {GROUPED_STATS_TYPE_NAMES};
static const char *const flat_types[] = {FLAT_STATS_TYPE_NAMES};
ASSERT_COUNT(grouped_types, STAT_TYPES);
ASSERT_COUNT(flat_types, STAT_TYPES);

/* The proposal knows no booleans. */
static const char *const grouped_units[] = {GROUPED_STATS_UNIT_NAMES, [VITALS_BOOLEAN] = "none"};
static const char *const flat_units[] = {FLAT_STATS_UNIT_NAMES};
ASSERT_COUNT(grouped_units, STAT_UNITS);
ASSERT_COUNT(flat_units, STAT_UNITS);

static const char *const *const types[] = {
    [VITALS_DIALECT_GROUPED] = grouped_types,
    [VITALS_DIALECT_FLAT] = flat_types,
};
ASSERT_COUNT(types, QMP_DIALECTS);
static const char *const *const units[] = {
    [VITALS_DIALECT_GROUPED] = grouped_units,
    [VITALS_DIALECT_FLAT] = flat_units,
};
ASSERT_COUNT(units, QMP_DIALECTS);

static int find(const char *const *names, int n, const char *name)
{
    for (int i = 0; name && i < n; i++)
        if (names[i] && !strcmp(names[i], name))
            return i;
    return -1;
}

const char *stat_type_name(enum vitals_dialect dialect, uint8_t type)
{
    return types[dialect][type];
}

const char *stat_unit_name(enum vitals_dialect dialect, uint8_t unit)
{
    return units[dialect][unit];
}

int stat_type_find(enum vitals_dialect dialect, const char *name)
{
    return find(types[dialect], STAT_TYPES, name);
}

int stat_unit_find(enum vitals_dialect dialect, const char *name)
{
    return find(units[dialect], STAT_UNITS, name);
}
