/* SPDX-License-Identifier: MIT */
#include "vitals/vitals.h"

const char *vitals_version(void)
{
    return VITALS_VERSION;
}
