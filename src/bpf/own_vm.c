/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bpf/own_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/stats_fd.h"

/* Headers older than Linux 5.14 lack it. */
#ifndef KVM_CAP_BINARY_STATS_FD
#define KVM_CAP_BINARY_STATS_FD 203
#endif

#define HINT_DEVICE                                                                                \
    "'vitals doctor' says what is wrong with it. Root may open it, and so may the group kvm."

enum {
    PATH_SIZE = 4096,
    MEMORY_SIZE = 4096,
    OUR_VCPU_ID = 7, /* not 0: memory that is something else is often 0 */
    INSTRUCTION_HLT = 0xf4,
    RFLAGS_RESERVED = 2,
};

static int refuse_device(struct bpf_why *why, int err)
{
    bool is_missing = err == -ENOENT || err == -ENODEV || err == -ENXIO;

    return bpf_why_set(why, err, is_missing ? BPF_MISSING_DEVICE : BPF_MISSING_PERMISSION,
                       HINT_DEVICE, "/dev/kvm can't be opened: %s", strerror(-err));
}

static int refuse_kvm(struct bpf_why *why, const char *what)
{
    int err = -errno;

    return bpf_why_set(why, err, BPF_MISSING_KVM, "'vitals doctor' says more.",
                       "KVM refuses to make a VM of our own, which is to show what the kernel "
                       "counts: %s: %s",
                       what, strerror(-err));
}

/* ---- the device ----------------------------------------------------------------------------- */

static int open_device(const char *root, struct bpf_why *why, int *ret_fd)
{
    char path[PATH_SIZE];
    int fd;

    snprintf(path, sizeof(path), "%s/dev/kvm", root);
    fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse_device(why, -errno);
    if (ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD) > 0) {
        *ret_fd = fd;
        return 0;
    }
    close(fd);
    return bpf_why_set(why, -ENOTTY, BPF_MISSING_STATISTICS,
                       "Linux 5.14 and later have them, without any option.",
                       "this kernel's KVM has no statistics files");
}

/* ---- the guest ------------------------------------------------------------------------------ */

#ifdef __x86_64__
/* From address 0, in the mode in which CPUs start. */
static int start_at_zero(int vcpu)
{
    struct kvm_regs regs = {.rflags = RFLAGS_RESERVED};
    struct kvm_sregs sregs;

    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
        return -errno;
    sregs.cs.base = sregs.cs.selector = 0;
    if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
        return -errno;
    return 0;
}

/* One instruction that halts. If the CPU does not like it, less is counted, and nothing is wrong. */
static void run_guest(struct own_vm *vm)
{
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY_SIZE};
    void *memory =
        mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return;
    vm->memory = memory;
    *(uint8_t *)memory = INSTRUCTION_HLT;
    region.userspace_addr = (uintptr_t)memory;
    if (ioctl(vm->fds[KVM_KIND_VM], KVM_SET_USER_MEMORY_REGION, &region) < 0 ||
        start_at_zero(vm->fds[KVM_KIND_VCPU]) < 0)
        return;
    vm->has_run = ioctl(vm->fds[KVM_KIND_VCPU], KVM_RUN, 0) == 0;
}
#else
static void run_guest(struct own_vm *vm)
{
    (void)vm;
}
#endif

/* ---- the VM --------------------------------------------------------------------------------- */

/* A machine may have few numbers for vCPUs. */
static int make_vcpu(struct own_vm *vm)
{
    vm->vcpu_id = OUR_VCPU_ID;
    vm->fds[KVM_KIND_VCPU] = ioctl(vm->fds[KVM_KIND_VM], KVM_CREATE_VCPU, vm->vcpu_id);
    if (vm->fds[KVM_KIND_VCPU] >= 0)
        return 0;
    vm->vcpu_id = 0;
    vm->fds[KVM_KIND_VCPU] = ioctl(vm->fds[KVM_KIND_VM], KVM_CREATE_VCPU, vm->vcpu_id);
    return vm->fds[KVM_KIND_VCPU] < 0 ? -1 : 0;
}

static int open_statistics(struct own_vm *vm, struct bpf_why *why)
{
    struct error_text error;

    for (int kind = 0; kind < KVM_KINDS; kind++) {
        int fd = kvm_stats_fd_open(vm->fds[kind], &error);

        if (fd < 0)
            return bpf_why_set(why, fd, BPF_MISSING_KVM, NULL, "a VM of our own: %s", error.text);
        vm->stats_fds[kind] = fd;
    }
    return 0;
}

static int make(const char *root, struct bpf_why *why, struct own_vm *vm)
{
    int err = open_device(root, why, &vm->kvm_fd);

    if (err)
        return err;
    vm->fds[KVM_KIND_VM] = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
    if (vm->fds[KVM_KIND_VM] < 0)
        return refuse_kvm(why, "KVM_CREATE_VM");
    if (make_vcpu(vm) < 0)
        return refuse_kvm(why, "KVM_CREATE_VCPU");
    err = open_statistics(vm, why);
    if (!err)
        run_guest(vm);
    return err;
}

int own_vm_open(const char *root, struct bpf_why *why, struct own_vm *ret_vm)
{
    struct own_vm vm = {.kvm_fd = -1, .fds = {-1, -1}, .stats_fds = {-1, -1}};
    int err = make(root, why, &vm);

    if (err)
        own_vm_close(&vm);
    else
        *ret_vm = vm;
    return err;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* The statistics files first: some kernels read freed memory through one that outlives its VM. */
void own_vm_close(struct own_vm *vm)
{
    for (int kind = KVM_KINDS; kind-- > 0;)
        close_if_open(vm->stats_fds[kind]);
    for (int kind = KVM_KINDS; kind-- > 0;)
        close_if_open(vm->fds[kind]);
    close_if_open(vm->kvm_fd);
    if (vm->memory)
        munmap(vm->memory, MEMORY_SIZE);
}

/* ---- its statistics ------------------------------------------------------------------------- */

int own_vm_read(const struct own_vm *vm, enum kvm_kind kind, struct bpf_why *why,
                struct own_statistics *ret_statistics)
{
    struct own_statistics statistics;
    struct error_text error;
    int err = kvm_stats_fd_load(vm->stats_fds[kind], &error, &statistics.bytes, &statistics.size);

    if (err)
        return bpf_why_set(why, err, BPF_MISSING_KVM, NULL, "a VM of our own: %s", error.text);
    err = kvm_stats_file_parse(statistics.bytes, statistics.size, &error, &statistics.file);
    if (err) {
        free(statistics.bytes);
        return bpf_why_set(why, err, BPF_MISSING_KVM, NULL,
                           "the statistics file of a VM of our own: %s", error.text);
    }
    *ret_statistics = statistics;
    return 0;
}

void own_statistics_free(struct own_statistics *statistics)
{
    free(statistics->bytes);
    *statistics = (struct own_statistics){0};
}
