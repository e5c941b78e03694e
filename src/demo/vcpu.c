/* SPDX-License-Identifier: MIT */
/* One vCPU: its registers at the start, its thread, and what it does when the guest exits. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "demo/vmm_private.h"

#define CPUID_ENTRIES_MAX  256
#define CPUID_FEATURES     0x01
#define CPUID_TOPOLOGY     0x0b
#define CPUID_TOPOLOGY_V2  0x1f
#define CPUID_APIC_ID_BIT  24
#define CPUID_APIC_ID_MASK 0xff000000u

#define CR0_START          0x80010033u /* paging, write protection, an FPU, protected mode */
#define CR4_START          0x20u       /* physical address extension */
#define EFER_START         0x500u      /* long mode */

#define APIC_ADDRESS       0xfee00000u
#define APIC_ENABLE        0x800u
#define APIC_X2APIC        0x400u
#define APIC_BOOT_CPU      0x100u
#define RFLAGS_RESERVED    0x2u
#define SEGMENT_CODE       11 /* these three: accessed, or busy */
#define SEGMENT_DATA       3
#define SEGMENT_BUSY_TSS   11

#define TSS_SIZE           104
#define TSS_STACK_OFFSET   4 /* the stack for interrupts of user code */

int cpuid_new(struct demo_vmm *vmm)
{
    size_t size = sizeof(*vmm->cpuid) + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2);

    vmm->cpuid = calloc(1, size);
    if (!vmm->cpuid)
        return vmm_error(vmm, -ENOMEM, "asking what the CPU can do");
    vmm->cpuid->nent = CPUID_ENTRIES_MAX;
    if (ioctl(vmm->kvm_fd, KVM_GET_SUPPORTED_CPUID, vmm->cpuid) < 0)
        return vmm_error(vmm, -errno, "asking what the CPU can do");
    return 0;
}

/* Takes the host's features, with this vCPU's id. vCPUs are created one after another. */
static int set_cpuid(struct demo_vcpu *vcpu)
{
    struct kvm_cpuid2 *cpuid = vcpu->vmm->cpuid;

    for (unsigned i = 0; i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
        if (entry->function == CPUID_FEATURES)
            entry->ebx = (entry->ebx & ~CPUID_APIC_ID_MASK) | vcpu->index << CPUID_APIC_ID_BIT;
        else if (entry->function == CPUID_TOPOLOGY || entry->function == CPUID_TOPOLOGY_V2)
            entry->edx = vcpu->index;
    }
    return ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0 ? -errno : 0;
}

static uint64_t vcpu_page(const struct demo_vcpu *vcpu)
{
    return GUEST_VCPU_PAGES + (uint64_t)vcpu->index * GUEST_PAGE_SIZE;
}

static uint64_t stack_top(const struct demo_vcpu *vcpu)
{
    return vcpu_page(vcpu) + GUEST_PAGE_SIZE;
}

static void set_segments(const struct demo_vcpu *vcpu, struct kvm_sregs *sregs)
{
    struct kvm_segment data = {
        .limit = UINT32_MAX,
        .selector = GUEST_DATA_SELECTOR,
        .type = SEGMENT_DATA,
        .present = 1,
        .s = 1,
        .db = 1,
        .g = 1,
    };

    sregs->ds = sregs->es = sregs->ss = data;
    sregs->cs = data;
    sregs->cs.selector = GUEST_CODE_SELECTOR;
    sregs->cs.type = SEGMENT_CODE;
    sregs->cs.db = 0;
    sregs->cs.l = 1;
    sregs->tr = (struct kvm_segment){
        .base = vcpu_page(vcpu),
        .limit = TSS_SIZE - 1,
        .selector = GUEST_TSS_SELECTOR,
        .type = SEGMENT_BUSY_TSS,
        .present = 1,
    };
}

/* Starts in 64-bit mode: the guest needs no code to get there. */
static int set_system_registers(struct demo_vcpu *vcpu)
{
    struct kvm_sregs sregs;

    if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
        return -errno;
    set_segments(vcpu, &sregs);
    sregs.gdt = (struct kvm_dtable){.base = GUEST_GDT, .limit = GUEST_TSS_SELECTOR - 1};
    sregs.idt = (struct kvm_dtable){.base = GUEST_IDT, .limit = GUEST_PAGE_SIZE - 1};
    sregs.cr0 = CR0_START;
    sregs.cr3 = GUEST_PML4;
    sregs.cr4 = CR4_START;
    sregs.efer = EFER_START;
    sregs.apic_base = APIC_ADDRESS | APIC_ENABLE | APIC_X2APIC;
    if (vcpu->index == 0)
        sregs.apic_base |= APIC_BOOT_CPU;
    return ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ? -errno : 0;
}

static int set_registers(struct demo_vcpu *vcpu)
{
    static const uint64_t behaviours[] = {
        [DEMO_GUEST_WORK] = GUEST_WORK,
        [DEMO_GUEST_SPIN] = GUEST_SPIN,
        [DEMO_GUEST_HALTED] = GUEST_HALTED,
    };
    const struct guest_entries *entries = (const struct guest_entries *)guest_code;
    struct kvm_regs regs = {
        .rip = entries->start,
        .rsp = stack_top(vcpu),
        .rflags = RFLAGS_RESERVED,
        .rdi = vcpu->index,
        .rsi = behaviours[vcpu->vmm->guest],
        .rdx = vcpu->vmm->n_vcpus,
    };

    return ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}

/* All start at once; without this, all but the first would wait for its start-up interrupt. */
static int set_runnable(struct demo_vcpu *vcpu)
{
    struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_RUNNABLE};

    return ioctl(vcpu->fd, KVM_SET_MP_STATE, &state) < 0 ? -errno : 0;
}

static int set_state(struct demo_vcpu *vcpu)
{
    uint64_t stack = stack_top(vcpu);
    int err;

    memcpy(vcpu->vmm->memory + vcpu_page(vcpu) + TSS_STACK_OFFSET, &stack, sizeof(stack));
    if ((err = set_cpuid(vcpu)) < 0 || (err = set_system_registers(vcpu)) < 0 ||
        (err = set_registers(vcpu)) < 0 || (err = set_runnable(vcpu)) < 0)
        return err;
    return 0;
}

static int create(struct demo_vcpu *vcpu)
{
    vcpu->fd = ioctl(vcpu->vmm->fd, KVM_CREATE_VCPU, (unsigned long)vcpu->index);
    if (vcpu->fd < 0)
        return -errno;
    if (vcpu->vmm->guest == DEMO_GUEST_NONE)
        return 0;

    void *run = mmap(NULL, vcpu->vmm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (run == MAP_FAILED)
        return -errno;
    vcpu->run = run;
    return set_state(vcpu);
}

static void fail(struct demo_vcpu *vcpu, int err, const char *what)
{
    char text[DEMO_ERROR_MAX];

    snprintf(text, sizeof(text), "vCPU %u: %s", vcpu->index, what);
    pthread_mutex_lock(&vcpu->vmm->lock);
    vmm_error(vcpu->vmm, err, text);
    vcpu->failed = true;
    pthread_mutex_unlock(&vcpu->vmm->lock);
}

/* The guest writes for the sake of the exit; what it reads does not matter either. */
static int handle_exit(struct demo_vcpu *vcpu)
{
    char text[64];

    switch (vcpu->run->exit_reason) {
    case KVM_EXIT_IO:
    case KVM_EXIT_MMIO:
        atomic_fetch_add_explicit(&vcpu->exits_handled, 1, memory_order_relaxed);
        return 0;
    default:
        snprintf(text, sizeof(text), "unexpected exit, reason %u", vcpu->run->exit_reason);
        fail(vcpu, -EIO, text);
        return -EIO;
    }
}

/* Only the vCPU's own thread can do this: the kernel holds the vCPU's mutex while it runs. */
static void inject_wanted_nmi(struct demo_vcpu *vcpu)
{
    if (atomic_exchange(&vcpu->nmi_wanted, false))
        ioctl(vcpu->fd, KVM_NMI);
}

static void run_guest(struct demo_vcpu *vcpu)
{
    while (atomic_load(&vcpu->vmm->state) == VMM_RUNNING) {
        if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
            if (handle_exit(vcpu) < 0)
                return;
        } else if (errno == EINTR) {
            inject_wanted_nmi(vcpu);
        } else if (errno != EAGAIN) {
            fail(vcpu, -errno, "KVM_RUN");
            return;
        }
    }
}

/* With vmm->lock held. False: it is time to end. */
static bool wait_for_run(struct demo_vcpu *vcpu)
{
    struct demo_vmm *vmm = vcpu->vmm;

    while (vmm->state == VMM_PAUSED || (vcpu->failed && vmm->state == VMM_RUNNING))
        pthread_cond_wait(&vmm->changed, &vmm->lock);
    __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    return vmm->state == VMM_RUNNING;
}

static void accept_kicks(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *vcpu_thread(void *opaque)
{
    struct demo_vcpu *vcpu = opaque;
    struct demo_vmm *vmm = vcpu->vmm;

    accept_kicks();
    pthread_mutex_lock(&vmm->lock);
    vcpu->thread_id = gettid();
    vcpu->create_err = create(vcpu);
    vcpu->created = true;
    pthread_cond_broadcast(&vmm->changed);
    while (vcpu->create_err == 0 && wait_for_run(vcpu)) {
        vmm->n_in_guest++;
        pthread_mutex_unlock(&vmm->lock);
        run_guest(vcpu);
        pthread_mutex_lock(&vmm->lock);
        vmm->n_in_guest--;
        pthread_cond_broadcast(&vmm->changed);
    }
    pthread_mutex_unlock(&vmm->lock);
    return NULL;
}

/* Signals are for the program that uses the VMM; its vCPU threads take none but the kick. */
static int start_thread(struct demo_vcpu *vcpu)
{
    sigset_t all, before;
    char name[16];

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        return -err;
    vcpu->has_thread = true;
    snprintf(name, sizeof(name), "vCPU %u", vcpu->index);
    pthread_setname_np(vcpu->thread, name);
    return 0;
}

static int wait_until_created(struct demo_vcpu *vcpu)
{
    struct demo_vmm *vmm = vcpu->vmm;

    pthread_mutex_lock(&vmm->lock);
    while (!vcpu->created)
        pthread_cond_wait(&vmm->changed, &vmm->lock);
    pthread_mutex_unlock(&vmm->lock);
    return vcpu->create_err;
}

/*
 * A vCPU that runs is created on its own thread, as QEMU does: the kernel puts the thread's id into
 * the name of the statistics file, where also readers find it that nobody told the thread.
 */
int vcpu_new(struct demo_vcpu *vcpu)
{
    int err;

    if (vcpu->vmm->guest == DEMO_GUEST_NONE)
        return create(vcpu);
    if ((err = start_thread(vcpu)) < 0)
        return err;
    return wait_until_created(vcpu);
}

/*
 * The signal ends a KVM_RUN that has begun; immediate_exit ends one that the thread is about to
 * begin when the signal comes.
 */
void vcpu_fetch(struct demo_vcpu *vcpu)
{
    if (vcpu->run)
        __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    if (vcpu->has_thread)
        pthread_kill(vcpu->thread, KICK_SIGNAL);
}

void vcpu_free(struct demo_vcpu *vcpu)
{
    if (vcpu->has_thread)
        pthread_join(vcpu->thread, NULL);
    if (vcpu->run)
        munmap(vcpu->run, vcpu->vmm->run_size);
    if (vcpu->fd >= 0)
        close(vcpu->fd);
}
