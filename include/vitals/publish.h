/* SPDX-License-Identifier: MIT */
/*
 * Registration with the daemon of the host (`vitals serve`): the VM is shown there by its name and
 * UUID, with its vCPUs by their paths, whether it is paused, and also where the daemon can't read the
 * kernel. One call, behind those of vitals/kvm.h:
 *
 *      vitals_publish(ctx, kvm, NULL);
 *
 * From then on the daemon is told of all changes: vCPUs that are added and removed, their threads,
 * vitals_set_running(). It gets the statistics files, and reads them itself, so the VMM has nothing to
 * do with queries, and needs no server. Where there is no daemon, nothing happens; when one comes, or
 * comes back, it is told within a second.
 *
 * A thread of the library does this, with all signals blocked. It sleeps while nothing changes, but wakes
 * once a second for statistics of the VMM's own, where there are some (vitals_publish()); without a
 * daemon it tries to connect twice a second. It holds none of the VMM's locks, no other call of the
 * library waits for the daemon, and the daemon can't make the VMM do anything.
 *
 * What the daemon refuses is told to the log callback of the context, once for each cause. That there is
 * no daemon is no cause.
 */
#ifndef VITALS_PUBLISH_H
#define VITALS_PUBLISH_H

#include "vitals/kvm.h"
#include "vitals/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VITALS_REGISTER_SOCKET     "/run/vitals/register.sock" /* of the host's daemon */

#define VITALS_PUBLISH_INTERVAL_MS 1000 /* between two moments of own statistics, by default */

enum vitals_publish_flags {
    VITALS_PUBLISH_KVM_ALONE = 1 << 0, /* the VMM's own statistics are not shown by the daemon */
};

struct vitals_publish_options {
    size_t size;      /* VITALS_PUBLISH_OPTIONS_INIT */
    const char *path; /* register.sock of a daemon; NULL: VITALS_REGISTER_SOCKET */
    const char *vmm; /* the VMM's own name, such as "tiny-vmm", 1 to 31 bytes; NULL: it says none */
    /*
     * Called first in the thread, in that thread, as on_thread of struct vitals_server_options. Which
     * system calls are made from then on is in vitals(3). NULL: nothing is called.
     */
    void (*on_thread)(void *on_thread_opaque);
    void *on_thread_opaque; /* borrowed until vitals_unpublish() */
    uint32_t flags;         /* enum vitals_publish_flags */
    uint32_t interval_ms;   /* of the VMM's own statistics; 0: VITALS_PUBLISH_INTERVAL_MS */
};
#define VITALS_PUBLISH_OPTIONS_INIT .size = sizeof(struct vitals_publish_options)

/*
 * Begins to. Groups that the VMM has registered (vitals_register(), vitals_counters_new()) are shown by
 * the daemon, too, unless @flags says no. As nobody is to wait for the VMM there, their rows are written
 * to memory that the daemon reads, every interval_ms: their collect() is called in the thread. Where the
 * context has no such groups, nothing is. Those that may block are left out, and so are all but the first
 * 1024 objects of a group; a daemon takes 16 providers and targets, each with 1024 statistics of one
 * description.
 *
 * The VM's name and UUID are those of the context. @kvm must be of @ctx, and have the VM's
 * own statistics; it can't be freed before vitals_unpublish(), nor can the context. @options may be NULL.
 *
 * The socket is opened by its path whenever there is need: behind chroot() it is looked for there, and a
 * sandbox that refuses socket() and connect() to the thread ends the registration with the connection.
 *
 * Returns at once, whether there is a daemon or not. -EINVAL: the context has no name, or @kvm is NULL,
 * another context's, or made without an fd of the VM; -ENAMETOOLONG: the path; -EEXIST: the context is
 * published already; -E2BIG: a member of a newer header is not 0; -EBUSY: from inside collect();
 * -EAGAIN: no thread to be had; -EMFILE; -ENOMEM. The text is in the context.
 */
int vitals_publish(struct vitals_ctx *ctx, struct vitals_kvm *kvm,
                   const struct vitals_publish_options *options);

/*
 * Ends it: the daemon forgets the VM. Waits for the thread to end, which waits for nobody, but comes back
 * from the collect() that it is inside of. One that is not published is 0. -EBUSY: from inside collect().
 *
 * A child made by fork() has no part in it: the VM is its parent's, for as long as that lives. There this
 * closes the child's copy of the connection, and the child may publish its copy of the context then, as
 * behind daemon(3).
 */
int vitals_unpublish(struct vitals_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
