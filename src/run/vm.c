/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "host/process.h"

static const uint64_t ns_per_ms = 1000000;

int run_vm_new(pid_t pid, int fd, int file, struct run_vm **ret_vm)
{
    struct run_vm *vm = calloc(1, sizeof(*vm));
    int err = vm ? watched_open(pid, &vm->process) : -ENOMEM;

    if (err) {
        free(vm);
        return err;
    }
    vm->fd = fd;
    vm->file = file;
    vm->registration = -1;
    vm->next_ns = UINT64_MAX;
    *ret_vm = vm;
    return 0;
}

void run_vm_free(struct run_vm *vm)
{
    if (vm->registration >= 0)
        registration_end(vm->registration);
    user_socket_close(&vm->own);
    for (size_t i = 0; i < vm->n_vcpus; i++)
        close(vm->vcpus[i].shown.file);
    close(vm->file);
    watched_close(&vm->process);
    free(vm->vcpus);
    free(vm);
}

void run_vm_add_vcpu(struct run_vm *vm, int fd, unsigned id, int file)
{
    struct run_vcpu *vcpus = reallocarray(vm->vcpus, vm->n_vcpus + 1, sizeof(*vcpus));

    if (!vcpus) {
        close(file);
        return;
    }
    vm->vcpus = vcpus;
    vcpus[vm->n_vcpus++] = (struct run_vcpu){.fd = fd, .shown = {.id = id, .file = file}};
    if (vm->is_shown)
        vm->next_ns = 0;
    else if (vm->n_vcpus == 1)
        vm->next_ns = clock_now_ns() + RUN_SHOWN_AFTER_MS * ns_per_ms;
}

void run_vm_forget_fd(struct run_vm *vm, int fd)
{
    if (vm->fd == fd)
        vm->fd = -1;
    for (size_t i = 0; i < vm->n_vcpus; i++)
        if (vm->vcpus[i].fd == fd)
            vm->vcpus[i].fd = -1;
}

/* A vCPU's file keeps the VM. */
bool run_vm_has_ended(const struct run_vm *vm)
{
    if (watched_has_ended(&vm->process))
        return true;
    if (vm->fd >= 0 && watched_has_file(&vm->process, vm->fd, "anon_inode:kvm-vm"))
        return false;
    for (size_t i = 0; i < vm->n_vcpus; i++)
        if (vm->vcpus[i].fd >= 0 &&
            watched_has_file(&vm->process, vm->vcpus[i].fd, "anon_inode:kvm-vcpu:"))
            return false;
    return true;
}

/* ---- showing -------------------------------------------------------------------------------- */

static void identify(struct run_vm *vm, const char *name)
{
    pid_t pid = vm->process.pid;

    process_identify(pid, process_start_ns(pid), &vm->identity);
    if (name)
        snprintf(vm->identity.name, sizeof(vm->identity.name), "%s", name);
}

static void leave_daemon(struct run_vm *vm)
{
    registration_end(vm->registration);
    vm->registration = -1;
    vm->n_told = 0;
}

static void tell_of_vcpus(struct run_vm *vm)
{
    size_t n = vm->n_vcpus - vm->n_told;
    struct registration_vcpu *vcpus = n ? calloc(n, sizeof(*vcpus)) : NULL;

    for (size_t i = 0; vcpus && i < n; i++)
        vcpus[i] = vm->vcpus[vm->n_told + i].shown;
    if (vcpus && registration_add(vm->registration, vcpus, n) < 0) {
        leave_daemon(vm);
        vm->n_refused++;
    } else if (vcpus) {
        vm->n_told += n;
        vm->n_refused = 0;
    }
    free(vcpus);
}

static int try_daemon(const struct run_vm *vm, struct run_place *place, size_t i)
{
    int fd;

    if (!place->daemons[i] || clock_now_ns() < place->silent_until_ns[i])
        return -ENOENT;
    fd = registration_begin(place->daemons[i], &vm->identity, vm->process.pid, vm->file);
    if (fd == -ETIMEDOUT || fd == -EAGAIN)
        place->silent_until_ns[i] = clock_now_ns() + RUN_SILENT_MS * ns_per_ms;
    return fd;
}

static void find_daemon(struct run_vm *vm, struct run_place *place)
{
    for (size_t i = 0; vm->registration < 0 && i < COUNT(place->daemons); i++)
        vm->registration = try_daemon(vm, place, i);
    vm->n_told = 0;
    if (vm->registration >= 0)
        return;
    vm->registration = -1;
    vm->n_refused = 0; /* the next one is another daemon */
}

static void make_user_socket(struct run_vm *vm, const struct run_place *place)
{
    if (user_socket_open(place->server, place->own, &vm->identity, vm->process.pid, vm->file,
                         &vm->own) == 0)
        vm->n_added = 0;
}

/* One that can't be added is left out: the socket has the others. */
static void add_vcpus(struct run_vm *vm)
{
    while (vm->n_added < vm->n_vcpus) {
        const struct registration_vcpu *vcpu = &vm->vcpus[vm->n_added++].shown;

        user_socket_add(&vm->own, vcpu->id, vcpu->file);
    }
}

/* From then on it has the socket, whatever daemon comes: somebody may be reading from it. */
static void show_first(struct run_vm *vm, struct run_place *place)
{
    identify(vm, place->name);
    vm->is_shown = true;
    find_daemon(vm, place);
    if (vm->registration < 0)
        make_user_socket(vm, place);
}

/* One that ends while it is told refuses once, and is soon back. */
static bool is_refused(const struct run_vm *vm)
{
    return vm->registration < 0 && vm->n_refused > 1;
}

static unsigned ms_to_next(const struct run_vm *vm)
{
    if (is_refused(vm))
        return RUN_REFUSED_MS;
    return vm->own.ctx ? RUN_DAEMON_LATE_MS : RUN_COME_BACK_MS;
}

void run_vm_go_on(struct run_vm *vm, struct run_place *place, uint64_t now)
{
    if (vm->registration >= 0 && !registration_lasts(vm->registration)) {
        leave_daemon(vm);
        vm->next_ns = now;
    }
    if (now < vm->next_ns)
        return;
    if (!vm->is_shown)
        show_first(vm, place);
    else if (vm->registration < 0)
        find_daemon(vm, place);
    if (vm->registration >= 0)
        tell_of_vcpus(vm);
    if (is_refused(vm) && !vm->own.ctx)
        make_user_socket(vm, place);
    if (vm->own.ctx)
        add_vcpus(vm);
    vm->next_ns = vm->registration >= 0 ? UINT64_MAX : now + ms_to_next(vm) * ns_per_ms;
}
