/* SPDX-License-Identifier: MIT */
/*
 * A VM of this host, as the last pass over the kernel saw it: a context whose provider 'kvm' gives
 * the rows that the pass brought. It is one life: a VM that takes its place is another.
 *
 * Its rows are of the kernel's records, or, where its VMM has registered it, of statistics files that
 * the VMM has sent (host/registered.h). The kernel's records then say which threads run it.
 */
#ifndef HOST_VM_H
#define HOST_VM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/records.h"
#include "host/identity.h"
#include "host/shared_file.h"
#include "sched/cgroup.h"
#include "sched/schema.h"
#include "stats/registry.h"

enum {
    HOST_NAME_MAX = IDENTITY_NAME_MAX + 32,
    HOST_OWN_MAX = 16, /* providers and targets of the VMM's own statistics */
};

extern const char *const host_targets[KVM_KINDS]; /* "vm", "vcpu" */

struct host_vcpu {
    char *path;      /* "/kvm/vcpu[N]"; or as its VMM has told */
    uint32_t id;     /* N, as the VMM gave it to KVM */
    uint32_t thread; /* in the initial pid namespace; 0: it never ran */
    uint32_t thread_here;
    bool is_running; /* a thread is in it */
    bool has_row;    /* the last pass could read it */
    uint64_t *row;
    bool has_sched_row;
    uint64_t sched_row[SCHED_VCPU_STATS];
    uint64_t outside_since_ns; /* and without CPU time; 0: it is not: host/state.h */
    uint64_t outside_run_ns;   /* its run time in the pass before */
    bool is_paused;
    struct shared_file *file; /* of a VM that has registered: its statistics */
    off_t data_offset;
};

struct host_vm {
    atomic_uint users;
    bool is_gone;

    bool is_registered;
    bool is_said_to_pause;    /* by its VMM */
    bool is_in_records;       /* of the last pass: the kernel says what its vCPUs do */
    bool is_met;              /* it was, by the pass that is taken */
    struct shared_file *file; /* of a VM that has registered: its statistics */
    off_t data_offset;

    uint64_t key;  /* the kernel's address, or 0: not known; not to be shown to anyone */
    pid_t pid;     /* of its process, here; 0: it has none here */
    pid_t process; /* the same in the initial pid namespace, as its threads' records have it */
    uid_t uid;
    int32_t creator;     /* the thread that made it, which may be gone */
    uint32_t fd;         /* the first file of it that was seen */
    uint64_t start_time; /* of the process, ns since the host started */

    char name[HOST_NAME_MAX]; /* no other VM's; its own for life */
    struct identity identity;
    struct vitals_ctx *ctx; /* NULL until it is published */
    struct vitals_group *groups[KVM_KINDS];
    struct stats_schema *schemas[KVM_KINDS];
    int64_t halted_stat; /* of a vCPU: it is halted; -1: this kernel does not say */

    bool has_sched; /* the provider has been added */
    struct stats_schema *sched_schemas[SCHED_TARGETS];
    bool has_sched_row;
    uint64_t sched_row[SCHED_VM_STATS];
    struct vm_cgroups cgroups;  /* that throttle it; */
    struct cgroups *cgroups_of; /* NULL: were never looked at */

    uint64_t
        records_ns;    /* when the pass over its process alone began that renewed it; 0: none has */
    uint64_t read_ns;  /* when the last pass over it began; 0: none has */
    uint64_t taken_ns; /* what the last one over its process alone took; 0: none has */

    bool has_row;
    uint64_t *row;
    struct host_vcpu *vcpus; /* by id */
    size_t n_vcpus, vcpus_cap;

    struct vm_own *own[HOST_OWN_MAX]; /* of its VMM: host/vm_own.h */
    size_t n_own;
};

/* What a pass says of one VM: records of its owner's files, the VM's own first, then vCPUs by id. */
struct host_records {
    const struct kvm_record *const *records;
    size_t n; /* one at least */
};

/* NULL: no memory. */
struct host_vm *host_vm_new(const struct host_records *records,
                            struct stats_schema *const schemas[KVM_KINDS]);
struct host_vm *host_vm_ref(struct host_vm *vm);
void host_vm_unref(struct host_vm *vm); /* NULL is allowed */

/* All zeros but for the schemas and one reference. NULL: no memory. */
struct host_vm *host_vm_alloc(struct stats_schema *const schemas[KVM_KINDS]);

/* A vCPU at its place by the id, which no other has. Takes the path. -ENOMEM. */
int host_vm_insert_vcpu(struct host_vm *vm, uint32_t id, char *path, struct host_vcpu **ret_vcpu);
void host_vm_remove_vcpu(struct host_vm *vm, struct host_vcpu *vcpu);

/* Whether a record is of the same owner and creator: the address of a VM that is gone can come back. */
bool host_vm_is_same_life(const struct host_vm *vm, const struct kvm_record *record);

/*
 * Whether these can be of the same life: of the same owner and creator, and no counter has fallen.
 * (Where root sets counters to 0 through debugfs, another life begins as well: rates begin anew.)
 */
bool host_vm_goes_on(const struct host_vm *vm, const struct host_records *records);

/* Says that the values of the last pass will be needed soon: base/fetch.h. */
void host_vm_fetch_rows(const struct host_vm *vm);

/* Takes values and vCPUs. -ENOMEM: some vCPUs are left out until the next pass. */
int host_vm_take(struct host_vm *vm, const struct host_records *records);

/* Of a VM that has registered: takes from the records who runs it, and nothing else. */
void host_vm_meet(struct host_vm *vm, const struct host_records *records);

/* Adds the provider 'sched', whose rows are those of the VM and its vCPUs. */
int host_vm_provide_sched(struct host_vm *vm, struct stats_schema *const schemas[SCHED_TARGETS]);

/* Gives the VM its name and its context. @share_schemas_with: any other VM, or NULL. */
int host_vm_publish(struct host_vm *vm, const char *name, const struct host_vm *share_schemas_with);

#endif
