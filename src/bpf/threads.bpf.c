/* SPDX-License-Identifier: MIT */
/*
 * Runs in the kernel, called for each thread. Writes a record for those of wanted processes: what the
 * scheduler, the memory and the storage gave to them.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel.h"
#include "bpf/records.h"

/* The kernel asks for this word: the helpers that read its memory are for free software. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* A bit for each process. The reader has this memory mapped, and sets them without any call. */
__u64 wanted[BPF_PROCESS_LIMIT / 64];

static bool is_wanted(__u32 process)
{
    return process < BPF_PROCESS_LIMIT && wanted[process / 64] >> process % 64 & 1;
}

static __u32 last_cpu(struct task_struct *task)
{
    struct task_struct___before_5_16 *old = (void *)task;

    if (bpf_core_field_exists(task->thread_info.cpu))
        return BPF_CORE_READ(task, thread_info.cpu);
    return BPF_CORE_READ(old, cpu);
}

static __u64 resident_pages(struct mm_struct *mm)
{
    struct mm_struct___before_6_2 *old = (void *)mm;
    __s64 pages;

    if (!mm) /* it is ending */
        return 0;
    if (bpf_core_field_exists(old->rss_stat.count))
        pages = BPF_CORE_READ(old, rss_stat.count[MM_FILEPAGES].counter) +
                BPF_CORE_READ(old, rss_stat.count[MM_ANONPAGES].counter) +
                BPF_CORE_READ(old, rss_stat.count[MM_SHMEMPAGES].counter);
    else if (bpf_core_field_exists(mm->rss_stat[0].count))
        pages = BPF_CORE_READ(mm, rss_stat[MM_FILEPAGES].count) +
                BPF_CORE_READ(mm, rss_stat[MM_ANONPAGES].count) +
                BPF_CORE_READ(mm, rss_stat[MM_SHMEMPAGES].count);
    else
        return BPF_UNKNOWN;
    return pages < 0 ? 0 : pages;
}

static void take_time(struct thread_record *record, const struct task_struct *task)
{
    record->start_time = task->start_boottime;
    record->run_time = task->se.sum_exec_runtime;
    record->run_delay = task->sched_info.run_delay;
    record->timeslices = task->sched_info.pcount;
    record->user_time = task->utime;
    record->system_time = task->stime;
    record->guest_time = task->gtime;
}

static void take_events(struct thread_record *record, const struct task_struct *task)
{
    record->voluntary_switches = task->nvcsw;
    record->involuntary_switches = task->nivcsw;
    record->minor_faults = task->min_flt;
    record->major_faults = task->maj_flt;
    if (bpf_core_field_exists(task->ioac.read_bytes)) {
        record->read_bytes = task->ioac.read_bytes;
        record->written_bytes = task->ioac.write_bytes;
    } else {
        record->read_bytes = record->written_bytes = BPF_UNKNOWN;
    }
}

/* The verifier follows the pointer to what it is of; its place is another one in each kernel. */
static const struct cgroup_subsys_state *cpu_state(const struct css_set *groups)
{
    const struct cgroup_subsys_state *const *states =
        (const void *)groups + bpf_core_field_offset(struct css_set, subsys);

    return states[bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id)];
}

/* In the unified hierarchy, the group that has the controller may be one above the thread's. */
static void take_cgroups(struct thread_record *record, const struct task_struct *task)
{
    if (!bpf_core_field_exists(task->cgroups))
        return;
    record->cgroup_unified = task->cgroups->dfl_cgrp->kn->id;
    if (bpf_core_enum_value_exists(enum cgroup_subsys_id, cpu_cgrp_id))
        record->cgroup_cpu = cpu_state(task->cgroups)->cgroup->kn->id;
}

static void take_exited(struct thread_record *record, const struct signal_struct *signal)
{
    record->exited.run_time = signal->sum_sched_runtime;
    record->exited.user_time = signal->utime;
    record->exited.system_time = signal->stime;
    record->exited.guest_time = signal->gtime;
    record->exited.voluntary_switches = signal->nvcsw;
    record->exited.involuntary_switches = signal->nivcsw;
    record->exited.minor_faults = signal->min_flt;
    record->exited.major_faults = signal->maj_flt;
    if (bpf_core_field_exists(signal->ioac.read_bytes)) {
        record->exited.read_bytes = signal->ioac.read_bytes;
        record->exited.written_bytes = signal->ioac.write_bytes;
    } else {
        record->exited.read_bytes = record->exited.written_bytes = BPF_UNKNOWN;
    }
}

SEC("iter/task")
int threads(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    struct thread_record record = {};

    /* The kernel calls once more at the end, without a thread. */
    if (!task || !is_wanted(task->tgid))
        return 0;
    record.process = task->tgid;
    record.thread = task->pid;
    record.cpu = last_cpu(task);
    record.resident_pages = resident_pages(task->mm);
    take_time(&record, task);
    take_events(&record, task);
    take_cgroups(&record, task);
    take_exited(&record, task->signal);
    bpf_probe_read_kernel(record.name, sizeof(record.name), task->comm);
    bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
    return 0;
}
