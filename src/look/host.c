/* SPDX-License-Identifier: MIT */
/* All VMs of this host, read from the kernel: what is looked at where no VM is named. */
#include "host/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local.h"
#include "host/privileges.h"
#include "host/state.h"
#include "look/daemon.h"
#include "look/place.h"
#include "look/private.h"

#define HINT_ANY_VMM "A VM is here as soon as its VMM has made it, whichever VMM it is."

static void release(void *opaque)
{
    host_vm_unref(opaque);
}

static int compare_ids(const void *key, const void *element)
{
    const int64_t *id = key;
    const struct host_vcpu *vcpu = element;

    return (*id > vcpu->id) - (*id < vcpu->id);
}

static enum client_state state_of(const void *opaque, int64_t vcpu)
{
    static const enum client_state states[] = {
        [HOST_NEVER_RAN] = CLIENT_NEVER_RAN, [HOST_RUNNING] = CLIENT_RUNNING,
        [HOST_HALTED] = CLIENT_HALTED,       [HOST_OUTSIDE] = CLIENT_OUTSIDE,
        [HOST_PAUSED] = CLIENT_PAUSED,
    };
    const struct host_vm *vm = opaque;
    const struct host_vcpu *found;

    if (vcpu < 0)
        return states[host_vm_state(vm)];
    found = bsearch(&vcpu, vm->vcpus, vm->n_vcpus, sizeof(*vm->vcpus), compare_ids);
    return found ? states[host_vcpu_state(vm, found)] : CLIENT_UNKNOWN;
}

static int open_vm(struct look *look, struct host_vm *vm, struct client **ret_client,
                   struct client_error *error)
{
    const struct client_local local = {
        .ctx = vm->ctx,
        .path = vm->name,
        .time_ns = host_time_ns(look->host),
        .is_gone = &vm->is_gone,
        .origin = {.way = "kernel",
                   .pid = vm->pid,
                   .uid = vm->uid,
                   .vmm = vm->identity.vmm[0] ? vm->identity.vmm : NULL,
                   .uuid = vm->identity.uuid[0] ? vm->identity.uuid : NULL},
        .state = state_of,
        .release = release,
        .opaque = host_vm_ref(vm),
    };

    return client_open_local(&local, ret_client, error);
}

static int read_failed(struct look *look, const char *reason)
{
    return look_fail(look, NULL, "the VMs of this host can't be read: %s", reason);
}

static int drop_privileges(struct look *look)
{
    const struct privileges kept = {.opens_files = look->options.opens_files,
                                    .loads_bpf = bpf_passes_need_capability("")};
    int err = privileges_drop(&kept);

    return err ? read_failed(look, "capabilities can't be given up") : 0;
}

static int refuse(struct look *look, const struct bpf_why *why)
{
    const char *hint = why->hint[0] ? why->hint : "'vitals doctor' says what this host can give.";

    if (look->options.is_host)
        return look_fail(look, hint, "the VMs of this host can't be read: %s", why->text);
    look_fail(look, hint, "no VM is named, and those of this host can't be read: %s", why->text);
    fprintf(stderr, "  --socket PATH asks one VM at its QMP socket, without any privilege.\n");
    return EXIT_FAILURE;
}

void look_say_what_is_seen(const struct look *look)
{
    bool sees_all = look->daemon || bpf_in_initial_pid_namespace("");
    struct client_error error = {0};
    size_t n;

    if (!look_is_of_host(look))
        return;
    n = daemon_vms(look)->n;
    if (look->host)
        host_vms(look->host, &n);
    if (sees_all && !n)
        client_fail(&error, 0, HINT_ANY_VMM, "this host has no VMs");
    else if (!sees_all && !n)
        client_fail(&error, 0, BPF_HINT_PID_NAMESPACE, "this pid namespace has no VMs");
    else if (!sees_all)
        client_fail(&error, 0, BPF_HINT_PID_NAMESPACE,
                    "only the VMs of this pid namespace are seen");
    if (*error.text)
        look_say(look, &error);
}

static int take_vms(struct look *look)
{
    size_t n;
    struct host_vm *const *vms = host_vms(look->host, &n);

    look->vms = calloc(n + 1, sizeof(*look->vms));
    if (!look->vms)
        return look_fail(look, NULL, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct client *client;
        struct client_error error;

        if (open_vm(look, vms[i], &client, &error) < 0)
            look_complain(look, &error);
        else
            look->vms[look->n_vms++] =
                (struct look_vm){.socket = client_path(client), .client = client};
    }
    look->n_sockets = n;
    return n && !look->n_vms ? EXIT_FAILURE : 0;
}

static int open_host(struct look *look)
{
    struct bpf_why why;
    int status, err = host_open("", &why, &look->host);

    if (err)
        return refuse(look, &why);
    status = drop_privileges(look);
    return status ? status : look_refresh(look);
}

bool look_has_ended(const struct look *look, int err)
{
    if (look->daemon && !look->fleet) /* behind its answer nobody is at the socket that it told */
        return err == -ESRCH || err == -ENOENT || err == -ECONNREFUSED || err == -ECONNRESET ||
               err == -EPIPE;
    return look_is_of_host(look) && err == -ESRCH;
}

int look_open_host(struct look *look)
{
    int status = open_host(look);

    return status ? status : take_vms(look);
}

int look_refresh(struct look *look)
{
    struct client_error error;
    int err;

    if (look->fleet)
        fleet_begin(look->fleet, &error); /* who is asked says what is wrong */
    err = look->host ? host_read(look->host) : 0;
    return err ? read_failed(look, strerror(-err)) : 0;
}

/* ---- this host as a place that is watched --------------------------------------------------- */

struct host_place {
    struct place place;
    struct look *look;
};

static void refresh(struct place *place, void (*found)(void *opaque, const char *key), void *opaque)
{
    struct look *look = ((struct host_place *)place)->look;
    struct host_vm *const *vms;
    size_t n;

    host_read(look->host); /* what it could not read is as it was */
    vms = host_vms(look->host, &n);
    for (size_t i = 0; i < n; i++)
        if (look_wants_vm(look, vms[i]->name, vms[i]->identity.uuid))
            found(opaque, vms[i]->name);
}

static int connect_vm(struct place *place, const char *key, struct client **ret_client,
                      struct client_error *error)
{
    struct look *look = ((struct host_place *)place)->look;
    size_t n;
    struct host_vm *const *vms = host_vms(look->host, &n);

    for (size_t i = 0; i < n; i++)
        if (!strcmp(vms[i]->name, key))
            return open_vm(look, vms[i], ret_client, error);
    return client_fail(error, ESRCH, NULL, "%s: the VM has ended", key);
}

static void free_place(struct place *place)
{
    free(place);
}

static const struct place_ops ops = {
    .refresh = refresh, .connect = connect_vm, .is_at_hand = true, .free = free_place};

int look_make_host_place(struct look *look)
{
    struct host_place *place = calloc(1, sizeof(*place));
    int status = place ? open_host(look) : look_fail(look, NULL, "out of memory");

    if (status) {
        free(place);
        return status;
    }
    *place = (struct host_place){.place.ops = &ops, .look = look};
    look->place = &place->place;
    return 0;
}
