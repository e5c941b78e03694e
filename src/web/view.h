/* SPDX-License-Identifier: MIT */
/*
 * The VMs of this host and all their values, as they were in the last pass; for who writes documents of
 * them. It reads the kernel by itself, so that no other reader of the process waits for it, and the files
 * of VMs that have registered, of which a roster tells.
 *
 *      view_open() ──> (view_read() ──> view_vms())* ──> view_close()
 *
 * One thread at a time. What it needs of privileges, and when, is as of host_open().
 */
#ifndef WEB_VIEW_H
#define WEB_VIEW_H

#include "host/host.h"
#include "host/state.h"
#include "stats/collect.h"

/* The objects of one target of a VM. */
struct view_target {
    char *name; /* of the target */
    struct stats_collection collection;
    struct object_list list;
    bool is_there; /* some provider of the VM has it */
};

struct view_vm {
    struct host_vm *vm;          /* a reference */
    struct view_target *targets; /* in the order of the providers */
    size_t n_targets;
    bool has_failed; /* it could not be collected */
};

struct view;

/* @roster: VMs that have registered; they are all there is if @registered_only. */
int view_open(struct roster *roster, bool registered_only, struct bpf_why *why,
              struct view **ret_view);
void view_close(struct view *view); /* NULL is allowed */

/* -errno: nothing is newer than before but what VMs have that have registered. */
int view_read(struct view *view);

bool view_reads_kernel(const struct view *view);

/* Until the next pass. */
const struct view_vm *view_vms(const struct view *view, size_t *ret_n);
const struct view_vm *view_find(const struct view *view,
                                const char *name); /* NULL: there is none */

/* Of the last pass: how long it took, of that for VMs that have registered; when it began, by two clocks. */
struct view_time {
    uint64_t duration_ns, registered_ns, monotonic_ns, unix_ns;
};
struct view_time view_time(const struct view *view);

/* An object of a target: its path is NULL if it is the VM, its number -1 if it has none. */
struct stats_object view_object(const struct view_target *target, size_t i);

#endif
