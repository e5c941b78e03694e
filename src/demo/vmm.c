/* SPDX-License-Identifier: MIT */
/* The VM as a whole: made, run, paused, freed. */
#include "demo/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "demo/vmm_private.h"

/*
 * Three pages that KVM needs on some Intel CPUs, where the guest has no memory and does not look.
 */
#define TSS_ADDRESS 0xfffbd000

/* Files for each vCPU: the vCPU, its statistics, and once more for who records them. */
#define FILES_PER_VCPU 3
#define FILES_BESIDES  256

static void ignore_kick(int signal)
{
    (void)signal;
}

/* A signal that is ignored would not end KVM_RUN, so it needs a handler. */
static void install_kick_handler(void)
{
    struct sigaction action = {.sa_handler = ignore_kick};

    sigemptyset(&action.sa_mask);
    sigaction(KICK_SIGNAL, &action, NULL);
}

/* If it fails, creating the vCPUs will, and say so. */
static void raise_file_limit(unsigned n_vcpus)
{
    struct rlimit limit;
    rlim_t wanted = FILES_BESIDES + (rlim_t)FILES_PER_VCPU * n_vcpus;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_kvm(struct demo_vmm *vmm)
{
    vmm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (vmm->kvm_fd < 0)
        return vmm_error(vmm, -errno, "/dev/kvm");

    int size = ioctl(vmm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < 0)
        return vmm_error(vmm, -errno, "/dev/kvm");
    vmm->run_size = (size_t)size;
    return cpuid_new(vmm);
}

/*
 * Memory comes before the interrupt controllers: the other way round the kernel waits for a grace
 * period, which makes a VM take 8 ms instead of 0.3.
 */
static int create_vm(struct demo_vmm *vmm)
{
    int err;

    vmm->fd = ioctl(vmm->kvm_fd, KVM_CREATE_VM, 0);
    if (vmm->fd < 0)
        return vmm_error(vmm, -errno, "creating the VM");
    if ((err = memory_new(vmm)) < 0)
        return err;
    if (ioctl(vmm->fd, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0 ||
        ioctl(vmm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
        return vmm_error(vmm, -errno, "creating the interrupt controllers");
    return 0;
}

static int create_vcpus(struct demo_vmm *vmm)
{
    char text[64];

    for (unsigned i = 0; i < vmm->n_vcpus; i++) {
        int err = vcpu_new(&vmm->vcpus[i]);
        if (err < 0) {
            snprintf(text, sizeof(text), "creating vCPU %u of %u", i, vmm->n_vcpus);
            return vmm_error(vmm, err, text);
        }
    }
    return 0;
}

static struct demo_vmm *allocate(const struct demo_vmm_options *options)
{
    struct demo_vmm *vmm = calloc(1, sizeof(*vmm) + options->n_vcpus * sizeof(struct demo_vcpu));

    if (!vmm)
        return NULL;
    vmm->guest = options->guest;
    vmm->n_vcpus = options->n_vcpus;
    vmm->kvm_fd = vmm->fd = -1;
    pthread_mutex_init(&vmm->lock, NULL);
    pthread_cond_init(&vmm->changed, NULL);
    for (unsigned i = 0; i < vmm->n_vcpus; i++) {
        vmm->vcpus[i].vmm = vmm;
        vmm->vcpus[i].index = i;
        vmm->vcpus[i].fd = -1;
        vmm->vcpus[i].thread_id = -1;
    }
    return vmm;
}

int demo_vmm_new(const struct demo_vmm_options *options, struct demo_vmm **ret_vmm,
                 char error[DEMO_ERROR_MAX])
{
    unsigned max = options->guest == DEMO_GUEST_NONE ? DEMO_VCPUS_MAX : DEMO_RUNNING_VCPUS_MAX;
    struct demo_vmm *vmm;
    int err;

    if (options->n_vcpus < 1 || options->n_vcpus > max) {
        snprintf(error, DEMO_ERROR_MAX, "this guest runs with 1 to %u vCPUs", max);
        return -EINVAL;
    }
    if (!(vmm = allocate(options))) {
        snprintf(error, DEMO_ERROR_MAX, "out of memory");
        return -ENOMEM;
    }
    install_kick_handler();
    raise_file_limit(options->n_vcpus);
    if ((err = open_kvm(vmm)) < 0 || (err = create_vm(vmm)) < 0 || (err = create_vcpus(vmm)) < 0) {
        memcpy(error, vmm->error, DEMO_ERROR_MAX);
        demo_vmm_free(vmm);
        return err;
    }
    *ret_vmm = vmm;
    return 0;
}

static void change_state(struct demo_vmm *vmm, enum vmm_state state)
{
    pthread_mutex_lock(&vmm->lock);
    vmm->state = state;
    for (unsigned i = 0; state != VMM_RUNNING && i < vmm->n_vcpus; i++)
        vcpu_fetch(&vmm->vcpus[i]);
    pthread_cond_broadcast(&vmm->changed);
    while (state == VMM_PAUSED && vmm->n_in_guest > 0)
        pthread_cond_wait(&vmm->changed, &vmm->lock);
    pthread_mutex_unlock(&vmm->lock);
}

void demo_vmm_run(struct demo_vmm *vmm)
{
    change_state(vmm, VMM_RUNNING);
}

void demo_vmm_pause(struct demo_vmm *vmm)
{
    change_state(vmm, VMM_PAUSED);
}

void demo_vmm_kick(struct demo_vmm *vmm)
{
    for (unsigned i = 0; i < vmm->n_vcpus; i++) {
        if (!vmm->vcpus[i].has_thread)
            continue;
        vmm->vcpus[i].nmi_wanted = true;
        pthread_kill(vmm->vcpus[i].thread, KICK_SIGNAL);
    }
}

void demo_vmm_free(struct demo_vmm *vmm)
{
    if (!vmm)
        return;
    change_state(vmm, VMM_STOPPING);
    for (unsigned i = 0; i < vmm->n_vcpus; i++)
        vcpu_free(&vmm->vcpus[i]);
    if (vmm->fd >= 0)
        close(vmm->fd);
    if (vmm->kvm_fd >= 0)
        close(vmm->kvm_fd);
    memory_free(vmm);
    free(vmm->cpuid);
    pthread_cond_destroy(&vmm->changed);
    pthread_mutex_destroy(&vmm->lock);
    free(vmm);
}

int demo_vmm_fd(const struct demo_vmm *vmm)
{
    return vmm->fd;
}

unsigned demo_vmm_n_vcpus(const struct demo_vmm *vmm)
{
    return vmm->n_vcpus;
}

int demo_vmm_vcpu_fd(const struct demo_vmm *vmm, unsigned index)
{
    return vmm->vcpus[index].fd;
}

pid_t demo_vmm_vcpu_thread(const struct demo_vmm *vmm, unsigned index)
{
    return vmm->vcpus[index].thread_id;
}

uint64_t demo_vmm_exits_handled(const struct demo_vmm *vmm, unsigned index)
{
    return atomic_load_explicit(&vmm->vcpus[index].exits_handled, memory_order_relaxed);
}

int demo_vmm_failed(struct demo_vmm *vmm, char error[DEMO_ERROR_MAX])
{
    pthread_mutex_lock(&vmm->lock);
    memcpy(error, vmm->error, DEMO_ERROR_MAX);
    pthread_mutex_unlock(&vmm->lock);
    return error[0] != '\0';
}
