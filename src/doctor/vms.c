/* SPDX-License-Identifier: MIT */
/* Whether the VMs of this host can be read from the kernel, and which there are. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "doctor/doctor.h"
#include "host/host.h"

enum { VMS_SHOWN = 20, USER_SIZE = 64 }; /* of more VMs only the number is said */

#define CHECK_ALL "host's vms"
#define CHECK_ONE "vm"

/* A program that reads garbage is a problem; a user who may not read is none. */
static enum finding_status status_of(enum bpf_missing missing)
{
    return missing == BPF_MISSING_TRUST ? FINDING_PROBLEM : FINDING_ABSENT;
}

static void user_text(char text[USER_SIZE], uid_t uid)
{
    const struct passwd *entry = getpwuid(uid);

    if (entry)
        snprintf(text, USER_SIZE, "%s", entry->pw_name);
    else
        snprintf(text, USER_SIZE, "user %u", (unsigned)uid);
}

static void show_vm(struct doctor *doctor, const struct host_vm *vm)
{
    uint32_t n_stats = 0;
    char user[USER_SIZE];

    for (size_t i = 0; i < KVM_KINDS; i++)
        n_stats += vm->schemas[i]->n_stats;
    user_text(user, vm->uid);
    doctor_find(doctor, CHECK_ONE, FINDING_OK,
                "%s: %s, process %d of %s: %zu vCPUs, %u statistics, from the kernel", vm->name,
                vm->identity.vmm[0] ? vm->identity.vmm : "an unknown VMM", (int)vm->pid, user,
                vm->n_vcpus, n_stats);
}

static void show_vms(struct doctor *doctor, const struct host *host)
{
    size_t n, n_vcpus = 0;
    struct host_vm *const *vms = host_vms(host, &n);

    for (size_t i = 0; i < n; i++)
        n_vcpus += vms[i]->n_vcpus;
    doctor_find(doctor, CHECK_ALL, FINDING_OK,
                "all VMs of this host can be read from the kernel; VMs: %zu, vCPUs: %zu", n,
                n_vcpus);
    for (size_t i = 0; i < n && i < VMS_SHOWN; i++)
        show_vm(doctor, vms[i]);
    if (n > VMS_SHOWN)
        doctor_find(doctor, CHECK_ONE, FINDING_OK, "and %zu more: 'vitals list' has all",
                    n - VMS_SHOWN);
}

/* What is true although the VMs can be read. */
static void show_limits(struct doctor *doctor)
{
    if (!bpf_in_initial_pid_namespace(doctor->root))
        finding_hint(doctor_find(doctor, CHECK_ALL, FINDING_WARNING,
                                 "this is a pid namespace of its own, as in a container: only its "
                                 "own VMs are seen"),
                     "A pod sees the host's with hostPID: true, a container with --pid=host.");
    if (bpf_passes_need_capability(doctor->root))
        finding_hint(doctor_find(doctor, CHECK_ALL, FINDING_WARNING,
                                 "CAP_BPF is kept as long as VMs are read: this kernel asks for it "
                                 "each time"),
                     "Linux 5.19 and later don't; nor do others where the sysctl "
                     "kernel.unprivileged_bpf_disabled is 0.");
}

void doctor_check_vms(struct doctor *doctor)
{
    struct bpf_why why;
    struct host *host;
    int err = host_open(doctor->root, &why, &host);

    if (err) {
        finding_hint(doctor_find(doctor, CHECK_ALL, status_of(why.missing), "%s", why.text), "%s",
                     why.hint);
        return;
    }
    err = host_read(host);
    if (err)
        doctor_find(doctor, CHECK_ALL, FINDING_PROBLEM, "they can't be read from the kernel: %s",
                    strerror(-err));
    else
        show_vms(doctor, host);
    host_close(host);
    show_limits(doctor);
}
