/* SPDX-License-Identifier: MIT */
/* `vitals stats`: values of statistics, once or again and again, as they are or per second. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/look.h"
#include "client/histogram.h"
#include "qmp/json_write.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int print_help(void)
{
    printf(
        "Usage: vitals stats [OPTION]...\n"
        "Shows the values of a VM's statistics.\n"
        "\n"
        "  --socket PATH    QMP socket of the VM: of vitals, or of QEMU 7.1 or later; can be\n"
        "                     given again; a directory stands for all sockets in it\n"
        "                     (default: $VITALS_SOCKET)\n"
        "  --target TARGET  vm, vcpu or all (default: all)\n"
        "  --vcpu N|PATH    only this vCPU; can be given again\n"
        "  --provider NAME  only statistics of this provider\n"
        "  --stat GLOB      only statistics whose names match; can be given again\n"
        "  --nonzero        leave out what is 0\n"
        "  --rates          per second, over the interval\n"
        "  -i, --interval S seconds from one output to the next (default: 1)\n"
        "  -n, --count N    end after N outputs (default: 1; with -i: go on)\n"
        "  -o, --output FORMAT\n"
        "                   table, json or csv (default: table)\n"
        "  --no-legend      table and csv: no line of titles\n"
        "  --timeout S      how long to wait for the VM, each time (default: 5)\n"
        "  --help           print this\n"
        "\n"
        "The table shows of a histogram how many values it counts, and between which bounds the\n"
        "values lie that are at 50, 90 and 99 of 100; times and bytes are rounded.\n"
        "\n"
        "-o json prints an object on a line for each output: {\"schema_version\": 1, \"time\":\n"
        "seconds since 1970, \"stats\": [...]}. Each statistic has vm, socket, target, vcpu and\n"
        "path (null for the VM), provider, name, type, unit, base, exponent, and value, or\n"
        "values: buckets, smallest first; a linear histogram has bucket_size. A value is meant\n"
        "times base^exponent, in the unit. With --rates, what is cumulative and histograms have\n"
        "reset, seconds, and unless it was reset delta (or deltas) and rate. -o csv has the\n"
        "same in columns, with a line for each bucket and its lower bound.\n"
        "\n"
        "Exit status: 0, 1 for an error, 2 for wrong usage, 3 if nothing matches.\n");
    return EXIT_SUCCESS;
}

/* ---- options -------------------------------------------------------------------------------- */

enum { OPT_NONZERO = LOOK_OPT_OWN, OPT_RATES };

static const struct option long_options[] = {
    LOOK_OPTIONS,
    {"vcpu", required_argument, NULL, LOOK_OPT_VCPU},
    {"nonzero", no_argument, NULL, OPT_NONZERO},
    {"rates", no_argument, NULL, OPT_RATES},
    {"interval", required_argument, NULL, 'i'},
    {"count", required_argument, NULL, 'n'},
    {NULL, 0, NULL, 0},
};

static const char *const targets[] = {"vm", "vcpu"};

/* The replies of a VM: those now, and those before where rates are wanted. */
struct samples {
    struct client_snapshot *now[COUNT(targets)], *before[COUNT(targets)];
};

struct stats {
    struct look look;
    bool is_nonzero, is_rates;
    double interval;     /* seconds; 0: not given */
    unsigned long count; /* 0: not given */
    struct samples *samples;
    struct table_column *vm_column;
    struct table table;
    struct buf text;
    size_t n_rows; /* of this output */
};

static int parse_count(const char *command, const char *text, unsigned long *ret_count)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || count < 1 || count == ULONG_MAX)
        return cli_usage_error(command, "-n: '%s' is no number from 1 on", text);
    *ret_count = count;
    return 0;
}

static int parse_option(struct stats *stats, int key)
{
    const char *command = stats->look.options.command;

    switch (key) {
    case OPT_NONZERO:
        stats->is_nonzero = true;
        return 0;
    case OPT_RATES:
        stats->is_rates = true;
        return 0;
    case 'i':
        return look_parse_seconds(command, "-i", optarg, &stats->interval);
    case 'n':
        return parse_count(command, optarg, &stats->count);
    default:
        return look_parse_option(&stats->look, key, optarg);
    }
}

/* What depends on more than one option. */
static int complete(struct stats *stats)
{
    struct look_options *options = &stats->look.options;

    if (options->n_vcpus && options->target && strcmp(options->target, "vm") == 0)
        return cli_usage_error(options->command, "--vcpu and --target vm exclude each other");
    if (options->n_vcpus)
        options->target = "vcpu";
    if (!stats->count && !stats->interval)
        stats->count = 1;
    if (!stats->interval)
        stats->interval = 1;
    return 0;
}

/* ---- one value of one object ---------------------------------------------------------------- */

struct row {
    const struct client *client;
    const struct client_object *object;
    const struct client_stat *stat;
    const uint64_t *values; /* what is shown: as it is, or what came since the sample before */
    const uint64_t *totals; /* as it is */
    size_t n;
    bool is_delta, is_reset;
    double seconds; /* since the sample before */
};

static bool is_counting(const struct client_stat *stat)
{
    return stat->type == VITALS_CUMULATIVE || histogram_is(stat);
}

static const struct client_object *find_object(const struct client_snapshot *snapshot,
                                               const struct client_object *like)
{
    for (size_t i = 0; snapshot && i < snapshot->n_objects; i++) {
        const char *path = snapshot->objects[i].path;
        if (path && like->path ? !strcmp(path, like->path) : path == like->path)
            return &snapshot->objects[i];
    }
    return NULL;
}

static const struct client_value *find_value(const struct client_object *object,
                                             const struct client_value *like)
{
    for (size_t i = 0; object && i < object->n_values; i++)
        if (object->values[i].stat == like->stat && object->values[i].n_values == like->n_values)
            return &object->values[i];
    return NULL;
}

/* Writes what came since @before over it. Returns whether the statistic was reset instead. */
static bool subtract(struct row *row, uint64_t *before)
{
    for (size_t i = 0; i < row->n; i++) {
        if (row->totals[i] < before[i])
            return true;
        before[i] = row->totals[i] - before[i];
    }
    row->values = before;
    return false;
}

static bool is_zero(const struct row *row)
{
    for (size_t i = 0; i < row->n; i++)
        if (row->values[i])
            return false;
    return !row->is_reset;
}

/* ---- table ---------------------------------------------------------------------------------- */

static void put_range(struct buf *out, const struct row *row, unsigned percent)
{
    size_t i = histogram_percentile(row->values, row->n, percent);
    char low[QUANTITY_MAX], high[QUANTITY_MAX];

    output_quantity(low, row->stat, (double)histogram_lower_bound(row->stat, i));
    if (i == 0 && row->stat->type == VITALS_LOG_HIST)
        buf_printf(out, "p%u %s", percent, low);
    else if (i + 1 == row->n)
        buf_printf(out, "p%u >= %s", percent, low);
    else {
        output_quantity(high, row->stat, (double)histogram_lower_bound(row->stat, i + 1));
        buf_printf(out, "p%u %s - %s", percent, low, high);
    }
}

static void put_distribution(struct buf *out, const struct row *row)
{
    static const unsigned percents[] = {50, 90, 99};

    if (!histogram_is(row->stat) || row->is_reset || histogram_count(row->values, row->n) == 0)
        return;
    for (size_t i = 0; i < COUNT(percents); i++) {
        buf_puts(out, i ? ", " : "");
        put_range(out, row, percents[i]);
    }
}

static void put_number(char text[2 * QUANTITY_MAX], const struct row *row)
{
    bool is_count = histogram_is(row->stat);
    uint64_t value = is_count ? histogram_count(row->values, row->n) : row->values[0];
    const struct client_stat count = {.base = 10};
    char quantity[QUANTITY_MAX];

    if (!row->is_delta && (is_count || (!row->stat->unit && !row->stat->exponent)))
        snprintf(quantity, sizeof(quantity), "%llu", (unsigned long long)value);
    else
        output_quantity(quantity, is_count ? &count : row->stat,
                        row->is_delta ? (double)value / row->seconds : (double)value);
    snprintf(text, 2 * QUANTITY_MAX, "%s%s", quantity, row->is_delta ? "/s" : "");
}

static void put_object(char text[QUANTITY_MAX], const struct client_object *object)
{
    if (!object->path)
        snprintf(text, QUANTITY_MAX, "vm");
    else if (object->cpu_index >= 0)
        snprintf(text, QUANTITY_MAX, "vcpu %lld", (long long)object->cpu_index);
    else
        text[0] = '\0';
}

static void add_to_table(struct stats *stats, const struct row *row)
{
    char object[QUANTITY_MAX], number[2 * QUANTITY_MAX] = "reset";
    struct buf distribution = {0};

    put_object(object, row->object);
    put_distribution(&distribution, row);
    if (!row->is_reset)
        put_number(number, row);
    table_cell(&stats->table, "%s", client_vm_name(row->client));
    table_cell(&stats->table, "%s", object[0] ? object : row->object->path);
    table_cell(&stats->table, "%s", row->stat->provider);
    table_cell(&stats->table, "%s", row->stat->name);
    table_cell(&stats->table, "%s", number);
    table_cell(&stats->table, "%.*s", (int)distribution.len,
               distribution.len ? distribution.data : "");
    buf_free(&distribution);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void put_string(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\": ", name);
    if (text)
        json_put_string(out, text);
    else
        buf_puts(out, "null");
    buf_puts(out, ", ");
}

static void put_identity(struct buf *out, const struct row *row)
{
    put_string(out, "vm", client_vm_name(row->client));
    put_string(out, "socket", client_path(row->client));
    put_string(out, "target", row->stat->target);
    if (row->object->cpu_index >= 0)
        buf_printf(out, "\"vcpu\": %lld, ", (long long)row->object->cpu_index);
    else
        buf_puts(out, "\"vcpu\": null, ");
    put_string(out, "path", row->object->path);
    put_string(out, "provider", row->stat->provider);
    put_string(out, "name", row->stat->name);
    put_string(out, "type", output_type_name(row->stat));
    put_string(out, "unit", output_unit_name(row->stat));
    buf_printf(out, "\"base\": %u, \"exponent\": %d, ", row->stat->base, row->stat->exponent);
    if (row->stat->type == VITALS_LINEAR_HIST)
        buf_printf(out, "\"bucket_size\": %u, ", row->stat->bucket_size);
}

/* "value", or "values" and a list. */
static void put_values(struct buf *out, const char *name, const struct row *row,
                       const uint64_t *values)
{
    if (!histogram_is(row->stat)) {
        buf_printf(out, "\"%s\": ", name);
        json_put_u64(out, values[0]);
        return;
    }
    buf_printf(out, "\"%ss\": [", name);
    for (size_t i = 0; i < row->n; i++) {
        buf_puts(out, i ? ", " : "");
        json_put_u64(out, values[i]);
    }
    buf_puts(out, "]");
}

static double rate(const struct row *row)
{
    return (double)histogram_count(row->values, row->n) / row->seconds;
}

static void add_to_json(struct stats *stats, const struct row *row)
{
    struct buf *out = &stats->text;

    buf_puts(out, stats->n_rows ? ", {" : "{");
    put_identity(out, row);
    put_values(out, "value", row, row->totals);
    if (row->is_delta || row->is_reset)
        buf_printf(out, ", \"seconds\": %.6f, \"reset\": %s", row->seconds,
                   row->is_reset ? "true" : "false");
    if (row->is_delta) {
        buf_puts(out, ", ");
        put_values(out, "delta", row, row->values);
        buf_printf(out, ", \"rate\": %.17g", rate(row));
    }
    buf_puts(out, "}");
}

/* ---- CSV ------------------------------------------------------------------------------------ */

static const char *const csv_titles[] = {"time", "vm",       "socket",      "target", "vcpu",
                                         "path", "provider", "name",        "type",   "unit",
                                         "base", "exponent", "bucket_size", "bucket", "value"};
static const char *const csv_rate_titles[] = {"seconds", "reset", "delta", "rate"};

static double unix_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void put_csv_identity(struct buf *line, const struct row *row)
{
    buf_printf(line, "%.3f", unix_time());
    csv_text(line, client_vm_name(row->client));
    csv_text(line, client_path(row->client));
    csv_text(line, row->stat->target);
    if (row->object->cpu_index >= 0)
        csv_u64(line, (uint64_t)row->object->cpu_index);
    else
        csv_empty(line);
    if (row->object->path)
        csv_text(line, row->object->path);
    else
        csv_empty(line);
    csv_text(line, row->stat->provider);
    csv_text(line, row->stat->name);
    csv_text(line, output_type_name(row->stat));
    csv_text(line, output_unit_name(row->stat));
    csv_u64(line, row->stat->base);
    buf_printf(line, ",%d", row->stat->exponent);
    if (row->stat->type == VITALS_LINEAR_HIST)
        csv_u64(line, row->stat->bucket_size);
    else
        csv_empty(line);
}

static void put_csv_rate(struct buf *line, const struct row *row, size_t i)
{
    if (!row->is_delta && !row->is_reset) {
        buf_puts(line, ",,,,");
        return;
    }
    buf_printf(line, ",%.6f,%d,", row->seconds, row->is_reset);
    if (row->is_reset)
        buf_puts(line, ",");
    else
        buf_printf(line, "%llu,%.17g", (unsigned long long)row->values[i],
                   (double)row->values[i] / row->seconds);
}

static void add_to_csv(struct stats *stats, const struct row *row)
{
    struct buf *line = &stats->text;

    for (size_t i = 0; i < row->n; i++) {
        put_csv_identity(line, row);
        if (histogram_is(row->stat))
            csv_u64(line, histogram_lower_bound(row->stat, i));
        else
            csv_empty(line);
        csv_u64(line, row->totals[i]);
        if (stats->is_rates)
            put_csv_rate(line, row, i);
        csv_end(line);
    }
}

static void print_csv_titles(struct stats *stats)
{
    for (size_t i = 0; i < COUNT(csv_titles); i++)
        csv_text(&stats->text, csv_titles[i]);
    for (size_t i = 0; stats->is_rates && i < COUNT(csv_rate_titles); i++)
        csv_text(&stats->text, csv_rate_titles[i]);
    csv_end(&stats->text);
}

/* ---- one output ----------------------------------------------------------------------------- */

static void add_row(struct stats *stats, const struct row *row)
{
    if (stats->is_nonzero && is_zero(row))
        return;
    switch (stats->look.options.format) {
    case OUTPUT_TABLE:
        add_to_table(stats, row);
        break;
    case OUTPUT_JSON:
        add_to_json(stats, row);
        break;
    case OUTPUT_CSV:
        add_to_csv(stats, row);
        break;
    }
    stats->n_rows++;
}

/* A new vCPU has no rates yet. */
static void add_value(struct stats *stats, struct row *row, const struct client_value *value,
                      const struct client_object *object_before)
{
    const struct client_value *before = find_value(object_before, value);

    row->stat = value->stat;
    row->values = row->totals = value->values;
    row->n = histogram_is(value->stat) ? value->n_values : 1;
    row->is_delta = row->is_reset = false;
    if (stats->is_rates && is_counting(value->stat)) {
        if (!before)
            return;
        row->is_reset = subtract(row, before->values);
        row->is_delta = !row->is_reset;
    }
    add_row(stats, row);
}

static void add_snapshot(struct stats *stats, const struct client *client,
                         const struct client_snapshot *now, const struct client_snapshot *before)
{
    for (size_t i = 0; now && i < now->n_objects; i++) {
        struct row row = {.client = client, .object = &now->objects[i]};
        const struct client_object *object_before = find_object(before, row.object);

        row.seconds = before ? (double)(now->time_ns - before->time_ns) / 1e9 : 0;
        for (size_t j = 0; j < row.object->n_values; j++)
            add_value(stats, &row, &row.object->values[j], object_before);
    }
}

static void begin_output(struct stats *stats, bool is_first)
{
    const struct look_options *options = &stats->look.options;

    stats->n_rows = 0;
    if (options->format == OUTPUT_JSON)
        buf_printf(&stats->text, "{\"schema_version\": 1, \"time\": %.3f, \"stats\": [",
                   unix_time());
    if (options->format == OUTPUT_CSV && is_first && !options->no_legend)
        print_csv_titles(stats);
    if (options->format == OUTPUT_TABLE && !is_first)
        putchar('\n');
}

static void end_output(struct stats *stats)
{
    const struct look_options *options = &stats->look.options;

    if (options->format == OUTPUT_TABLE)
        table_print(&stats->table, !options->no_legend);
    table_clear(&stats->table);
    if (options->format == OUTPUT_JSON) {
        buf_puts(&stats->text, "]}");
        csv_end(&stats->text);
    }
}

static void print_output(struct stats *stats, bool is_first)
{
    begin_output(stats, is_first);
    for (size_t i = 0; i < stats->look.n_vms; i++) {
        const struct samples *samples = &stats->samples[i];
        const struct client *client = stats->look.vms[i].client;

        for (size_t j = 0; client && j < COUNT(targets); j++)
            add_snapshot(stats, client, samples->now[j], samples->before[j]);
    }
    end_output(stats);
}

/* ---- sampling ------------------------------------------------------------------------------- */

static void free_samples(struct samples *samples)
{
    for (size_t i = 0; i < COUNT(targets); i++) {
        client_snapshot_free(samples->now[i]);
        client_snapshot_free(samples->before[i]);
        samples->now[i] = samples->before[i] = NULL;
    }
}

/* What was now is before. */
static void age(struct samples *samples)
{
    for (size_t i = 0; i < COUNT(targets); i++) {
        client_snapshot_free(samples->before[i]);
        samples->before[i] = samples->now[i];
        samples->now[i] = NULL;
    }
}

static int sample_vm(struct stats *stats, struct look_vm *vm, struct samples *samples,
                     struct client_error *error)
{
    int err = 0;

    age(samples);
    for (size_t i = 0; i < COUNT(targets) && !err; i++) {
        const struct client_request request = {
            .target = targets[i],
            .wanted = vm->wanted,
            .paths = i ? vm->paths : NULL,
            .n_paths = vm->n_paths,
        };

        if (look_wants_target(&stats->look, targets[i]) && !(request.paths && !request.n_paths))
            err = client_query(vm->client, &request, &samples->now[i], error);
    }
    return err;
}

/* A VM that fails is not asked again. Returns how many are left. */
static size_t sample(struct stats *stats)
{
    struct client_error error;
    size_t n = 0;

    for (size_t i = 0; i < stats->look.n_vms; i++) {
        struct look_vm *vm = &stats->look.vms[i];

        if (!vm->client)
            continue;
        if (sample_vm(stats, vm, &stats->samples[i], &error) == 0) {
            n++;
            continue;
        }
        look_complain(&stats->look, &error);
        free_samples(&stats->samples[i]);
        client_free(vm->client);
        vm->client = NULL;
    }
    return n;
}

/* Sleeps to the next multiple of the interval, so that the time that asking takes adds nothing. */
static void wait_for_turn(struct timespec *turn, double interval)
{
    long long ns = turn->tv_nsec + (long long)(interval * 1e9);
    struct timespec now;

    turn->tv_sec += (time_t)(ns / 1000000000);
    turn->tv_nsec = (long)(ns % 1000000000);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > turn->tv_sec || (now.tv_sec == turn->tv_sec && now.tv_nsec > turn->tv_nsec))
        *turn = now; /* too slow for this interval: no hurry to catch up */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, turn, NULL) == EINTR)
        ;
}

static int print_outputs(struct stats *stats)
{
    struct timespec turn;
    unsigned long n = 0;

    clock_gettime(CLOCK_MONOTONIC, &turn);
    if (stats->is_rates) {
        if (sample(stats) == 0)
            return EXIT_FAILURE;
        wait_for_turn(&turn, stats->interval);
    }
    for (;;) {
        if (sample(stats) == 0)
            return EXIT_FAILURE;
        print_output(stats, n == 0);
        if (fflush(stdout) != 0 || ++n == stats->count)
            break;
        wait_for_turn(&turn, stats->interval);
    }
    return stats->look.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct stats *stats, int argc, char **argv)
{
    int key, status;

    while ((key = getopt_long(argc, argv, "i:n:o:", long_options, NULL)) != -1) {
        if (key == LOOK_OPT_HELP)
            return print_help();
        if ((status = parse_option(stats, key)) != 0)
            return status;
    }
    if (optind < argc)
        return cli_usage_error(argv[0], "unexpected argument '%s'", argv[optind]);
    if ((status = complete(stats)) != 0 || (status = look_open(&stats->look)) != 0)
        return status;
    stats->vm_column->is_hidden = stats->look.n_sockets < 2;
    stats->samples = calloc(stats->look.n_vms, sizeof(*stats->samples));
    return stats->samples ? print_outputs(stats) : EXIT_FAILURE;
}

static void free_stats(struct stats *stats)
{
    for (size_t i = 0; stats->samples && i < stats->look.n_vms; i++)
        free_samples(&stats->samples[i]);
    free(stats->samples);
    buf_free(&stats->text);
    look_free(&stats->look);
}

int cmd_stats(int argc, char **argv)
{
    struct table_column columns[] = {
        {.title = "VM"},
        {.title = "OBJECT"},
        {.title = "PROVIDER"},
        {.title = "STAT"},
        {.title = "VALUE", .is_right = true},
        {.title = "DISTRIBUTION"},
    };
    struct stats stats = {.vm_column = &columns[0],
                          .table = {.columns = columns, .n_columns = COUNT(columns)}};
    int status;

    signal(SIGPIPE, SIG_DFL); /* a reader that has seen enough ends us, quietly */
    if (!look_init(&stats.look, argc, argv))
        return EXIT_FAILURE;
    status = run(&stats, argc, argv);
    free_stats(&stats);
    return status;
}
