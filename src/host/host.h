/* SPDX-License-Identifier: MIT */
/*
 * All VMs of this host, read from the kernel: of any VMM, as they are, undisturbed.
 *
 *      host_open() ──> (host_read() ──> host_vms())* ──> host_close()
 *
 * or, in place of host_read(), a pass in parts, between which there is time for something else:
 *
 *      host_begin() ──> host_go_on()* ──> host_end()
 *
 * host_open() needs what bpf_kvm_open() needs; no capability is needed afterwards. One thread at a
 * time.
 *
 * VMs whose VMMs register them stand in the same list. Where nothing can be, or is to be, read from the
 * kernel, they are all there is: host_open_empty().
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "bpf/why.h"
#include "host/registered.h"
#include "host/roster.h"
#include "host/vm.h"

struct host;

/* @root is "", or a directory that stands for "/" in the checks. Nothing has been read yet. */
int host_open(const char *root, struct bpf_why *why, struct host **ret_host);
int host_open_empty(struct host **ret_host); /* -ENOMEM */
void host_close(struct host *host);          /* NULL is allowed */

/*
 * One pass over the kernel: VMs, vCPUs and values are as they are now. Queries of a VM's context get
 * the values of the last pass. -errno; -ENOMEM: some are left out until the next pass. Those that have
 * registered are read all the same.
 */
int host_read(struct host *host);

/*
 * The same in parts. host_go_on() returns some time after @until_ns of CLOCK_MONOTONIC, or when nothing is
 * left: then it is false. host_end() takes what is left. Until then a VM has values of this pass or of the
 * one before, and host_vms() must be asked again afterwards. host_read_vm() may come in between: what it
 * has read is newer, and stays. VMs that register, or go, have the pass come to its end first.
 */
void host_begin(struct host *host);
bool host_go_on(struct host *host, uint64_t until_ns);
int host_end(struct host *host);

/*
 * One pass over the process of @vm alone, which is much cheaper: the values of all its VMs that are as
 * the last pass over all had them. -errno: this one is not, or the kernel has no such passes (before
 * Linux 6.1): a pass over all must follow. Which VMs there are never changes.
 */
int host_read_vm(struct host *host, struct host_vm *vm);
bool host_reads_vms(const struct host *host); /* it can */

/* How long reading those took that have registered. */
uint64_t host_registered_ns(const struct host *host);

/* When the last pass began, of CLOCK_MONOTONIC. Stays at its place until the host is closed. */
const uint64_t *host_time_ns(const struct host *host);

/*
 * In the order in which passes found them, of one pass the oldest process first: what is new stands at
 * the end. Valid until the next pass begins, as are VMs without a reference.
 */
struct host_vm *const *host_vms(const struct host *host, size_t *ret_n);

/*
 * A VM that its VMM has registered, which has sent the statistics file @fd: it belongs to the host if
 * this succeeds. It is there until it is taken away. One that passes find as well is one VM: this one,
 * if the VM is its user's. The key of @registration is filled in here. -EACCES: the VM is another
 * user's; -EEXIST: it has been registered already; others as of registered_new().
 */
int host_register(struct host *host, struct registration *registration, int fd,
                  struct error_text *error, struct host_vm **ret_vm);
void host_unregister(struct host *host, struct host_vm *vm);

/*
 * From the next pass on it has the registered VMs of another host, as a roster tells them, which another
 * thread may change. The roster must stay until this is closed.
 */
void host_follow(struct host *host, struct roster *roster);

/*
 * One vCPU of a VM that has registered. -EINVAL: the file is one of another VM; others as of
 * registered_add_vcpu(). Its vCPUs are sent many at a time: @is_first of those that are.
 */
int host_register_vcpu(struct host *host, struct host_vm *vm, const char *path, pid_t thread,
                       int fd, bool is_first, struct error_text *error);

#endif
