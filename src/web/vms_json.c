/* SPDX-License-Identifier: MIT */
#include "web/vms_json.h"

#include <stdio.h>

#include "base/count.h"
#include "base/json_write.h"
#include "host/state.h"
#include "host/vm_json.h"
#include "kvm/meanings.h"
#include "qmp/stat_names.h"
#include "stats/histogram.h"

/* ---- what all have -------------------------------------------------------------------------- */

static const char *const states[] = {
    [HOST_NEVER_RAN] = "never-ran", [HOST_RUNNING] = "running", [HOST_HALTED] = "halted",
    [HOST_OUTSIDE] = "outside",     [HOST_PAUSED] = "paused",
};
ASSERT_COUNT(states, HOST_PAUSED + 1);

static void put_time(struct buf *out, const struct view *view)
{
    struct view_time time = view_time(view);

    buf_printf(out, "\"version\": 1, \"time\": %llu.%03llu, \"clock\": %llu.%06llu",
               (unsigned long long)(time.unix_ns / 1000000000u),
               (unsigned long long)(time.unix_ns / 1000000u % 1000u),
               (unsigned long long)(time.monotonic_ns / 1000000000u),
               (unsigned long long)(time.monotonic_ns / 1000u % 1000000u));
}

/* ---- figures -------------------------------------------------------------------------------- */

static void put_figures(struct buf *out)
{
    static const char *const units[] = {[FIGURE_COUNT] = "none\", \"exponent\": 0",
                                        [FIGURE_SHARE] = "seconds\", \"exponent\": -9",
                                        [FIGURE_BYTES] = "bytes\", \"exponent\": 0"};
    static const char *const types[] = {
        [FIGURE_COUNT] = "cumulative", [FIGURE_SHARE] = "cumulative", [FIGURE_BYTES] = "instant"};

    buf_puts(out, "\"figures\": [");
    for (size_t i = 0; i < n_figures; i++) {
        buf_puts(out, i ? ", {\"name\": " : "{\"name\": ");
        json_put_string(out, figures[i].title);
        buf_printf(out, ", \"type\": \"%s\", \"unit\": \"%s}", types[figures[i].kind],
                   units[figures[i].kind]);
    }
    buf_puts(out, "]");
}

/* What has no value at all is unlike what is 0. */
struct sums {
    uint64_t values[FIGURES_MAX];
    bool has[FIGURES_MAX];
};

/* The figure of each statistic is looked for once in a schema, not once in a row. */
static void add_schema(const struct view_target *target, size_t number, struct sums *sums)
{
    const struct stats_schema *schema = target->schemas[number];

    for (uint32_t i = 0; i < schema->n_stats; i++) {
        int figure = figure_of_stat(schema->provider, schema->target, schema->stats[i].name);

        for (size_t j = 0; figure >= 0 && j < target->n_objects; j++) {
            const uint64_t *row = view_row(target, j, number);

            sums->has[figure] |= row != NULL;
            sums->values[figure] += row ? row[schema->stats[i].slot] : 0;
        }
    }
}

static struct sums add_up(const struct view_vm *vm)
{
    struct sums sums = {0};

    for (size_t i = 0; i < vm->n_targets && !vm->has_failed; i++)
        for (size_t j = 0; j < vm->targets[i].n_schemas; j++)
            add_schema(&vm->targets[i], j, &sums);
    return sums;
}

static void put_sums(struct buf *out, const struct sums *sums)
{
    buf_puts(out, "\"figures\": [");
    for (size_t i = 0; i < n_figures; i++) {
        buf_puts(out, i ? ", " : "");
        if (sums->has[i])
            json_put_u64(out, sums->values[i]);
        else
            buf_puts(out, "null");
    }
    buf_puts(out, "]");
}

/* ---- VMs ------------------------------------------------------------------------------------ */

static void put_identity(struct buf *out, const struct host_vm *vm)
{
    host_vm_put_identity(out, vm, states[host_vm_state(vm)]);
    buf_puts(out, ", ");
}

void web_put_vms(struct buf *out, const struct view *view)
{
    size_t n;
    const struct view_vm *vms = view_vms(view, &n);

    buf_puts(out, "{");
    put_time(out, view);
    buf_puts(out, ", ");
    put_figures(out);
    buf_puts(out, ", \"vms\": [");
    for (size_t i = 0; i < n; i++) {
        struct sums sums = add_up(&vms[i]);

        buf_puts(out, i ? ", {" : "{");
        put_identity(out, vms[i].vm);
        put_sums(out, &sums);
        buf_puts(out, "}");
    }
    buf_puts(out, "]}\n");
}

/* ---- one VM --------------------------------------------------------------------------------- */

static void put_stat(struct buf *out, const struct vitals_stat *stat)
{
    buf_puts(out, "{\"name\": ");
    json_put_string(out, stat->name);
    buf_printf(out, ", \"type\": \"%s\", \"unit\": \"%s\", \"base\": %u, \"exponent\": %d",
               stat_type_name(VITALS_DIALECT_GROUPED, stat->type),
               stat_unit_name(VITALS_DIALECT_GROUPED, stat->unit), stat->base, stat->exponent);
    if (histogram_is(stat))
        buf_printf(out, ", \"buckets\": %u", stat->count);
    if (stat->type == VITALS_LINEAR_HIST)
        buf_printf(out, ", \"bucket-size\": %u", stat->bucket_size);
    if (stat->help)
        json_put_text_member(out, "help", stat->help);
    buf_puts(out, "}");
}

static void put_schema(struct buf *out, const struct stats_schema *schema)
{
    buf_puts(out, "{\"provider\": ");
    json_put_string(out, schema->provider);
    buf_puts(out, ", \"stats\": [");
    for (uint32_t i = 0; i < schema->n_stats; i++) {
        buf_puts(out, i ? ", " : "");
        put_stat(out, &schema->stats[i]);
    }
    buf_puts(out, "]}");
}

static void put_value(struct buf *out, const struct vitals_stat *stat, const uint64_t *values)
{
    if (!histogram_is(stat)) {
        json_put_u64(out, values[0]);
        return;
    }
    buf_puts(out, "[");
    for (uint16_t i = 0; i < stat->count; i++) {
        buf_puts(out, i ? ", " : "");
        json_put_u64(out, values[i]);
    }
    buf_puts(out, "]");
}

/* In the order of the schemas, null where it has none of one. */
static void put_row(struct buf *out, const struct stats_schema *schema, const uint64_t *row)
{
    if (!row) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "[");
    for (uint32_t i = 0; i < schema->n_stats; i++) {
        const struct vitals_stat *stat = &schema->stats[i];

        buf_puts(out, i ? ", " : "");
        put_value(out, stat, row + stat->slot);
    }
    buf_puts(out, "]");
}

static void put_object(struct buf *out, const struct view_target *target, size_t i)
{
    struct stats_object object = target->objects[i];

    buf_puts(out, "{\"values\": [");
    for (size_t j = 0; j < target->n_schemas; j++) {
        buf_puts(out, j ? ", " : "");
        put_row(out, target->schemas[j], view_row(target, i, j));
    }
    buf_puts(out, "]");
    if (object.path)
        json_put_text_member(out, "path", object.path);
    if (object.number >= 0)
        buf_printf(out, ", \"number\": %lld", (long long)object.number);
    if (object.thread > 0)
        buf_printf(out, ", \"thread\": %lld", (long long)object.thread);
    buf_puts(out, "}");
}

static void put_target(struct buf *out, const struct view_target *target)
{
    buf_puts(out, "{\"name\": ");
    json_put_string(out, target->name);
    buf_puts(out, ", \"schemas\": [");
    for (size_t i = 0; i < target->n_schemas; i++) {
        buf_puts(out, i ? ", " : "");
        put_schema(out, target->schemas[i]);
    }
    buf_puts(out, "], \"objects\": [");
    for (size_t i = 0; i < target->n_objects; i++) {
        buf_puts(out, i ? ", " : "");
        put_object(out, target, i);
    }
    buf_puts(out, "]}");
}

void web_put_vm(struct buf *out, const struct view *view, const struct view_vm *vm)
{
    struct sums sums = add_up(vm);

    buf_puts(out, "{");
    put_time(out, view);
    buf_puts(out, ", ");
    put_identity(out, vm->vm);
    put_sums(out, &sums);
    buf_puts(out, ", \"targets\": [");
    for (size_t i = 0; i < vm->n_targets && !vm->has_failed; i++) {
        buf_puts(out, i ? ", " : "");
        put_target(out, &vm->targets[i]);
    }
    buf_puts(out, "]}\n");
}
