/* SPDX-License-Identifier: MIT */
#include "look/snapshot_vms.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "client/json.h"
#include "show/origin.h"

int snapshot_compare_vms(const char *name, const char *socket, const char *other_name,
                         const char *other_socket)
{
    int order = strcmp(name, other_name);

    return order ? order : strcmp(socket, other_socket);
}

/* A number of a process or thread and when it began, both or neither. False: it is wrong. */
static bool read_start(struct json_object *object, const char *number_name, const char *start_name,
                       int64_t *ret_number, uint64_t *ret_start)
{
    struct json_object *number = client_signed(object, number_name);
    struct json_object *start = client_member(object, start_name, json_type_int);

    *ret_number = number ? json_object_get_int64(number) : 0;
    *ret_start = start ? json_object_get_uint64(start) : 0;
    if (!number && !start)
        return !json_object_object_get(object, number_name) &&
               !json_object_object_get(object, start_name);
    return number && start && *ret_number > 0 && json_object_get_int64(start) >= 0;
}

/* Older snapshots have none. False: it is wrong. */
static bool read_text(struct json_object *object, const char *name, const char **ret_text)
{
    *ret_text = client_name(object, name);
    return *ret_text || !json_object_object_get(object, name);
}

/* The same; -1. */
static bool read_number(struct json_object *object, const char *name, int64_t *ret_number)
{
    struct json_object *number = client_signed(object, name);

    *ret_number = number ? json_object_get_int64(number) : -1;
    return number ? *ret_number >= 0 : !json_object_object_get(object, name);
}

static bool read_origin(struct json_object *object, struct client_origin *origin)
{
    return read_text(object, "vmm", &origin->vmm) && read_number(object, "pid", &origin->pid) &&
           read_number(object, "uid", &origin->uid) && read_text(object, "way", &origin->way) &&
           read_text(object, "uuid", &origin->uuid);
}

static int compare_threads(const void *a, const void *b)
{
    const struct snapshot_thread *thread_a = a, *thread_b = b;

    return strcmp(thread_a->path, thread_b->path);
}

/* vCPUs whose thread is not known are left out. */
static bool read_threads(struct json_object *vcpus, struct snapshot_vm *vm)
{
    for (size_t i = 0; i < json_object_array_length(vcpus); i++) {
        struct json_object *vcpu = json_object_array_get_idx(vcpus, i);
        struct snapshot_thread *thread = &vm->threads[vm->n_threads];

        thread->path = client_name(vcpu, "path");
        if (!thread->path ||
            !read_start(vcpu, "thread", "thread_start", &thread->thread, &thread->start))
            return false;
        vm->n_threads += thread->thread > 0;
    }
    qsort(vm->threads, vm->n_threads, sizeof(*vm->threads), compare_threads);
    return true;
}

static bool read_vm(struct json_object *object, struct snapshot_vm *vm)
{
    struct json_object *vcpus = client_array(object, "vcpus");

    vm->name = client_name(object, "vm");
    vm->socket = snapshot_read_socket(object);
    return vm->name && vm->socket && vcpus && read_origin(object, &vm->origin) &&
           read_start(object, "process", "process_start", &vm->process, &vm->process_start) &&
           read_threads(vcpus, vm);
}

static int compare_vms(const void *a, const void *b)
{
    const struct snapshot_vm *vm_a = a, *vm_b = b;

    return snapshot_compare_vms(vm_a->name, vm_a->socket, vm_b->name, vm_b->socket);
}

static int read_list(struct snapshot_file *snapshot, struct json_object *list, size_t *ret_wrong)
{
    size_t n = json_object_array_length(list);
    struct snapshot_thread *threads =
        calloc(client_count_in_arrays(list, "vcpus") + 1, sizeof(*threads));

    snapshot->threads = threads;
    snapshot->vms = calloc(n + 1, sizeof(*snapshot->vms));
    if (!threads || !snapshot->vms)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct snapshot_vm *vm = &snapshot->vms[i];

        vm->threads = threads;
        *ret_wrong = i + 1;
        if (!read_vm(json_object_array_get_idx(list, i), vm))
            return -EINVAL;
        threads += vm->n_threads;
    }
    snapshot->n_vms = n;
    qsort(snapshot->vms, n, sizeof(*snapshot->vms), compare_vms);
    return 0;
}

int snapshot_read_vms(struct snapshot_file *snapshot, size_t *ret_wrong)
{
    struct json_object *boot_time = json_object_object_get(snapshot->json, "boot_time");
    struct json_object *list = json_object_object_get(snapshot->json, "vms");

    *ret_wrong = 0;
    snapshot->host = client_name(snapshot->json, "host");
    snapshot->boot_id = client_name(snapshot->json, "boot_id");
    snapshot->has_boot_time = snapshot_read_time(boot_time, &snapshot->boot_time);
    if (!list)
        return 0;
    return json_object_is_type(list, json_type_array) ? read_list(snapshot, list, ret_wrong)
                                                      : -EINVAL;
}

const struct snapshot_vm *snapshot_find_vm(const struct snapshot_file *snapshot,
                                           const struct row *row)
{
    for (size_t low = 0, high = snapshot->n_vms; low < high;) {
        size_t middle = low + (high - low) / 2;
        const struct snapshot_vm *vm = &snapshot->vms[middle];
        int order = snapshot_compare_vms(vm->name, vm->socket, row->vm, row->socket);

        if (!order)
            return vm;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void snapshot_put_vms(struct record_writer *to, const struct snapshot_file *snapshot)
{
    record_list(to, "vms");
    for (size_t i = 0; i < snapshot->n_vms; i++) {
        const struct snapshot_vm *vm = &snapshot->vms[i];

        record_begin(to);
        record_text(to, "vm", NULL, vm->name);
        record_text(to, "socket", NULL, *vm->socket ? vm->socket : NULL);
        origin_put(to, &vm->origin, false);
        record_end(to);
    }
    record_list_end(to);
}
