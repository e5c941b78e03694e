/* SPDX-License-Identifier: MIT */
/*
 * Statistics files of a VM, kept in a directory: a frame for each second. Frame 0 is the files
 * vm.0, vcpu0.0, vcpu1.0 ..., frame 1 is vm.1, vcpu0.1 ...; each is a copy of what the kernel gave.
 */
#ifndef DEMO_RECORDING_H
#define DEMO_RECORDING_H

#include "demo/vmm.h"

struct demo_recording;

/*
 * Opens the statistics files of @vmm, before its first demo_vmm_run(), and makes the directory if
 * it is missing.
 */
int demo_recording_create(struct demo_vmm *vmm, const char *directory,
                          struct demo_recording **ret_recording);

/* Writes the next frame. */
int demo_recording_save(struct demo_recording *recording);

/* Opens a directory: frame 0 is what the fds below show. */
int demo_recording_open(const char *directory, struct demo_recording **ret_recording);

/* Changes them to the next frame. -ENOENT: that was the last, and it stays. */
int demo_recording_load(struct demo_recording *recording);

/* Statistics files, as libvitals takes them. They belong to the recording. */
unsigned demo_recording_n_vcpus(const struct demo_recording *recording);
int demo_recording_vm_fd(const struct demo_recording *recording);
int demo_recording_vcpu_fd(const struct demo_recording *recording, unsigned index);

/* NULL is allowed. */
void demo_recording_free(struct demo_recording *recording);

#endif
