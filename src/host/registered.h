/* SPDX-License-Identifier: MIT */
/*
 * A VM that its VMM has registered: named by it, and read from the statistics files that it has sent,
 * each by one pread(), which waits for nobody.
 */
#ifndef HOST_REGISTERED_H
#define HOST_REGISTERED_H

#include "host/vm.h"
#include "kvm/stats_file.h"

enum {
    REGISTERED_NAME_MAX = IDENTITY_NAME_MAX - 1, /* bytes of a name */
    REGISTERED_VCPUS_MAX = 4096,                 /* of one VM: KVM has no more ids */
};

/* What a VMM says. Texts are not looked at here. */
struct registration {
    const char *name, *uuid, *vmm; /* the last two: "" if it says none */
    pid_t pid;                     /* here */
    uid_t uid;
    uint64_t key; /* of the VM in the kernel; 0: not known */
};

/*
 * What the statistics files of this host have: descriptors of the kernel that is running, so those of
 * all VMs are the same. The first file tells, where the kernel itself has not.
 */
struct host_statistics {
    struct stats_schema *schema; /* NULL: not known yet */
    struct kvm_stats_file file;
    uint8_t *bytes; /* to which that points, if they are its own */
};

/* Takes a reference to @schema, and no copy of what @file points to. */
void host_statistics_set(struct host_statistics *statistics, const struct kvm_stats_file *file,
                         struct stats_schema *schema);
void host_statistics_free(struct host_statistics *statistics);

/*
 * @shared must be a statistics file; a VM takes references of its own. -EBADMSG: it is none that the
 * others of this host are like; -ENOMEM.
 */
int registered_new(struct host_statistics statistics[KVM_KINDS],
                   const struct registration *registration, struct shared_file *shared,
                   struct error_text *error, struct host_vm **ret_vm);

/*
 * @thread: that runs it, by its number here; 0: not known. -EEXIST: there is a vCPU of this path, or of
 * the file's number; -E2BIG: there are REGISTERED_VCPUS_MAX; others as above.
 */
int registered_add_vcpu(struct host_statistics statistics[KVM_KINDS], struct host_vm *vm,
                        const char *path, pid_t thread, struct shared_file *shared,
                        struct error_text *error);

/* The thread that runs it is another one: @thread as above. -ENOENT: there is none of this path. */
void registered_run_by(const struct host_vm *vm, struct host_vcpu *vcpu, pid_t thread);
int registered_set_thread(struct host_vm *vm, const char *path, pid_t thread,
                          struct error_text *error);
/* NULL: there is none of this path. */
struct shared_file *registered_vcpu_file(const struct host_vm *vm, const char *path);
/* -ENOENT: there is none. */
int registered_remove_vcpu(struct host_vm *vm, const char *path, struct error_text *error);

/* Reads all of its files. False: one can't be read. */
bool registered_read(struct host_vm *vm);

#endif
