/* SPDX-License-Identifier: MIT */
/*
 * Reads the VMs and vCPUs of a host from the kernel, as they are at this moment: of any VMM, which
 * knows nothing of it, and without a word to any vCPU.
 *
 *      bpf_kvm_open() ──> (bpf_kvm_read() ──> bpf_kvm_next()*)* ──> bpf_kvm_close()
 *
 * bpf_kvm_open() needs CAP_BPF, CAP_PERFMON and /dev/kvm. Afterwards no capability is needed, but for
 * the kernels that bpf_passes_need_capability() knows (bpf/why.h). One thread at a time.
 */
#ifndef BPF_KVM_FILES_H
#define BPF_KVM_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "bpf/records.h"
#include "bpf/why.h"
#include "kvm/stats_file.h"

struct bpf_kvm;

/*
 * @root is "", or a directory that stands for "/" in the checks. The kernel's answer has been
 * compared with the statistics files of a VM of our own when this returns 0.
 */
int bpf_kvm_open(const char *root, struct bpf_why *why, struct bpf_kvm **ret_kvm);
void bpf_kvm_close(struct bpf_kvm *kvm);

/*
 * What the rows of all VMs, or of all vCPUs, have: the descriptors, as of a statistics file. Lives as
 * long as @kvm.
 */
const struct kvm_stats_file *bpf_kvm_statistics(const struct bpf_kvm *kvm, enum kvm_kind kind);

/* One pass: over the files of one process, by its number here, or with 0 over those of all. */
int bpf_kvm_read(struct bpf_kvm *kvm, pid_t process);

/*
 * The one over all in parts, each as much as the kernel gives at a time: more than 0 of
 * bpf_kvm_more() says that there may be more. Passes over single processes may come in between, after
 * which an object may have a record more than once.
 */
int bpf_kvm_begin(struct bpf_kvm *kvm);
int bpf_kvm_more(struct bpf_kvm *kvm);

/*
 * The same of one process, where the kernel needs not go over all for it. -EOPNOTSUPP: it must: before
 * Linux 6.1, and where /proc is of another pid namespace than our own.
 */
int bpf_kvm_read_one(struct bpf_kvm *kvm, pid_t process);
bool bpf_kvm_reads_one(const struct bpf_kvm *kvm);

/*
 * The records of the last pass to end, in the order of processes and fds: with NULL the first, with the
 * last one the next, NULL at the end. They are valid until the next one of its kind begins, over all or
 * over one process.
 */
const struct kvm_record *bpf_kvm_next(const struct bpf_kvm *kvm, const struct kvm_record *last);

/*
 * Which VM each statistics file is of that this process has open: of its own, or sent by others. One
 * pass over them, then by their fds; NULL: it is none, or was none then. Valid until the next pass.
 */
int bpf_kvm_read_stats_files(struct bpf_kvm *kvm);
const struct stats_file_record *bpf_kvm_find_stats_file(const struct bpf_kvm *kvm, int fd);

#endif
