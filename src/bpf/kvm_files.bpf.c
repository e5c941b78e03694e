/* SPDX-License-Identifier: MIT */
/*
 * Runs in the kernel, called for each open file of each process. Writes a record for each VM and vCPU
 * of KVM: whose it is, and the values that its statistics file would have.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel.h"
#include "bpf/records.h"

#define ANON_INODE_MAGIC 0x09041934

enum {
    NAME_SIZE = 16,        /* "kvm-vcpu-stats:" and one more byte */
    OBJECTS_MAX = 1 << 15, /* that are recognised when they come again */
};

/* The kernel asks for this word: the helpers that read its memory are for free software. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile struct kvm_layout layout;
const volatile struct numbers_here numbers_here;

typedef __u64 record_words[(sizeof(struct kvm_record) + BPF_ROW_SIZE_MAX) / sizeof(__u64)];

/* A record is larger than the stack. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, record_words);
} scratch SEC(".maps");

struct sighting {
    __u64 session; /* the number of the pass */
    __u64 by_owner;
};

/* Which objects were met in which pass: a file may be open a million times. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, OBJECTS_MAX);
    __type(key, __u64);
    __type(value, struct sighting);
} sightings SEC(".maps");

/* ---- which files ---------------------------------------------------------------------------- */

/* A thread has its process's files, but for one that went its own way, or whose leader has ended. */
static bool shows_files_again(const struct task_struct *task)
{
    const struct task_struct *leader = task->group_leader;

    return task->pid != task->tgid && task->files == leader->files;
}

static __always_inline bool starts_with(const char *name, const char *start, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        if (name[i] != start[i])
            return false;
    return true;
}

/* The kernel names its anonymous files, and nobody else can. */
static __always_inline bool read_name(const struct file *file, char name[NAME_SIZE])
{
    const struct dentry *dentry = file->f_path.dentry;

    if (dentry->d_sb->s_magic != ANON_INODE_MAGIC)
        return false;
    bpf_probe_read_kernel(name, NAME_SIZE, dentry->d_name.name);
    return true;
}

static bool find_kind(const struct file *file, __u32 *ret_kind)
{
    char name[NAME_SIZE] = {};

    if (!read_name(file, name))
        return false;
    if (starts_with(name, "kvm-vm", sizeof("kvm-vm")))
        *ret_kind = KVM_KIND_VM;
    else if (starts_with(name, "kvm-vcpu:", sizeof("kvm-vcpu:") - 1))
        *ret_kind = KVM_KIND_VCPU;
    else
        return false;
    return true;
}

/* ---- what is known of them ------------------------------------------------------------------ */

static __u64 read_word(const void *object, __u32 offset)
{
    __u64 word = 0;

    bpf_probe_read_kernel(&word, sizeof(word), object + offset);
    return word;
}

static __u32 read_number(const void *object, __u32 offset)
{
    __u32 number = 0;

    bpf_probe_read_kernel(&number, sizeof(number), object + offset);
    return number;
}

static const struct upid *number_at(const struct pid *pid, __u32 level)
{
    return (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
           level * bpf_core_type_size(struct upid);
}

/* The number of @pid in the namespace of the reader's /proc; 0: it has none there. */
static __u32 find_number_here(const struct pid *pid)
{
    const struct pid *reader = bpf_get_current_task_btf()->thread_pid;
    __u32 level = reader->level - numbers_here.namespaces_above;

    if (level > reader->level || BPF_CORE_READ(pid, level) < level ||
        BPF_CORE_READ(number_at(pid, level), ns) != BPF_CORE_READ(number_at(reader, level), ns))
        return 0;
    return BPF_CORE_READ(number_at(pid, level), nr);
}

static void take_process(struct kvm_record *record, const struct task_struct *task)
{
    record->process = task->tgid;
    record->process_here = numbers_here.are_initial
                               ? record->process
                               : find_number_here(task->group_leader->thread_pid);
    record->uid = task->cred->euid.val;
    record->start_time = task->group_leader->start_boottime;
}

/*
 * Between vfork() and execve() a child lives in its parent's memory, and has its files: the kernel
 * knows whose memory it is.
 */
static bool is_borrowed(const struct task_struct *task)
{
    const struct mm_struct *mm = task->mm;
    const struct task_struct *owner;

    if (!mm || !bpf_core_field_exists(mm->owner))
        return false;
    owner = mm->owner;
    return owner && owner->tgid != task->tgid;
}

static void take_vm(struct kvm_record *record, const struct task_struct *task, const void *vm)
{
    record->vm = (__u64)vm;
    record->creator = read_number(vm, layout.vm_creator);
    record->is_owner = read_word(vm, layout.vm_mm) == (__u64)task->mm && !is_borrowed(task);
}

static void take_vcpu(struct kvm_record *record, const void *vcpu)
{
    const struct pid *pid = (const struct pid *)read_word(vcpu, layout.vcpu_pid);

    record->vcpu_id = read_number(vcpu, layout.vcpu_id);
    record->thread = pid ? BPF_CORE_READ(pid, numbers[0].nr) : 0;
    record->thread_here = numbers_here.are_initial || !pid ? record->thread : find_number_here(pid);
    record->in_kvm_run = read_word(vcpu, layout.vcpu_mutex_owner) != 0;
}

static void take_no_vcpu(struct kvm_record *record)
{
    record->vcpu_id = 0;
    record->thread = record->thread_here = 0;
    record->in_kvm_run = 0;
}

/* Whether a record of the object has been written in this pass. An owner's counts for more. */
static bool is_written(const struct sighting *last, const struct sighting *now)
{
    return last && last->session == now->session && (last->by_owner || !now->by_owner);
}

/* What was met in an earlier pass is overwritten, which is quicker than to replace it. */
static void remember(struct sighting *last, const struct sighting *now, __u64 object)
{
    if (last)
        *last = *now;
    else
        bpf_map_update_elem(&sightings, &object, now, BPF_ANY);
}

/* What does not fit any more is shown once more by the kernel, when the reader has made room. */
static void write(struct bpf_iter_meta *meta, struct kvm_record *record, const void *object,
                  __u32 row, __u32 size)
{
    struct sighting now = {.session = meta->session_id, .by_owner = record->is_owner}, *last;
    __u64 key = (__u64)object;

    last = bpf_map_lookup_elem(&sightings, &key);
    if (size > BPF_ROW_SIZE_MAX || is_written(last, &now))
        return;
    record->row_error = bpf_probe_read_kernel(record->row, size, object + row);
    if (!bpf_seq_write(meta->seq, record, sizeof(*record) + size))
        remember(last, &now, key);
}

static void write_vm(struct bpf_iter_meta *meta, struct kvm_record *record,
                     const struct task_struct *task, const void *vm)
{
    take_vm(record, task, vm);
    take_no_vcpu(record);
    write(meta, record, vm, layout.vm_row, layout.row_size[KVM_KIND_VM]);
}

static void write_vcpu(struct bpf_iter_meta *meta, struct kvm_record *record,
                       const struct task_struct *task, const void *vcpu)
{
    take_vm(record, task, (const void *)read_word(vcpu, layout.vcpu_vm));
    take_vcpu(record, vcpu);
    write(meta, record, vcpu, layout.vcpu_row, layout.row_size[KVM_KIND_VCPU]);
}

SEC("iter/task_file")
int kvm_files(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    struct kvm_record *record;
    __u32 first = 0, kind;

    /* The kernel calls once more at the end, without a file. */
    if (!task || !file || shows_files_again(task) || !find_kind(file, &kind))
        return 0;
    record = bpf_map_lookup_elem(&scratch, &first);
    if (!record)
        return 0;
    record->kind = kind;
    record->fd = ctx->fd;
    take_process(record, task);
    if (kind == KVM_KIND_VM)
        write_vm(ctx->meta, record, task, file->private_data);
    else
        write_vcpu(ctx->meta, record, task, file->private_data);
    return 0;
}

/* ---- statistics files of the reader --------------------------------------------------------- */

static bool find_stats_kind(const struct file *file, __u32 *ret_kind)
{
    char name[NAME_SIZE] = {};

    if (!read_name(file, name))
        return false;
    if (starts_with(name, "kvm-vm-stats", sizeof("kvm-vm-stats")))
        *ret_kind = KVM_KIND_VM;
    else if (starts_with(name, "kvm-vcpu-stats:", sizeof("kvm-vcpu-stats:") - 1))
        *ret_kind = KVM_KIND_VCPU;
    else
        return false;
    return true;
}

/* Whose they are: others have sent them here. */
SEC("iter/task_file")
int stats_files(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    struct stats_file_record record = {};

    if (!task || !file || task->tgid != bpf_get_current_pid_tgid() >> 32 ||
        shows_files_again(task) || !find_stats_kind(file, &record.kind))
        return 0;
    record.fd = ctx->fd;
    record.vm = (__u64)file->private_data;
    if (record.kind == KVM_KIND_VCPU) {
        record.vcpu_id = read_number(file->private_data, layout.vcpu_id);
        record.vm = read_word(file->private_data, layout.vcpu_vm);
    }
    bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
    return 0;
}
