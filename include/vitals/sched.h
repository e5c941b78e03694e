/* SPDX-License-Identifier: MIT */
/*
 * Provider "sched": what the host gave to the VM. Of each vCPU, how long its thread had a CPU, how
 * long it waited for one (steal), how often it got one; of the VM, memory, page faults, storage, the
 * CPU time of the threads that are no vCPU, and how long CPU quotas held it back.
 *
 * A VMM asks for it of itself:
 *
 *      vitals_kvm_new(), vitals_kvm_add_vcpu(), vitals_object_set_thread()    as in vitals/kvm.h
 *      vitals_sched_new(ctx, &sched);
 *
 * It tells of the vCPUs that the context has (vitals_object_add(), which provider 'kvm' does for its
 * own) and whose threads are known. A vCPU whose thread has ended, or is another process's, has no
 * row of this provider.
 *
 * Clients that expect one provider alone, as libvirt does of QEMU, may be confused by a second one.
 * So it is there only if the VMM makes it.
 *
 * The source is /proc. Of what is read again and again, up to VITALS_SCHED_FILES_MAX files stay open.
 * A query is charged only for what it asks for: run_ns, steal_ns and timeslices of a vCPU are one
 * read, and cheaper than the others.
 */
#ifndef VITALS_SCHED_H
#define VITALS_SCHED_H

#include "vitals/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Files that one provider holds open at most, of vCPUs (one each) and of directories. */
#define VITALS_SCHED_FILES_MAX 64

struct vitals_sched; /* the provider 'sched' of one context */

/*
 * Make it before the VMM confines itself: directories that are open by then stay usable behind a
 * chroot(). What this host does not count, or does not let the process read, is left out of the
 * schema: read_bytes and written_bytes, throttled_ns. -ENOENT: no /proc with this process is mounted;
 * -EACCES; -EOPNOTSUPP: this kernel does not count how long threads wait; -EEXIST: as
 * vitals_register(); -EBUSY: from inside collect(); -EMFILE; -ENOMEM.
 */
int vitals_sched_new(struct vitals_ctx *ctx, struct vitals_sched **ret_sched);

/* Removes the provider. Before vitals_ctx_free(). -EBUSY from inside collect(). NULL is allowed. */
int vitals_sched_free(struct vitals_sched *sched);

#ifdef __cplusplus
}
#endif
#endif
