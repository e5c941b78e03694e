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

struct view_query;

/* The objects of one target of a VM, with their rows. */
struct view_target {
    const char *name;                    /* of the target */
    struct stats_object *objects;        /* the VM has no path; who has no number has -1 */
    const struct stats_schema **schemas; /* those of which an object has a row */
    const uint64_t **rows;               /* see view_row() */
    size_t n_objects, n_schemas;
    void *memory; /* of these */
    size_t size;
    struct view_query *query; /* NULL: the rows are those of the pass itself */
};

struct view_vm {
    struct host_vm *vm;          /* a reference */
    struct view_target *targets; /* in the order of the providers */
    size_t n_targets;
    bool has_failed; /* it could not be read */
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

/* What an object has of a schema, or NULL. */
static inline const uint64_t *view_row(const struct view_target *target, size_t object,
                                       size_t schema)
{
    return target->rows[object * target->n_schemas + schema];
}

#endif
