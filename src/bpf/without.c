/* SPDX-License-Identifier: MIT */
/* In the place of the rest where clang, libbpf or bpftool were missing when the program was built. */
#include <errno.h>
#include <stddef.h>

#include "bpf/kvm_files.h"
#include "bpf/threads.h"

static int refuse(struct bpf_why *why)
{
    return bpf_why_set(why, -ENOSYS, BPF_MISSING_BUILD,
                       "Build it with clang, libbpf 1.0 or later and bpftool: 'meson setup "
                       "-Dbpf=enabled' says which of them is missing.",
                       "this program was built without reading VMs from the kernel");
}

int bpf_kvm_open(const char *root, struct bpf_why *why, struct bpf_kvm **ret_kvm)
{
    (void)root;
    (void)ret_kvm;
    return refuse(why);
}

int bpf_threads_open(const char *root, struct bpf_why *why, struct bpf_threads **ret_threads)
{
    (void)root;
    (void)ret_threads;
    return refuse(why);
}

/* What follows is never called: there is nothing to call it with. */

void bpf_kvm_close(struct bpf_kvm *kvm)
{
    (void)kvm;
}

const struct kvm_stats_file *bpf_kvm_statistics(const struct bpf_kvm *kvm, enum kvm_kind kind)
{
    (void)kvm;
    (void)kind;
    return NULL;
}

int bpf_kvm_read(struct bpf_kvm *kvm, pid_t process)
{
    (void)kvm;
    (void)process;
    return -ENOSYS;
}

int bpf_kvm_begin(struct bpf_kvm *kvm)
{
    (void)kvm;
    return -ENOSYS;
}

int bpf_kvm_more(struct bpf_kvm *kvm)
{
    (void)kvm;
    return -ENOSYS;
}

int bpf_kvm_read_one(struct bpf_kvm *kvm, pid_t process)
{
    (void)kvm;
    (void)process;
    return -ENOSYS;
}

bool bpf_kvm_reads_one(const struct bpf_kvm *kvm)
{
    (void)kvm;
    return false;
}

const struct kvm_record *bpf_kvm_next(const struct bpf_kvm *kvm, const struct kvm_record *last)
{
    (void)kvm;
    (void)last;
    return NULL;
}

int bpf_kvm_read_stats_files(struct bpf_kvm *kvm)
{
    (void)kvm;
    return -ENOSYS;
}

const struct stats_file_record *bpf_kvm_find_stats_file(const struct bpf_kvm *kvm, int fd)
{
    (void)kvm;
    (void)fd;
    return NULL;
}

void bpf_threads_close(struct bpf_threads *threads)
{
    (void)threads;
}

void bpf_threads_want(struct bpf_threads *threads, pid_t process, bool is_wanted)
{
    (void)threads;
    (void)process;
    (void)is_wanted;
}

int bpf_threads_read(struct bpf_threads *threads)
{
    (void)threads;
    return -ENOSYS;
}

int bpf_threads_begin(struct bpf_threads *threads)
{
    (void)threads;
    return -ENOSYS;
}

int bpf_threads_more(struct bpf_threads *threads)
{
    (void)threads;
    return -ENOSYS;
}

int bpf_threads_read_one(struct bpf_threads *threads, pid_t process)
{
    (void)threads;
    (void)process;
    return -ENOSYS;
}

const struct thread_record *bpf_threads_records(const struct bpf_threads *threads, size_t *ret_n)
{
    (void)threads;
    *ret_n = 0;
    return NULL;
}
