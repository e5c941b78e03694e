/* SPDX-License-Identifier: MIT */
/* `vitals schemas`: what statistics there are, and what their values mean. */
#include <stdio.h>
#include <stdlib.h>

#include "args/cli.h"
#include "look/look.h"
#include "stats/histogram.h"
#include "show/quantity.h"
#include "base/json_write.h"
#include "base/count.h"

/* The unit of a raw value. */
static void unit_text(char text[QUANTITY_MAX], const struct vitals_stat *stat)
{
    if (stat->unit == VITALS_SECONDS && stat->base == 10 && stat->exponent == -9)
        snprintf(text, QUANTITY_MAX, "ns");
    else if (stat->exponent)
        snprintf(text, QUANTITY_MAX, "%d^%d%s%s", stat->base, stat->exponent,
                 stat->unit == VITALS_NONE ? "" : " ",
                 stat->unit == VITALS_NONE ? "" : output_unit_name(stat));
    else
        snprintf(text, QUANTITY_MAX, "%s", stat->unit == VITALS_NONE ? "" : output_unit_name(stat));
}

static void buckets_text(char text[QUANTITY_MAX], const struct vitals_stat *stat)
{
    if (stat->type == VITALS_LINEAR_HIST)
        snprintf(text, QUANTITY_MAX, "each %u wide", stat->bucket_size);
    else
        snprintf(text, QUANTITY_MAX, "%s",
                 stat->type == VITALS_LOG_HIST ? "0, 1, 2-3, 4-7, ..." : "");
}

/* ---- the three forms ------------------------------------------------------------------------ */

static const char *const csv_titles[] = {"vm",   "socket", "target", "provider", "name",
                                         "type", "unit",   "base",   "exponent", "bucket_size"};

struct schemas_output {
    struct table table;
    struct buf text;
    bool any;
};

static void add_to_table(struct table *table, const struct look_vm *vm,
                         const struct client_stat *stat)
{
    char unit[QUANTITY_MAX], buckets[QUANTITY_MAX];

    unit_text(unit, &stat->desc);
    buckets_text(buckets, &stat->desc);
    table_cell(table, "%s", client_vm_name(vm->client));
    table_cell(table, "%s", stat->target);
    table_cell(table, "%s", stat->provider);
    table_cell(table, "%s", stat->desc.name);
    table_cell(table, "%s", output_type_name(&stat->desc));
    table_cell(table, "%s", unit);
    table_cell(table, "%s", buckets);
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\": ", name);
    json_put_string(out, text);
    buf_puts(out, ", ");
}

static void add_to_json(struct schemas_output *output, const struct look_vm *vm,
                        const struct client_stat *stat)
{
    struct buf *out = &output->text;

    buf_puts(out, output->any ? ", {" : "{");
    put_member(out, "vm", client_vm_name(vm->client));
    put_member(out, "socket", client_path(vm->client));
    put_member(out, "target", stat->target);
    put_member(out, "provider", stat->provider);
    put_member(out, "name", stat->desc.name);
    put_member(out, "type", output_type_name(&stat->desc));
    put_member(out, "unit", output_unit_name(&stat->desc));
    buf_printf(out, "\"base\": %u, \"exponent\": %d", stat->desc.base, stat->desc.exponent);
    if (stat->desc.type == VITALS_LINEAR_HIST)
        buf_printf(out, ", \"bucket_size\": %u", stat->desc.bucket_size);
    buf_puts(out, "}");
}

static void add_to_csv(struct buf *line, const struct look_vm *vm, const struct client_stat *stat)
{
    csv_text(line, client_vm_name(vm->client));
    csv_text(line, client_path(vm->client));
    csv_text(line, stat->target);
    csv_text(line, stat->provider);
    csv_text(line, stat->desc.name);
    csv_text(line, output_type_name(&stat->desc));
    csv_text(line, output_unit_name(&stat->desc));
    csv_u64(line, stat->desc.base);
    buf_printf(line, ",%d", stat->desc.exponent);
    if (stat->desc.type == VITALS_LINEAR_HIST)
        csv_u64(line, stat->desc.bucket_size);
    else
        csv_empty(line);
    csv_end(line);
}

static void add(const struct look *look, struct schemas_output *output, const struct look_vm *vm,
                const struct client_stat *stat)
{
    switch (look->options.format) {
    case OUTPUT_TABLE:
        add_to_table(&output->table, vm, stat);
        break;
    case OUTPUT_JSON:
        add_to_json(output, vm, stat);
        break;
    case OUTPUT_CSV:
        add_to_csv(&output->text, vm, stat);
        break;
    }
    output->any = true;
}

static void start(const struct look *look, struct schemas_output *output)
{
    if (look->options.format == OUTPUT_JSON)
        buf_puts(&output->text, "{\"schema_version\": 1, \"stats\": [");
    if (look->options.format != OUTPUT_CSV || look->options.no_legend)
        return;
    for (size_t i = 0; i < COUNT(csv_titles); i++)
        csv_text(&output->text, csv_titles[i]);
    csv_end(&output->text);
}

static void finish(const struct look *look, struct schemas_output *output)
{
    if (look->options.format == OUTPUT_TABLE)
        table_print(&output->table, !look->options.no_legend);
    if (look->options.format == OUTPUT_JSON) {
        buf_puts(&output->text, "]}");
        csv_end(&output->text);
    }
    table_clear(&output->table);
    buf_free(&output->text);
}

static void print_schemas(const struct look *look)
{
    const struct table_column columns[] = {
        {.title = "VM", .is_hidden = look->n_sockets < 2},
        {.title = "TARGET"},
        {.title = "PROVIDER"},
        {.title = "NAME"},
        {.title = "TYPE"},
        {.title = "UNIT"},
        {.title = "BUCKETS"},
    };
    struct schemas_output output = {.table = {.columns = columns, .n_columns = COUNT(columns)}};

    start(look, &output);
    for (size_t i = 0; i < look->n_vms; i++) {
        size_t n;
        const struct client_stat *stats = client_stats(look->vms[i].client, &n);

        for (size_t j = 0; j < n; j++)
            if (look->vms[i].wanted[j])
                add(look, &output, &look->vms[i], &stats[j]);
    }
    finish(look, &output);
}

static int open_and_print(void *self)
{
    struct look *look = self;
    int status = look_open(look);

    if (status)
        return status;
    print_schemas(look);
    return look->has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct cli_args *args)
{
    return look_run(args, &(struct look){0}, open_and_print);
}

const struct verb verb_schemas = {
    .name = "schemas",
    .summary = "list what statistics a VM has",
    .about = "Lists the statistics of a VM: name, type, unit, and the buckets of histograms.",
    .tables = {look_socket_options, look_stat_options, look_output_options},
    .notes = "-o json prints one object: {\"schema_version\": 1, \"stats\": [...]}. Each statistic "
             "has vm, socket, target, provider, name, type, unit, base and exponent, and a linear "
             "histogram has bucket_size. A value is meant times base^exponent, in the unit.\n"
             "\n"
             "Exit status: 0, 1 for an error, 2 for wrong usage, 3 if nothing matches.",
    .run = run,
};
