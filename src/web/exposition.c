/* SPDX-License-Identifier: MIT */
#include "web/exposition.h"

#include "base/clock.h"

#define KERNEL     "kernel"
#define REGISTERED "registered"

static bool wants(const void *opaque, const char *provider, const char *target,
                  const struct vitals_stat *stat)
{
    const enum metrics_preset *preset = opaque;

    return metrics_preset_has(*preset, provider, target, stat);
}

/* ---- taking --------------------------------------------------------------------------------- */

static void add_target(struct metrics *metrics, const struct view_target *target)
{
    for (size_t i = 0; i < target->n_objects; i++) {
        metrics_add_object(metrics, target->name, target->objects[i].path,
                           target->objects[i].number);
        for (size_t j = 0; j < target->n_schemas; j++) {
            const struct stats_schema *schema = target->schemas[j];
            const uint64_t *row = view_row(target, i, j);

            if (row)
                metrics_add_row(metrics, schema->provider, schema->stats, schema->n_stats, row);
        }
    }
}

static const char *known(const char *text)
{
    return *text ? text : NULL;
}

static void add_vm(struct metrics *metrics, const struct view_vm *vm, uint64_t unix_ns)
{
    const struct identity *identity = &vm->vm->identity;
    const char *way = vm->vm->is_registered ? REGISTERED : KERNEL;

    metrics_add_vm(metrics, &(struct metrics_vm){.name = vm->vm->name,
                                                 .source = way,
                                                 .uuid = known(identity->uuid),
                                                 .vmm = known(identity->vmm),
                                                 .way = way,
                                                 .pid = vm->vm->pid,
                                                 .is_down = vm->has_failed,
                                                 .has_uid = true,
                                                 .uid = vm->vm->uid,
                                                 .time_ns = vm->has_failed ? 0 : unix_ns});
    for (size_t i = 0; i < vm->n_targets && !vm->has_failed; i++)
        add_target(metrics, &vm->targets[i]);
}

/* The kernel, which is no VM, and may be down while all others are there. */
static void add_kernel(struct metrics *metrics, const struct view_time *time, int err)
{
    metrics_add_collector(metrics, KERNEL, time->duration_ns - time->registered_ns);
    metrics_add_vm(metrics, &(struct metrics_vm){.source = KERNEL,
                                                 .pid = -1,
                                                 .is_down = err,
                                                 .time_ns = err ? 0 : time->unix_ns});
}

void web_metrics_take(struct metrics *metrics, const struct view *view, int err,
                      const enum metrics_preset *preset)
{
    struct view_time time = view_time(view);
    size_t n;
    const struct view_vm *vms = view_vms(view, &n);

    metrics_clear(metrics);
    metrics_want(metrics, wants, preset);
    if (view_reads_kernel(view))
        add_kernel(metrics, &time, err);
    metrics_add_collector(metrics, REGISTERED, time.registered_ns);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n)
            host_vm_fetch_rows(vms[i + 1].vm);
        if (!err || vms[i].vm->is_registered)
            add_vm(metrics, &vms[i], time.unix_ns);
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

void web_metrics_write(struct metrics *metrics, const struct exposition_form *form,
                       uint64_t begin_ns, struct buf *out)
{
    const struct metrics_sink sink = {.whole = out};
    const struct metrics_form whole = {.format = form->format,
                                       .is_thin = form->is_thin,
                                       .series_max = METRICS_SERIES_MAX,
                                       .duration_ns = clock_now_ns() - begin_ns,
                                       .wants = wants,
                                       .opaque = &form->preset};

    if (metrics_write(metrics, &whole, &sink, NULL))
        out->failed = true;
}
