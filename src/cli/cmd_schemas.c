/* SPDX-License-Identifier: MIT */
/* `vitals schemas`: what statistics there are, and what their values mean. */
#include <stdio.h>
#include <stdlib.h>

#include "args/cli.h"
#include "look/life.h"
#include "look/look.h"
#include "show/origin.h"
#include "show/quantity.h"
#include "show/record.h"

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

static bool has_failure(const struct look *look)
{
    for (size_t i = 0; i < look->n_vms; i++) {
        size_t n;
        const struct client_stat *stats = client_stats(look->vms[i].client, &n);

        for (size_t j = 0; j < n; j++)
            if (look->vms[i].wanted[j] && client_failure(look->vms[i].client, &stats[j]))
                return true;
    }
    return false;
}

/* What the records are written with. */
struct listing {
    struct record_writer to;
    const struct look *look;
    const char *failure_title; /* NULL: a table has room for failures only where there is one */
};

static void put_failure(struct listing *listing, const char *failure)
{
    if (failure)
        record_text(&listing->to, "failure", listing->failure_title, failure);
    else
        record_null(&listing->to, "failure", listing->failure_title);
}

static void put_stat(struct listing *listing, const struct client *client,
                     const struct client_stat *stat)
{
    struct record_writer *to = &listing->to;
    char unit[QUANTITY_MAX], buckets[QUANTITY_MAX];

    unit_text(unit, &stat->desc);
    buckets_text(buckets, &stat->desc);
    record_text(to, "vm", listing->look->n_sockets > 1 ? "VM" : NULL, client_vm_name(client));
    record_text(to, "socket", NULL, client_socket(client));
    record_text(to, "target", "TARGET", stat->target);
    record_text(to, "provider", "PROVIDER", stat->provider);
    record_text(to, "name", "NAME", stat->desc.name);
    record_stat(to, &stat->desc, "TYPE");
    record_text(to, NULL, "UNIT", unit);
    record_text(to, NULL, "BUCKETS", buckets);
    if (to->format == OUTPUT_CSV)
        origin_put(to, client_origin(client), false);
    put_failure(listing, client_failure(client, stat));
}

static void put_vm(struct listing *listing, const struct look_vm *vm)
{
    size_t n;
    const struct client_stat *stats = client_stats(vm->client, &n);

    for (size_t i = 0; i < n; i++) {
        if (!vm->wanted[i])
            continue;
        record_begin(&listing->to);
        put_stat(listing, vm->client, &stats[i]);
        record_end(&listing->to);
    }
}

static void print_schemas(const struct look *look)
{
    bool has_failures = look->options.format != OUTPUT_TABLE || has_failure(look);
    struct listing listing = {.to = look_record_writer(look),
                              .look = look,
                              .failure_title = has_failures ? "FAILURE" : NULL};

    record_open(&listing.to);
    life_put(&listing.to, look);
    record_list(&listing.to, "stats");
    for (size_t i = 0; i < look->n_vms; i++)
        put_vm(&listing, &look->vms[i]);
    record_close(&listing.to);
    record_free(&listing.to);
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
    return look_run(args, &(struct look){.shows_failures = true}, open_and_print);
}

const struct verb verb_schemas = {
    .name = "schemas",
    .summary = "list what statistics a VM has",
    .operands = "[SOCKET...]",
    .operand_words = CLI_FILES,
    .operands_at = offsetof(struct look, options.sockets),
    .about = "Lists the statistics of a VM: name, type, unit, and the buckets of histograms.",
    .tables = {look_socket_options, look_vm_options, look_stat_options, look_output_options},
    .notes =
        "-o json prints one object: {\"schema_version\": 1, \"stats\": [...]}. Each statistic "
        "has vm, socket, target, provider, name, type, unit, base and exponent, and a linear "
        "histogram has bucket_size. failure says why nothing of its provider and target could "
        "be read when somebody asked last, or is null. A value is meant times base^exponent, in the unit.\n"
        "\n"
        "Exit status: 0, 1 for an error, 2 for wrong usage, 3 if nothing matches.",
    .run = run,
};
