/* SPDX-License-Identifier: MIT */
/* `vitals stats`: values of statistics, once or again and again, as they are or per second. */
#include "args/cli.h"
#include "look/life.h"
#include "look/look.h"
#include "look/turns.h"
#include "show/row_output.h"

struct stats {
    struct look look;
    struct row_output output;
    bool is_nonzero, is_rates;
};

static const struct cli_option own_options[] = {
    {.name = "nonzero",
     .letter = 'z',
     .at = offsetof(struct stats, is_nonzero),
     .help = "leave out what is 0"},
    {.name = "rates",
     .at = offsetof(struct stats, is_rates),
     .help = "per second, over the interval"},
    {0},
};

static void add_row(void *opaque, const struct row *row)
{
    struct stats *stats = opaque;

    if (!stats->is_nonzero || !row_is_zero(row))
        row_output_add(&stats->output, row);
}

static void put_lives(void *look, struct record_writer *to)
{
    life_put(to, look);
}

static bool print_sample(void *opaque, struct sampler *sampler)
{
    struct stats *stats = opaque;

    row_output_begin(&stats->output, sampler->time);
    sampler_each(sampler, stats->is_rates, add_row, stats);
    row_output_end(&stats->output);
    return true;
}

static int open_and_print(void *self)
{
    struct stats *stats = self;
    int status = look_open(&stats->look);

    if (status != 0)
        return status;
    stats->output.to = look_record_writer(&stats->look);
    stats->output.has_vm = stats->look.n_sockets > 1;
    stats->output.is_rates = stats->is_rates;
    stats->output.put_head = put_lives;
    stats->output.opaque = &stats->look;
    return look_turns(&stats->look, stats->is_rates, print_sample, stats);
}

static int run(struct cli_args *args)
{
    struct stats stats = {0};
    int status = look_run(args, &stats, open_and_print);

    row_output_free(&stats.output);
    return status;
}

const struct verb verb_stats = {
    .name = "stats",
    .summary = "show the statistics of VMs",
    .about = "Shows the values of a VM's statistics.",
    .tables = {look_socket_options, look_stat_options, look_vcpu_options, own_options,
               look_turn_options, look_output_options},
    .notes = "The table shows of a histogram how many values it counts, and between which bounds "
             "the values lie that are at 50, 90 and 99 of 100; times and bytes are rounded.\n\n"
             "-o json prints an object on a line for each output: {\"schema_version\": 1, "
             "\"time\": seconds since 1970, \"stats\": [...]}. Each statistic has vm, socket, "
             "target, vcpu and path (null for the VM), provider, name, type, unit, base, "
             "exponent, and value, or values: buckets, smallest first; a linear histogram has "
             "bucket_size. A value is meant times base^exponent, in the unit. With --rates, what "
             "is cumulative and histograms have reset, seconds, and unless it was reset delta "
             "(or deltas) and rate. -o csv has the same in columns, with a line for each bucket "
             "and its lower bound.\n\n"
             "Exit status: 0, 1 for an error, 2 for wrong usage, 3 if nothing matches.",
    .run = run,
};
