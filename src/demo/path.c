/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "demo/vmm.h"

void demo_vcpu_path(unsigned index, char path[DEMO_PATH_MAX])
{
    snprintf(path, DEMO_PATH_MAX, "/machine/unattached/device[%u]", index);
}
