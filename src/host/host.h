/* SPDX-License-Identifier: MIT */
/*
 * All VMs of this host, read from the kernel: of any VMM, as they are, undisturbed.
 *
 *      host_open() ──> (host_read() ──> host_vms())* ──> host_close()
 *
 * host_open() needs what bpf_kvm_open() needs; no capability is needed afterwards. One thread at a
 * time.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "bpf/why.h"
#include "host/vm.h"

struct host;

/* @root is "", or a directory that stands for "/" in the checks. Nothing has been read yet. */
int host_open(const char *root, struct bpf_why *why, struct host **ret_host);
void host_close(struct host *host); /* NULL is allowed */

/*
 * One pass over the kernel: VMs, vCPUs and values are as they are now. Queries of a VM's context get
 * the values of the last pass. -errno; -ENOMEM: some are left out until the next pass.
 */
int host_read(struct host *host);

/* When the last pass began, of CLOCK_MONOTONIC. Stays at its place until the host is closed. */
const uint64_t *host_time_ns(const struct host *host);

/*
 * In the order in which passes found them, of one pass the oldest process first: what is new stands at
 * the end. Valid until the next pass, as are VMs without a reference.
 */
struct host_vm *const *host_vms(const struct host *host, size_t *ret_n);

#endif
