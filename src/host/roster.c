/* SPDX-License-Identifier: MIT */
#include "host/roster.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/vm_own.h"

struct roster {
    pthread_mutex_t lock;
    struct roster_list list;
    size_t cap;
    uint64_t last_serial;
};

struct roster *roster_new(void)
{
    struct roster *roster = calloc(1, sizeof(*roster));

    if (!roster)
        return NULL;
    pthread_mutex_init(&roster->lock, NULL);
    roster->list.version = 1;
    return roster;
}

/* ---- a VM ----------------------------------------------------------------------------------- */

static void unref(struct roster_vm *vm)
{
    if (atomic_fetch_sub(&vm->users, 1) > 1)
        return;
    for (size_t i = 0; i < vm->n_vcpus; i++) {
        free(vm->vcpus[i].path);
        shared_file_unref(vm->vcpus[i].file);
    }
    for (size_t i = 0; i < vm->n_own; i++)
        own_stats_unref(vm->own[i]);
    shared_file_unref(vm->file);
    shared_file_unref(vm->process);
    free(vm->vcpus);
    free(vm);
}

static bool copy_vcpus(struct roster_vm *to, const struct host_vm *from)
{
    to->vcpus = calloc(from->n_vcpus + 1, sizeof(*to->vcpus));
    if (!to->vcpus)
        return false;
    for (size_t i = 0; i < from->n_vcpus; i++) {
        const struct host_vcpu *vcpu = &from->vcpus[i];
        char *path = strdup(vcpu->path);

        if (!path)
            return false;
        to->vcpus[to->n_vcpus++] = (struct roster_vcpu){.id = vcpu->id,
                                                        .thread = (pid_t)vcpu->thread_here,
                                                        .path = path,
                                                        .file = shared_file_ref(vcpu->file)};
    }
    return true;
}

static struct roster_vm *copy(const struct host_vm *vm, struct shared_file *process)
{
    struct roster_vm *new = calloc(1, sizeof(*new));

    if (!new)
        return NULL;
    atomic_init(&new->users, 1);
    atomic_init(&new->is_said_to_pause, vm->is_said_to_pause);
    new->of = vm;
    snprintf(new->name, sizeof(new->name), "%s", vm->name);
    new->identity = vm->identity;
    new->pid = vm->pid;
    new->uid = vm->uid;
    new->key = vm->key;
    new->file = shared_file_ref(vm->file);
    new->process = shared_file_ref(process);
    for (size_t i = 0; i < vm->n_own; i++)
        new->own[new->n_own++] = own_stats_ref(vm_own_at(vm, i));
    if (copy_vcpus(new, vm))
        return new;
    unref(new);
    return NULL;
}

/* ---- who tells ------------------------------------------------------------------------------ */

/* Where it is, or the end. Only this thread changes the list, so it may look without the lock. */
static size_t find(const struct roster *roster, const struct host_vm *vm)
{
    size_t i = 0;

    while (i < roster->list.n && roster->list.vms[i]->of != vm)
        i++;
    return i;
}

static int reserve(struct roster *roster)
{
    size_t cap = roster->cap ? 2 * roster->cap : 16;
    struct roster_vm **vms;

    if (roster->list.n < roster->cap)
        return 0;
    vms = reallocarray(roster->list.vms, cap, sizeof(struct roster_vm *));
    if (!vms)
        return -ENOMEM;
    roster->list.vms = vms;
    roster->cap = cap;
    return 0;
}

/* Under the lock. Returns what was at its place, or NULL. */
static struct roster_vm *replace(struct roster *roster, size_t i, struct roster_vm *vm)
{
    struct roster_vm *former = i < roster->list.n ? roster->list.vms[i] : NULL;

    vm->serial = former ? former->serial : ++roster->last_serial;
    roster->list.n += !former;
    roster->list.vms[i] = vm;
    roster->list.version++;
    return former;
}

int roster_put(struct roster *roster, const struct host_vm *vm, struct shared_file *process)
{
    struct roster_vm *new = roster ? copy(vm, process) : NULL, *former = NULL;
    int err;

    if (!roster)
        return 0;
    if (!new)
        return -ENOMEM;
    pthread_mutex_lock(&roster->lock);
    err = reserve(roster);
    if (!err)
        former = replace(roster, find(roster, vm), new);
    pthread_mutex_unlock(&roster->lock);
    if (err)
        unref(new);
    if (former)
        unref(former);
    return err;
}

void roster_set_paused(struct roster *roster, const struct host_vm *vm, bool is_paused)
{
    size_t i = roster ? find(roster, vm) : 0;

    if (roster && i < roster->list.n)
        atomic_store(&roster->list.vms[i]->is_said_to_pause, is_paused);
}

void roster_remove(struct roster *roster, const struct host_vm *vm)
{
    size_t i = roster ? find(roster, vm) : 0;
    struct roster_vm *former;

    if (!roster || i == roster->list.n)
        return;
    pthread_mutex_lock(&roster->lock);
    former = roster->list.vms[i];
    roster->list.n--;
    memmove(&roster->list.vms[i], &roster->list.vms[i + 1],
            (roster->list.n - i) * sizeof(struct roster_vm *));
    roster->list.version++;
    pthread_mutex_unlock(&roster->lock);
    unref(former);
}

void roster_free(struct roster *roster)
{
    if (!roster)
        return;
    roster_list_free(&roster->list);
    pthread_mutex_destroy(&roster->lock);
    free(roster);
}

/* ---- who reads ------------------------------------------------------------------------------ */

/* Under the lock. */
static int copy_list(const struct roster *roster, struct roster_list *ret_list)
{
    struct roster_list list = {.version = roster->list.version, .n = roster->list.n};

    list.vms = calloc(list.n + 1, sizeof(struct roster_vm *));
    if (!list.vms)
        return -ENOMEM;
    for (size_t i = 0; i < list.n; i++) {
        list.vms[i] = roster->list.vms[i];
        atomic_fetch_add(&list.vms[i]->users, 1);
    }
    *ret_list = list;
    return 1;
}

int roster_read(struct roster *roster, uint64_t version, struct roster_list *ret_list)
{
    int err = 0;

    if (!roster)
        return 0;
    pthread_mutex_lock(&roster->lock);
    if (version != roster->list.version)
        err = copy_list(roster, ret_list);
    pthread_mutex_unlock(&roster->lock);
    return err;
}

void roster_list_free(struct roster_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        unref(list->vms[i]);
    free(list->vms);
    *list = (struct roster_list){0};
}
