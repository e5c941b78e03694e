/* SPDX-License-Identifier: MIT */
/*
 * In the place of the VMM where guest.S is no code for this CPU: no VM can be made, so none is run.
 * What is recorded can still be shown.
 */
#include <errno.h>
#include <stdio.h>

#include "demo/vmm.h"

int demo_vmm_new(const struct demo_vmm_options *options, struct demo_vmm **ret_vmm,
                 char error[DEMO_ERROR_MAX])
{
    (void)options;
    (void)ret_vmm;
    snprintf(error, DEMO_ERROR_MAX, "no guest for this CPU: its code is for x86-64");
    return -ENOSYS;
}

void demo_vmm_run(struct demo_vmm *vmm)
{
    (void)vmm;
}

void demo_vmm_pause(struct demo_vmm *vmm)
{
    (void)vmm;
}

void demo_vmm_kick(struct demo_vmm *vmm)
{
    (void)vmm;
}

int demo_vmm_take_dirty(struct demo_vmm *vmm, size_t *ret_bytes)
{
    (void)vmm;
    (void)ret_bytes;
    return -ENOSYS;
}

void demo_vmm_free(struct demo_vmm *vmm)
{
    (void)vmm;
}

int demo_vmm_fd(const struct demo_vmm *vmm)
{
    (void)vmm;
    return -ENOSYS;
}

unsigned demo_vmm_n_vcpus(const struct demo_vmm *vmm)
{
    (void)vmm;
    return 0;
}

int demo_vmm_vcpu_fd(const struct demo_vmm *vmm, unsigned index)
{
    (void)vmm;
    (void)index;
    return -ENOSYS;
}

pid_t demo_vmm_vcpu_thread(const struct demo_vmm *vmm, unsigned index)
{
    (void)vmm;
    (void)index;
    return -1;
}

uint64_t demo_vmm_exits_handled(const struct demo_vmm *vmm, unsigned index)
{
    (void)vmm;
    (void)index;
    return 0;
}

int demo_vmm_failed(struct demo_vmm *vmm, char error[DEMO_ERROR_MAX])
{
    (void)vmm;
    (void)error;
    return 0;
}
