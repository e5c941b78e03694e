/* SPDX-License-Identifier: MIT */
/* `vitals stats`: values of statistics, once or again and again, as they are or per second. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "look/look.h"
#include "show/row_output.h"
#include "look/sampler.h"

/* ---- options -------------------------------------------------------------------------------- */

enum { OPT_NONZERO = LOOK_OPT_OWN, OPT_RATES, OPT_INTERVAL, OPT_COUNT };

static const struct cli_option own_options[] = {
    {.name = "nonzero", .key = OPT_NONZERO, .help = "leave out what is 0"},
    {.name = "rates", .key = OPT_RATES, .help = "per second, over the interval"},
    {.name = "interval",
     .letter = 'i',
     .key = OPT_INTERVAL,
     .argument = "S",
     .help = "seconds from one output to the next (default: 1)"},
    {.name = "count",
     .letter = 'n',
     .key = OPT_COUNT,
     .argument = "N",
     .help = "end after N outputs (default: 1; with -i: go on)"},
    {0},
};

struct stats {
    struct look look;
    struct sampler sampler;
    struct row_output output;
    bool is_nonzero, is_rates;
    double interval;     /* seconds; 0: not given */
    unsigned long count; /* 0: not given */
};

static int parse_option(struct stats *stats, int key, const char *text)
{
    const char *command = stats->look.options.command;

    switch (key) {
    case OPT_NONZERO:
        stats->is_nonzero = true;
        return 0;
    case OPT_RATES:
        stats->is_rates = true;
        return 0;
    case OPT_INTERVAL:
        return look_parse_seconds(command, "-i", text, &stats->interval);
    case OPT_COUNT:
        return look_parse_count(command, "-n", text, &stats->count);
    default:
        return look_parse_option(&stats->look, key, text);
    }
}

static int parse(struct stats *stats, struct cli_args *args)
{
    int key, status;

    while ((key = cli_next(args)) > 0)
        if ((status = parse_option(stats, key, args->text)) != 0)
            return status;
    if (!stats->count && !stats->interval)
        stats->count = 1;
    if (!stats->interval)
        stats->interval = 1;
    return key < 0 ? args->status : cli_no_operands(args);
}

/* ---- outputs -------------------------------------------------------------------------------- */

static void show(void *opaque, const struct row *row)
{
    struct stats *stats = opaque;

    if (!stats->is_nonzero || !row_is_zero(row))
        row_output_add(&stats->output, row);
}

static int print_outputs(struct stats *stats)
{
    struct timespec turn;
    unsigned long n = 0;

    clock_gettime(CLOCK_MONOTONIC, &turn);
    if (stats->is_rates) {
        if (sampler_sample(&stats->sampler) == 0)
            return EXIT_FAILURE;
        sampler_wait_first(&stats->sampler, &turn, stats->interval);
    }
    for (;;) {
        if (sampler_sample(&stats->sampler) == 0)
            return EXIT_FAILURE;
        row_output_begin(&stats->output, stats->sampler.time);
        sampler_each(&stats->sampler, stats->is_rates, show, stats);
        row_output_end(&stats->output);
        if (fflush(stdout) != 0 || ++n == stats->count)
            break;
        sampler_wait(&turn, stats->interval);
    }
    return stats->look.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int open_and_print(struct stats *stats)
{
    int status = look_open(&stats->look);

    if (status != 0)
        return status;
    stats->output.format = stats->look.options.format;
    stats->output.has_legend = !stats->look.options.no_legend;
    stats->output.has_vm = stats->look.n_sockets > 1;
    stats->output.is_rates = stats->is_rates;
    if (!sampler_init(&stats->sampler, &stats->look))
        return EXIT_FAILURE;
    status = print_outputs(stats);
    sampler_free(&stats->sampler);
    return status;
}

static int run(struct cli_args *args)
{
    struct stats stats = {0};
    int status;

    signal(SIGPIPE, SIG_DFL); /* a reader that has seen enough ends us, quietly */
    if (!look_init(&stats.look, args))
        return EXIT_FAILURE;
    status = parse(&stats, args);
    if (status == 0 && !args->is_done)
        status = open_and_print(&stats);
    row_output_free(&stats.output);
    look_free(&stats.look);
    return status;
}

const struct verb verb_stats = {
    .name = "stats",
    .summary = "show the statistics of VMs",
    .about = "Shows the values of a VM's statistics.",
    .tables = {look_socket_options, look_stat_options, look_vcpu_options, own_options,
               look_output_options},
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
