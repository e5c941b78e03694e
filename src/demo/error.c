/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "demo/vmm_private.h"

int vmm_error(struct demo_vmm *vmm, int err, const char *what)
{
    if (!vmm->error[0]) {
        errno = -err;
        snprintf(vmm->error, sizeof(vmm->error), "%s: %m", what);
    }
    return err;
}
