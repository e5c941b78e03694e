/* SPDX-License-Identifier: MIT */
/*
 * The VMs that have registered, told by the thread that knows them to another one that has a host of its
 * own. What is told is a copy that never changes; the statistics files are the same. Both threads hold
 * the lock for as long as it takes to copy a list of pointers, so neither waits for the other's work.
 * Who tells takes the files of what is removed away from both: who reads may look again much later, and
 * a file that is open keeps a VM in the kernel.
 */
#ifndef HOST_ROSTER_H
#define HOST_ROSTER_H

#include "host/own_stats.h"
#include "host/shared_file.h"
#include "host/vm.h"

struct roster_vcpu {
    uint32_t id;
    pid_t thread; /* by its number here; 0: not known */
    char *path;
    struct shared_file *file;
};

/* A VM as it was told last. */
struct roster_vm {
    atomic_uint users;
    uint64_t serial;          /* its own for life; later ones have greater ones */
    const struct host_vm *of; /* for the thread that tells, which alone may look at it */
    char name[HOST_NAME_MAX];
    struct identity identity;
    pid_t pid;
    uid_t uid;
    uint64_t key; /* of the VM in the kernel; 0: not known */
    atomic_bool is_said_to_pause;
    struct shared_file *file,
        *process;              /* its statistics; the pidfd of who has registered it, or NULL */
    struct roster_vcpu *vcpus; /* by id */
    size_t n_vcpus;
    struct own_stats *own[HOST_OWN_MAX]; /* of its VMM; references */
    size_t n_own;
};

struct roster;

struct roster *roster_new(void);         /* NULL: no memory */
void roster_free(struct roster *roster); /* NULL is allowed, as in all below */

/* ---- who tells ------------------------------------------------------------------------------ */

/* A VM that is new, or has other vCPUs or statistics. -ENOMEM: it is known as before. */
int roster_put(struct roster *roster, const struct host_vm *vm, struct shared_file *process);
void roster_set_paused(struct roster *roster, const struct host_vm *vm, bool is_paused);
void roster_remove(struct roster *roster, const struct host_vm *vm);

/* ---- who reads ------------------------------------------------------------------------------ */

struct roster_list {
    uint64_t version;       /* of the roster; 0: never filled */
    struct roster_vm **vms; /* references, by serial */
    size_t n;
};

/* Fills a list if it is not as the roster is now: 1; 0: it is; -ENOMEM. What it had is its owner's. */
int roster_read(struct roster *roster, uint64_t version, struct roster_list *ret_list);
void roster_list_free(struct roster_list *list);

#endif
