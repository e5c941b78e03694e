/* SPDX-License-Identifier: MIT */
/*
 * The members of the kernel's structs that the programs use. Only their names count: where they are
 * in the running kernel, libbpf finds in its BTF. What was different in older kernels has the
 * name of the struct with three underscores and a word behind it.
 */
#ifndef BPF_KERNEL_H
#define BPF_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;
struct files_struct;

struct bpf_iter_meta {
    struct seq_file *seq;
    __u64 session_id;
};

/* ---- files ---------------------------------------------------------------------------------- */

struct super_block {
    unsigned long s_magic;
};

struct qstr {
    const unsigned char *name;
};

struct dentry {
    struct qstr d_name;
    struct super_block *d_sb;
};

struct path {
    struct dentry *dentry;
};

struct file {
    struct path f_path;
    void *private_data;
};

/* ---- memory --------------------------------------------------------------------------------- */

struct percpu_counter {
    __s64 count;
};

enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };

struct task_struct;

struct mm_struct {
    struct percpu_counter rss_stat[NR_MM_COUNTERS];
    struct task_struct *owner; /* only with CONFIG_MEMCG */
};

typedef struct {
    long counter;
} atomic_long_t;

struct mm_rss_stat {
    atomic_long_t count[NR_MM_COUNTERS];
};

struct mm_struct___before_6_2 {
    struct mm_rss_stat rss_stat;
};

/* ---- processes and threads ------------------------------------------------------------------ */

struct pid_namespace;

struct upid {
    int nr;
    struct pid_namespace *ns;
};

struct pid {
    unsigned int level;     /* of its own namespace; that of the initial one is 0 */
    struct upid numbers[1]; /* one for each namespace, from the initial one down to its own */
};

typedef struct {
    __u32 val;
} kuid_t;

struct cred {
    kuid_t euid;
};

struct thread_info {
    __u32 cpu;
};

struct sched_entity {
    __u64 sum_exec_runtime;
};

struct sched_info {
    unsigned long pcount;
    unsigned long long run_delay;
};

struct kernfs_node {
    __u64 id;
};

struct cgroup {
    struct kernfs_node *kn;
};

struct cgroup_subsys_state {
    struct cgroup *cgroup;
};

enum cgroup_subsys_id { cpu_cgrp_id }; /* another number in each kernel */

struct css_set {
    struct cgroup_subsys_state *subsys[1];
    struct cgroup *dfl_cgrp;
};

struct task_io_accounting {
    __u64 read_bytes, write_bytes;
};

/* The sums of threads that have ended. */
struct signal_struct {
    __u64 utime, stime, gtime;
    unsigned long nvcsw, nivcsw, min_flt, maj_flt;
    unsigned long long sum_sched_runtime;
    struct task_io_accounting ioac;
};

struct task_struct {
    struct thread_info thread_info;
    int pid, tgid;
    struct task_struct *group_leader;
    struct pid *thread_pid;
    const struct cred *cred;
    struct mm_struct *mm;
    struct files_struct *files;
    struct signal_struct *signal;
    struct sched_entity se;
    struct sched_info sched_info;
    __u64 utime, stime, gtime;
    unsigned long nvcsw, nivcsw, min_flt, maj_flt;
    __u64 start_boottime;
    struct css_set *cgroups;
    struct task_io_accounting ioac;
    char comm[16];
};

struct task_struct___before_5_16 {
    unsigned int cpu;
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    __u32 fd;
    struct file *file;
};

#pragma clang attribute pop

#endif
