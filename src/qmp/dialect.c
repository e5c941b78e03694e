/* SPDX-License-Identifier: MIT */
#include "qmp/dialect.h"

const struct qmp_dialect *qmp_dialect(enum vitals_dialect dialect)
{
    switch (dialect) {
    case VITALS_DIALECT_GROUPED:
        return &qmp_grouped;
    case VITALS_DIALECT_FLAT:
        return &qmp_flat;
    }
    return NULL;
}
