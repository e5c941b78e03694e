/* SPDX-License-Identifier: MIT */
/*
 * What the programs in the kernel and their readers say to each other: compiled by both sides, so it
 * has the kernel's types. Numbers of processes and threads are those of the initial pid namespace,
 * which join records; the ones "here" are for people and for /proc.
 */
#ifndef BPF_RECORDS_H
#define BPF_RECORDS_H

#include <linux/types.h>

enum {
    BPF_ROW_SIZE_MAX = 8192,     /* bytes of a row; those of Linux 6.18 have 128 and 1120 */
    BPF_PROCESS_LIMIT = 1 << 22, /* one past the largest number of a process: PID_MAX_LIMIT */
    BPF_NAME_SIZE = 16,          /* of a thread, with its end */
};

#define BPF_UNKNOWN (~0ull) /* the kernel was built without this value */

/* ---- kvm_files ------------------------------------------------------------------------------ */

/* Whose numbers are the ones here: those of the pid namespace that the reader's /proc shows. */
struct numbers_here {
    __u32 are_initial;      /* it is the initial one */
    __u32 namespaces_above; /* so many levels above the reader's own namespace */
};

enum kvm_kind { KVM_KIND_VM, KVM_KIND_VCPU, KVM_KINDS };

/* Where KVM's structs have their members, in bytes. */
struct kvm_layout {
    __u32 vm_mm, vm_creator, vm_row;
    __u32 vcpu_vm, vcpu_id, vcpu_pid, vcpu_mutex_owner, vcpu_row;
    __u32 row_size[KVM_KINDS];
};

/*
 * An open file of a VM or a vCPU. However often a file is open, there is one record of it in a pass;
 * only if a stranger was met before the owner, the owner's follows.
 */
struct kvm_record {
    __u32 kind;    /* enum kvm_kind */
    __u32 process; /* which has it open */
    __u32 process_here;
    __u32 fd;
    __u32 uid;        /* the effective user of that process */
    __u64 start_time; /* of that process: ns since the host started */
    __u64 vm;         /* the kernel's address of the VM: joins vCPUs to VMs. Not to be shown */
    __u32 is_owner;   /* the VM lives in the memory of that process, and not of a vfork() of it */
    __s32 creator;    /* the thread that made the VM; it may be gone */
    __s32 row_error;  /* 0, or -errno: the row could not be read */
    /* of a vCPU, otherwise 0 */
    __u32 vcpu_id;     /* as the VMM gave it to KVM_CREATE_VCPU */
    __u32 thread;      /* which ran it last; 0: it never ran */
    __u32 thread_here; /* 0: it never ran, or its thread is not in a namespace that is seen here */
    __u32 in_kvm_run;  /* a thread runs it, halted or not; or is in another call for a moment */
    __u64 row[];       /* as the data block of its statistics file */
};

/* An open statistics file of the process that reads the records. */
struct stats_file_record {
    __u32 kind, fd;
    __u64 vm; /* as in a record of the VM itself */
    __u32 vcpu_id;
    __u32 padding;
};

/* ---- threads -------------------------------------------------------------------------------- */

struct thread_record {
    __u32 process, thread;
    __u32 cpu; /* where it ran last */
    __u32 padding;
    __u64 start_time;                         /* ns since the host started */
    __u64 run_time, run_delay, timeslices;    /* ns on a CPU, ns waiting for one, how often */
    __u64 user_time, system_time, guest_time; /* ns; guest time is part of user time */
    __u64 voluntary_switches, involuntary_switches;
    __u64 minor_faults, major_faults;
    __u64 read_bytes, written_bytes; /* from and to storage; or BPF_UNKNOWN */
    /*
     * The control groups that it is in, of the unified hierarchy and of the controller of CPU time: the
     * inodes of their directories. 0: not known.
     */
    __u64 cgroup_unified, cgroup_cpu;
    /* Of its process: the same in all of its threads. */
    __u64 resident_pages; /* or BPF_UNKNOWN */
    struct {
        __u64 run_time, user_time, system_time, guest_time;
        __u64 voluntary_switches, involuntary_switches;
        __u64 minor_faults, major_faults;
        __u64 read_bytes, written_bytes; /* or BPF_UNKNOWN */
    } exited;                            /* the sums of its threads that have ended */
    char name[BPF_NAME_SIZE];
};

#endif
