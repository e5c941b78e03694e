/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "look/snapshot_life.h"

#include <stdlib.h>
#include <string.h>

#include "look/snapshot_vms.h"

/* ---- hosts ---------------------------------------------------------------------------------- */

enum snapshot_hosts snapshot_compare_hosts(const struct snapshot_file *before,
                                           const struct snapshot_file *after)
{
    if (!before->boot_id || !after->boot_id || !strcmp(before->boot_id, after->boot_id))
        return SNAPSHOT_ONE_BOOT;
    if (!before->host || !after->host || !strcmp(before->host, after->host))
        return SNAPSHOT_TWO_BOOTS;
    return SNAPSHOT_TWO_HOSTS;
}

/* ---- VMs and vCPUs -------------------------------------------------------------------------- */

static const struct snapshot_thread *find_thread(const struct snapshot_vm *vm, const char *path)
{
    for (size_t low = 0, high = vm->n_threads; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(vm->threads[middle].path, path);

        if (!order)
            return &vm->threads[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_same_thread(const struct snapshot_thread *a, const struct snapshot_thread *b)
{
    return a->thread == b->thread && a->start == b->start;
}

/* As many vCPUs may have been plugged as there are: the process counts, and without it any thread. */
static bool is_other_vm(const struct snapshot_vm *before, const struct snapshot_vm *after)
{
    bool any = false;

    if (before->process > 0 && after->process > 0)
        return before->process != after->process || before->process_start != after->process_start;
    for (size_t i = 0; i < after->n_threads; i++) {
        const struct snapshot_thread *thread = find_thread(before, after->threads[i].path);

        if (thread && is_same_thread(thread, &after->threads[i]))
            return false;
        any |= thread != NULL;
    }
    return any;
}

static bool is_other_vcpu(const struct snapshot_vm *before, const struct snapshot_vm *after,
                          const char *path)
{
    const struct snapshot_thread *a = path ? find_thread(before, path) : NULL;
    const struct snapshot_thread *b = path ? find_thread(after, path) : NULL;

    return a && b && !is_same_thread(a, b);
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* The rows of @after, those of a VM together, and the VM that was looked at last. */
struct comparison {
    const struct snapshot_file *before, *after;
    const struct row **rows;
    bool *resets;
    bool are_other_boots;
    const struct snapshot_vm *vm_before, *vm_after;
    bool is_other_vm;
};

static bool has_gone_down(const struct row *before, const struct row *after)
{
    for (size_t i = 0; row_is_counting(after->stat) && i < after->n; i++)
        if (after->totals[i] < before->totals[i])
            return true;
    return false;
}

static bool is_of_other_life(struct comparison *comparison, const struct row *before,
                             const struct row *after)
{
    const struct snapshot_vm *vm_before = snapshot_find_vm(comparison->before, before);
    const struct snapshot_vm *vm_after = snapshot_find_vm(comparison->after, after);

    if (comparison->are_other_boots)
        return true;
    if (!vm_before || !vm_after)
        return false;
    if (vm_before != comparison->vm_before || vm_after != comparison->vm_after)
        comparison->is_other_vm = is_other_vm(vm_before, vm_after);
    comparison->vm_before = vm_before;
    comparison->vm_after = vm_after;
    return comparison->is_other_vm || is_other_vcpu(vm_before, vm_after, after->path);
}

/* Returns whether the row says that all of its VM began anew. */
static bool compare_row(struct comparison *comparison, const struct row *after)
{
    size_t i = (size_t)(after - comparison->after->rows);
    const struct row *before =
        snapshot_find(comparison->before, after, comparison->after->is_alone[i], i);

    if (!before)
        return false;
    comparison->resets[i] = is_of_other_life(comparison, before, after);
    return !comparison->resets[i] && has_gone_down(before, after);
}

/* The rows of a VM, from @first on. Returns where those of the next one begin. */
static size_t compare_vm(struct comparison *comparison, size_t first)
{
    const struct row **rows = comparison->rows;
    bool is_anew = false;
    size_t end = first;

    for (; end < comparison->after->n_rows &&
           !snapshot_compare_vms(rows[end]->vm, rows[end]->socket, rows[first]->vm,
                                 rows[first]->socket);
         end++)
        is_anew |= compare_row(comparison, rows[end]);
    for (size_t i = first; is_anew && i < end; i++)
        comparison->resets[rows[i] - comparison->after->rows] = true;
    return end;
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *const *row_a = a, *const *row_b = b;
    int order =
        snapshot_compare_vms((*row_a)->vm, (*row_a)->socket, (*row_b)->vm, (*row_b)->socket);

    return order ? order : (*row_a > *row_b) - (*row_a < *row_b);
}

bool *snapshot_find_resets(const struct snapshot_file *before, const struct snapshot_file *after)
{
    struct comparison comparison = {
        .before = before,
        .after = after,
        .rows = calloc(after->n_rows + 1, sizeof(struct row *)),
        .resets = calloc(after->n_rows + 1, sizeof(bool)),
        .are_other_boots = snapshot_compare_hosts(before, after) != SNAPSHOT_ONE_BOOT,
    };

    if (!comparison.rows || !comparison.resets) {
        free(comparison.resets);
        comparison.resets = NULL;
    }
    for (size_t i = 0; comparison.resets && i < after->n_rows; i++)
        comparison.rows[i] = &after->rows[i];
    if (comparison.resets)
        qsort(comparison.rows, after->n_rows, sizeof(struct row *), compare_rows);
    for (size_t i = 0; comparison.resets && i < after->n_rows;)
        i = compare_vm(&comparison, i);
    free(comparison.rows);
    return comparison.resets;
}
