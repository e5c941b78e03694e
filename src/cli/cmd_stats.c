/* SPDX-License-Identifier: MIT */
/* `vitals stats`: values of statistics, once or again and again, as they are or per second. */
#include "args/cli.h"
#include "look/life.h"
#include "look/look.h"
#include "look/turns.h"
#include "show/row_output.h"
#include "show/wide_output.h"

struct stats {
    struct look look;
    struct row_output output;
    struct wide_output wide;
    struct row_list rows; /* of a sample */
    bool is_nonzero, is_rates, is_wide;
};

static const struct cli_option own_options[] = {
    {.name = "nonzero",
     .letter = 'z',
     .at = offsetof(struct stats, is_nonzero),
     .help = "leave out what is 0"},
    {.name = "rates",
     .at = offsetof(struct stats, is_rates),
     .help = "per second, over the interval"},
    {.name = "wide",
     .letter = 'w',
     .at = offsetof(struct stats, is_wide),
     .help =
         "a column for each statistic, and a line for each vCPU and the VM; with --total, for each "
         "VM"},
    {0},
};

static void add_row(void *opaque, const struct row *row)
{
    struct stats *stats = opaque;

    row_list_add(&stats->rows, row);
}

static void put_lives(void *look, struct record_writer *to)
{
    life_put(to, look);
}

static void add_absent(void *opaque, const struct row_absent *absent)
{
    struct stats *stats = opaque;

    row_output_add_absent(&stats->output, absent);
}

static bool print_sample(void *opaque, struct sampler *sampler)
{
    struct stats *stats = opaque;

    stats->output.has_vm = stats->wide.has_vm = look_has_many(&stats->look);
    row_list_clear(&stats->rows);
    sampler_each(sampler, stats->is_rates, add_row, stats);
    look_arrange(&stats->look.options, &stats->rows, stats->is_nonzero ? row_is_nonzero : NULL);
    if (stats->is_wide) {
        wide_output_print(&stats->wide, sampler->time, &stats->rows);
        return true;
    }
    row_output_begin(&stats->output, sampler->time);
    for (size_t i = 0; i < stats->rows.n; i++)
        row_output_add(&stats->output, &stats->rows.rows[i]);
    sampler_each_absent(sampler, add_absent, stats);
    row_output_end(&stats->output);
    return true;
}

/* Lines have the columns of the first one: so nothing may be left out there. */
static int check_options(const struct stats *stats)
{
    const struct look_options *options = &stats->look.options;

    if (!stats->is_wide)
        return 0;
    if (options->format == OUTPUT_JSON)
        return cli_usage_error(options->command, "--wide and JSON exclude each other");
    if (options->order || options->top)
        return cli_usage_error(options->command, "--wide and --sort or --top exclude each other");
    if (stats->is_nonzero)
        return cli_usage_error(options->command, "--wide and --nonzero exclude each other");
    return 0;
}

static void set_form(struct stats *stats)
{
    const struct look_options *options = &stats->look.options;
    bool is_exact = options->interval > 0 && options->interval < 1;

    stats->output = (struct row_output){
        .to = look_record_writer(&stats->look),
        .is_rates = stats->is_rates,
        .put_head = put_lives,
        .opaque = &stats->look,
        .has_objects = options->is_total,
        .has_clock = look_count_turns(options) != 1,
        .is_exact = is_exact,
    };
    stats->wide = (struct wide_output){
        .format = options->format,
        .has_legend = !options->no_legend,
        .is_total = options->is_total,
        .is_exact = is_exact,
    };
}

static int print_turns(void *self)
{
    struct stats *stats = self;
    int status = check_options(stats);

    if (status)
        return status;
    set_form(stats);
    return look_turns(&stats->look, stats->is_rates, print_sample, stats);
}

static int run(struct cli_args *args)
{
    struct stats stats = {0};
    int status = look_run(args, &stats, print_turns);

    row_output_free(&stats.output);
    wide_output_free(&stats.wide);
    row_list_free(&stats.rows);
    return status;
}

const struct verb verb_stats = {
    .name = "stats",
    .summary = "show the statistics of VMs",
    .operands = "[SOCKET...]",
    .operand_words = CLI_FILES,
    .operands_at = offsetof(struct stats, look.options.sockets),
    .about = "Shows the values of a VM's statistics.",
    .tables = {look_socket_options, look_vm_options, look_stat_options, look_object_options,
               own_options, look_row_options, look_turn_options, look_output_options},
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
