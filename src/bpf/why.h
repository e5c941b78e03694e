/* SPDX-License-Identifier: MIT */
/* Which thing is missing where the kernel does not let its VMs be read, in the words of an operator. */
#ifndef BPF_WHY_H
#define BPF_WHY_H

#include <stdbool.h>

enum bpf_missing {
    BPF_MISSING_NOTHING,
    BPF_MISSING_BUILD,   /* this program was built without it */
    BPF_MISSING_CAP_BPF, /* or both capabilities */
    BPF_MISSING_CAP_PERFMON,
    BPF_MISSING_HOST,       /* in a user namespace capabilities do not count */
    BPF_MISSING_BTF,        /* the kernel does not describe its structs */
    BPF_MISSING_KVM_BTF,    /* it does, but not those of KVM */
    BPF_MISSING_LOCKDOWN,   /* lockdown=confidentiality forbids it */
    BPF_MISSING_DEVICE,     /* /dev/kvm is not there */
    BPF_MISSING_PERMISSION, /* /dev/kvm can't be opened */
    BPF_MISSING_STATISTICS, /* KVM has no statistics files: before Linux 5.14 */
    BPF_MISSING_KVM,        /* a VM of our own can't be made, or is not as we know them */
    BPF_MISSING_ITERATOR,   /* the kernel refuses the program for another reason */
    BPF_MISSING_TRUST,      /* a VM of our own, read this way, is not what its file says */
};

enum { BPF_WHY_TEXT_MAX = 640 };

struct bpf_why {
    enum bpf_missing missing;
    char text[BPF_WHY_TEXT_MAX]; /* what is missing */
    char hint[BPF_WHY_TEXT_MAX]; /* what to do, or empty */
};

/* Sets all, and returns @err, so that a function can end with it. */
int bpf_why_set(struct bpf_why *why, int err, enum bpf_missing missing, const char *hint,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * What can be known before anything is tried: capabilities, BTF, lockdown. @root is "", or a
 * directory that stands for "/".
 */
int bpf_check_system(const char *root, struct bpf_why *why);

/* Says why the kernel has refused to load a program; @log is the end of what it said. */
int bpf_why_not_loaded(struct bpf_why *why, int err, const char *log);

/*
 * Whether processes of all containers are seen. In another pid namespace only those of that one are,
 * and of those below it.
 */
#define BPF_HINT_PID_NAMESPACE                                                                     \
    "A container sees those of the host with hostPID: true (Kubernetes), or --pid=host (docker, "  \
    "podman)."
bool bpf_in_initial_pid_namespace(const char *root);

/*
 * Whether CAP_BPF must be kept after the start: before Linux 5.19, where the sysctl
 * kernel.unprivileged_bpf_disabled is set, each pass needs it.
 */
bool bpf_passes_need_capability(const char *root);

#endif
