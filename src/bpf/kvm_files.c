/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bpf/kvm_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/iterator.h"
#include "bpf/layout.h"
#include "bpf/own_numbers.h"
#include "bpf/own_vm.h"
#include "kvm_files.skel.h"

enum { CHECKS_MAX = 3 }; /* the kernel may do something with our own VM's memory meanwhile */

struct bpf_kvm {
    struct kvm_files_bpf *program;
    struct bpf_link *all;
    struct iterator pass;
    struct iterator_one one;
    bool reads_one; /* this kernel has passes over one process alone */
    struct bpf_link *stats_files;
    pid_t wanted; /* of the last pass: others are left out; 0: none are */
    struct own_numbers own;
    struct own_statistics statistics[KVM_KINDS];
    const struct buf *records; /* of the last pass to end */
    struct iterator stats;
};

/* ---- a pass --------------------------------------------------------------------------------- */

static int read_one(struct bpf_kvm *kvm, pid_t process)
{
    kvm->wanted = process;
    kvm->records = &kvm->one.pass.records;
    return iterator_read_one(&kvm->one, kvm->program->progs.kvm_files, process);
}

int bpf_kvm_begin(struct bpf_kvm *kvm)
{
    return iterator_begin(&kvm->pass, bpf_link__fd(kvm->all));
}

int bpf_kvm_more(struct bpf_kvm *kvm)
{
    int err = iterator_more(&kvm->pass);

    if (err <= 0) {
        kvm->wanted = 0;
        kvm->records = &kvm->pass.records;
    }
    return err;
}

int bpf_kvm_read(struct bpf_kvm *kvm, pid_t process)
{
    int err;

    if (process && kvm->reads_one && !read_one(kvm, process))
        return 0;
    err = bpf_kvm_begin(kvm);
    if (err)
        return err;
    do
        err = bpf_kvm_more(kvm);
    while (err > 0);
    kvm->wanted = process;
    return err;
}

int bpf_kvm_read_one(struct bpf_kvm *kvm, pid_t process)
{
    return kvm->reads_one ? read_one(kvm, process) : -EOPNOTSUPP;
}

bool bpf_kvm_reads_one(const struct bpf_kvm *kvm)
{
    return kvm->reads_one;
}

static size_t row_size(const struct bpf_kvm *kvm, enum kvm_kind kind)
{
    return kvm->statistics[kind].file.row_len * sizeof(uint64_t);
}

/* The record at @offset, or NULL: there is no whole one. */
static const struct kvm_record *record_at(const struct bpf_kvm *kvm, size_t offset)
{
    const struct kvm_record *record = (const void *)(kvm->records->data + offset);
    size_t left = kvm->records->len - offset;

    if (left < sizeof(*record) || record->kind >= KVM_KINDS ||
        left - sizeof(*record) < row_size(kvm, record->kind))
        return NULL;
    return record;
}

static size_t end_of(const struct bpf_kvm *kvm, const struct kvm_record *record)
{
    size_t offset = (size_t)((const char *)record - kvm->records->data);

    return offset + sizeof(*record) + row_size(kvm, record->kind);
}

const struct kvm_record *bpf_kvm_next(const struct bpf_kvm *kvm, const struct kvm_record *last)
{
    do
        last = record_at(kvm, last ? end_of(kvm, last) : 0);
    while (last && kvm->wanted && last->process_here != (__u32)kvm->wanted);
    return last;
}

const struct kvm_stats_file *bpf_kvm_statistics(const struct bpf_kvm *kvm, enum kvm_kind kind)
{
    return &kvm->statistics[kind].file;
}

/* ---- statistics files that are open here ---------------------------------------------------- */

int bpf_kvm_read_stats_files(struct bpf_kvm *kvm)
{
    return iterator_read(&kvm->stats, bpf_link__fd(kvm->stats_files));
}

const struct stats_file_record *bpf_kvm_find_stats_file(const struct bpf_kvm *kvm, int fd)
{
    const struct stats_file_record *records = (const void *)kvm->stats.records.data;
    size_t n = kvm->stats.records.len / sizeof(*records);

    for (size_t i = 0; i < n; i++)
        if (records[i].fd == (__u32)fd && records[i].kind < KVM_KINDS)
            return &records[i];
    return NULL;
}

/* ---- can it be trusted? --------------------------------------------------------------------- */

static bool is_ours(const struct bpf_kvm *kvm, const struct own_vm *vm,
                    const struct kvm_record *record)
{
    return record->is_owner && record->fd == (__u32)vm->fds[record->kind] &&
           record->process_here == (__u32)kvm->own.process;
}

/* This thread has made the VM, and has run the vCPU. */
static bool has_right_threads(const struct bpf_kvm *kvm, const struct own_vm *vm,
                              const struct kvm_record *record)
{
    bool has_run = vm->has_run && record->kind == KVM_KIND_VCPU;

    return record->thread_here == (has_run ? (__u32)kvm->own.thread : 0) &&
           record->thread == (has_run ? (__u32)record->creator : 0) &&
           (!kvm->own.are_initial || record->creator == kvm->own.thread);
}

static bool is_right(const struct bpf_kvm *kvm, const struct own_vm *vm,
                     const struct own_statistics *now, const struct kvm_record *record)
{
    size_t size = now->file.row_len * sizeof(uint64_t);

    return has_right_threads(kvm, vm, record) && !record->in_kvm_run &&
           record->vcpu_id == (record->kind == KVM_KIND_VCPU ? vm->vcpu_id : 0) &&
           !record->row_error && size == row_size(kvm, record->kind) &&
           !memcmp(record->row, now->bytes + now->file.data_offset, size);
}

/* Whether our own VM was found, both of its files have the same address, and all values are right. */
static bool matches(const struct bpf_kvm *kvm, const struct own_vm *vm,
                    const struct own_statistics now[KVM_KINDS])
{
    __u64 address[KVM_KINDS] = {0};

    for (const struct kvm_record *record = NULL; (record = bpf_kvm_next(kvm, record));)
        if (is_ours(kvm, vm, record) && is_right(kvm, vm, &now[record->kind], record))
            address[record->kind] = record->vm;
    return address[KVM_KIND_VM] && address[KVM_KIND_VM] == address[KVM_KIND_VCPU];
}

static int read_both(const struct own_vm *vm, struct bpf_why *why,
                     struct own_statistics ret_statistics[KVM_KINDS])
{
    int err = own_vm_read(vm, KVM_KIND_VM, why, &ret_statistics[KVM_KIND_VM]);

    if (err)
        return err;
    err = own_vm_read(vm, KVM_KIND_VCPU, why, &ret_statistics[KVM_KIND_VCPU]);
    if (err)
        own_statistics_free(&ret_statistics[KVM_KIND_VM]);
    return err;
}

static int compare_once(struct bpf_kvm *kvm, const struct own_vm *vm, struct bpf_why *why,
                        bool *ret_matches)
{
    struct own_statistics now[KVM_KINDS];
    int err = read_both(vm, why, now);

    if (err)
        return err;
    err = bpf_kvm_read(kvm, kvm->own.process);
    if (err)
        bpf_why_set(why, err, BPF_MISSING_ITERATOR, NULL,
                    "the kernel does not let a program's records be read: %s", strerror(-err));
    else
        *ret_matches = matches(kvm, vm, now);
    own_statistics_free(&now[KVM_KIND_VM]);
    own_statistics_free(&now[KVM_KIND_VCPU]);
    return err;
}

/*
 * Linux 6.1 and later; earlier ones go over all processes whatever is asked for. The number is that of
 * no process, in whose files our own VM must not be. It would be looked up in our own namespace, and
 * what is known of processes are their numbers in that of /proc.
 */
static bool finds_out_one(struct bpf_kvm *kvm)
{
    return !kvm->own.namespaces_above && !read_one(kvm, BPF_PROCESS_LIMIT) && !kvm->records->len;
}

static int check_trust(struct bpf_kvm *kvm, const struct own_vm *vm, struct bpf_why *why)
{
    bool is_same = false;
    int err = 0;

    kvm->reads_one = finds_out_one(kvm);
    for (int i = 0; i < CHECKS_MAX && !err && !is_same; i++)
        err = compare_once(kvm, vm, why, &is_same);
    if (err || is_same)
        return err;
    return bpf_why_set(why, -EBADMSG, BPF_MISSING_TRUST,
                       "Is the module kvm another one than the kernel's own? Its BTF must be that "
                       "of the code that runs.",
                       "a VM of our own, read from the kernel, is not what its statistics file "
                       "says: nothing that is read this way can be trusted");
}

/* ---- the start ------------------------------------------------------------------------------ */

static int find_layout(const struct bpf_kvm *kvm, const char *root, struct bpf_why *why,
                       struct kvm_layout *layout)
{
    for (int kind = 0; kind < KVM_KINDS; kind++) {
        size_t size = row_size(kvm, kind);

        if (!size || size > BPF_ROW_SIZE_MAX)
            return bpf_why_set(why, -EBADMSG, BPF_MISSING_KVM, NULL,
                               "the kernel's statistics have %zu bytes, must be 8 to %d", size,
                               BPF_ROW_SIZE_MAX);
        layout->row_size[kind] = (__u32)size;
    }
    return bpf_layout_find(root, why, layout);
}

/* Linux 6.1 and later look at the files of this process alone. */
static int link_programs(struct bpf_kvm *kvm)
{
    union bpf_iter_link_info info = {.task.pid = (__u32)kvm->own.process};
    LIBBPF_OPTS(bpf_iter_attach_opts, own, .link_info = &info, .link_info_len = sizeof(info));

    kvm->all = bpf_program__attach_iter(kvm->program->progs.kvm_files, NULL);
    if (!kvm->all)
        return -errno;
    if (!kvm->own.namespaces_above)
        kvm->stats_files = bpf_program__attach_iter(kvm->program->progs.stats_files, &own);
    if (!kvm->stats_files)
        kvm->stats_files = bpf_program__attach_iter(kvm->program->progs.stats_files, NULL);
    return kvm->stats_files ? 0 : -errno;
}

static int load_logged(struct bpf_kvm *kvm, const struct kvm_layout *layout, struct bpf_why *why,
                       char *log)
{
    LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = log,
                .kernel_log_size = LOAD_LOG_SIZE);
    int err;

    kvm->program = kvm_files_bpf__open_opts(&options);
    if (!kvm->program)
        return bpf_why_not_loaded(why, -errno, "");
    memcpy(&kvm->program->rodata->layout, layout, sizeof(*layout));
    kvm->program->rodata->numbers_here.are_initial = kvm->own.are_initial;
    kvm->program->rodata->numbers_here.namespaces_above = kvm->own.namespaces_above;
    if (kvm_files_bpf__load(kvm->program) < 0)
        return bpf_why_not_loaded(why, -errno, log);
    err = link_programs(kvm);
    return err ? bpf_why_not_loaded(why, err, "") : 0;
}

static int load(struct bpf_kvm *kvm, const struct kvm_layout *layout, struct bpf_why *why)
{
    char *log = calloc(1, LOAD_LOG_SIZE);
    int err;

    if (!log)
        return bpf_why_set(why, -ENOMEM, BPF_MISSING_ITERATOR, NULL, "no memory to load a program");
    iterator_silence();
    err = load_logged(kvm, layout, why, log);
    free(log);
    return err;
}

static int start(struct bpf_kvm *kvm, const char *root, const struct own_vm *vm,
                 struct bpf_why *why)
{
    struct kvm_layout layout = {0};
    int err = read_both(vm, why, kvm->statistics);

    if (!err)
        err = find_layout(kvm, root, why, &layout);
    if (!err)
        err = load(kvm, &layout, why);
    return err ? err : check_trust(kvm, vm, why);
}

int bpf_kvm_open(const char *root, struct bpf_why *why, struct bpf_kvm **ret_kvm)
{
    int err = bpf_check_system(root, why);
    struct bpf_kvm *kvm;
    struct own_vm vm;

    if (!err)
        err = own_vm_open(root, why, &vm);
    if (err)
        return err;
    kvm = calloc(1, sizeof(*kvm));
    if (kvm) {
        kvm->records = &kvm->pass.records;
        own_numbers_read(&kvm->own);
        err = start(kvm, root, &vm, why);
    } else {
        err = bpf_why_set(why, -ENOMEM, BPF_MISSING_ITERATOR, NULL, "no memory");
    }
    own_vm_close(&vm);
    if (err)
        bpf_kvm_close(kvm);
    else
        *ret_kvm = kvm;
    return err;
}

void bpf_kvm_close(struct bpf_kvm *kvm)
{
    if (!kvm)
        return;
    iterator_one_free(&kvm->one);
    iterator_free(&kvm->pass);
    iterator_free(&kvm->stats);
    bpf_link__destroy(kvm->all);
    bpf_link__destroy(kvm->stats_files);
    kvm_files_bpf__destroy(kvm->program);
    own_statistics_free(&kvm->statistics[KVM_KIND_VM]);
    own_statistics_free(&kvm->statistics[KVM_KIND_VCPU]);
    free(kvm);
}
