/* SPDX-License-Identifier: MIT */
/*
 * The kernel's word that a VM has begun or ended, so that nobody waits for the next pass to see it. It is
 * a hint: messages get lost, and not each kernel, container or sandbox lets them be had.
 */
#ifndef SERVE_UEVENTS_H
#define SERVE_UEVENTS_H

#include <stdbool.h>
#include <stddef.h>

enum { UEVENT_BYTES_MAX = 8192, UEVENTS_AT_A_TIME = 256 };

/* A socket, or -errno. */
int uevents_open(void);

/* Takes what has arrived. Whether it may tell of VMs; of lost messages nobody knows. */
bool uevents_take(int fd);

/* "change@/devices/virtual/misc/kvm", and lines behind it, each with a NUL. */
bool uevent_is_of_vm(const char *message, size_t len);

#endif
