/* SPDX-License-Identifier: MIT */
/* `vitals export`: the statistics of VMs for Prometheus, as OpenMetrics or in its older text format. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "base/clock.h"
#include "base/count.h"
#include "base/replacement.h"
#include "look/exposition.h"
#include "look/look.h"
#include "metrics/preset.h"
#include "show/output.h"

#define FILE_NAME "vitals.prom"

enum { COST_VMS_DEFAULT = 1000 };

enum { NOT_GIVEN = -1 }; /* of a choice */

struct export
{
    struct look look;
    int format; /* enum metrics_format, or NOT_GIVEN */
    int preset; /* enum metrics_preset, or NOT_GIVEN */
    bool is_thin, explains;
    unsigned long series_max, n_vms; /* 0: not given */
    const char *directory;
    struct exposition exposition;
    uint64_t begin_ns;
};

static const struct cli_option own_options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_CHOICE,
     .at = offsetof(struct export, format),
     .argument = "FORMAT",
     .choices = "openmetrics prometheus",
     .help = "openmetrics (1.0) or prometheus (text format 0.0.4) (default: openmetrics; with "
             "--textfile: prometheus)"},
    {.name = "textfile",
     .kind = CLI_TEXT,
     .at = offsetof(struct export, directory),
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "write DIR/" FILE_NAME ", for the textfile collector of node_exporter; it is replaced "
             "once all is written (default: standard output)"},
    {.name = "preset",
     .kind = CLI_CHOICE,
     .at = offsetof(struct export, preset),
     .argument = "PRESET",
     .choices = METRICS_PRESET_NAMES,
     .help = "minimal: what 'vitals top' lists; default: all but histograms; full: all (default: "
             "default; with --stat: full)"},
    {.name = "thin",
     .at = offsetof(struct export, is_thin),
     .help = "fewer buckets of histograms: of bounds that double every second one, and none of the "
             "lowest third"},
    {.name = "max-series",
     .kind = CLI_COUNT,
     .at = offsetof(struct export, series_max),
     .argument = "N",
     .help = "no more than N: statistics are left out, histograms first, and the exposition says "
             "how many series it lacks (default: 500000)"},
    {.name = "explain-cost",
     .at = offsetof(struct export, explains),
     .help = "print how many series each preset has here, and in how many bytes"},
    {.name = "for",
     .kind = CLI_COUNT,
     .at = offsetof(struct export, n_vms),
     .argument = "N",
     .help = "with --explain-cost: also for N VMs such as these (default: 1000)"},
    {0},
};

/* ---- what is exposed ------------------------------------------------------------------------ */

struct choice {
    const struct look *look;
    enum metrics_preset preset;
};

static bool wants(const void *opaque, const struct client_stat *stat)
{
    const struct choice *choice = opaque;

    return metrics_preset_has(choice->preset, stat->provider, stat->target, &stat->desc) &&
           look_wants_stat(choice->look, stat);
}

static bool wants_column(const void *opaque, const char *provider, const char *target,
                         const struct vitals_stat *stat)
{
    return wants(opaque, &(struct client_stat){*stat, provider, target});
}

static struct choice choice_of(const struct export *export)
{
    enum metrics_preset preset = export->look.options.globs.n ? METRICS_FULL : METRICS_DEFAULT;

    if (export->preset != NOT_GIVEN)
        preset = (enum metrics_preset) export->preset;
    return (struct choice){&export->look, export->explains ? METRICS_FULL : preset};
}

/* ---- the exposition ------------------------------------------------------------------------- */

static bool put(void *opaque, const char *bytes, size_t len)
{
    (void)opaque;
    return fwrite(bytes, 1, len, stdout) == len;
}

/* 0, or the exit status. */
static int check_whole(const struct export *export, const struct metrics_report *report)
{
    const char *command = export->look.options.command;
    size_t n_others = report->dropped[METRICS_NAME] + report->dropped[METRICS_EXPONENT] +
                      report->dropped[METRICS_OBJECT];

    if (report->dropped[METRICS_LIMIT])
        fprintf(
            stderr,
            "%s: %zu series are left out: there are too many\n  --preset, --stat and --thin make "
            "them fewer; --max-series allows more.\n",
            command, report->dropped[METRICS_LIMIT]);
    if (n_others)
        fprintf(stderr,
                "%s: %zu series are left out: they can't be told apart, or have no scale\n  "
                "'vitals_series_dropped' in the output says how many for which reason.\n",
                command, n_others);
    return report->dropped[METRICS_LIMIT] || n_others ? EXIT_FAILURE : 0;
}

static int out_of_memory(const struct export *export)
{
    fprintf(stderr, "%s: out of memory\n", export->look.options.command);
    return EXIT_FAILURE;
}

/* 0; -errno: it is not whole. */
static int print(struct export *export, struct metrics_report *ret_report)
{
    const struct metrics_sink sink = {.put = put};
    const struct choice choice = choice_of(export);
    enum metrics_format format = export->directory ? METRICS_PROMETHEUS : METRICS_OPENMETRICS;
    unsigned long series_max = export->series_max ? export->series_max : METRICS_SERIES_MAX;

    if (export->format != NOT_GIVEN)
        format = (enum metrics_format) export->format;
    return metrics_write(export->exposition.metrics,
                         &(struct metrics_form){
                             .format = format,
                             .is_thin = export->is_thin,
                             .series_max = series_max,
                             .duration_ns = clock_now_ns() - export->begin_ns,
                             .wants = wants_column,
                             .opaque = &choice,
                         },
                         &sink, ret_report);
}

/* What standard output does not take is said when it is flushed. */
static int print_all(struct export *export)
{
    struct metrics_report report;
    int err = print(export, &report);

    if (err)
        return err == -ENOMEM ? out_of_memory(export) : EXIT_FAILURE;
    return check_whole(export, &report);
}

static int refuse_file(const struct export *export, const char *path, int err)
{
    if (err == -ENOMEM)
        return out_of_memory(export);
    fprintf(stderr, "%s: %s: %s\n  --textfile takes a directory that this user may write to.\n",
            export->look.options.command, path, strerror(-err));
    return EXIT_FAILURE;
}

/* Whoever else may write to the directory must not choose what is overwritten: no link is followed. */
static int replace_file(struct export *export, const char *path)
{
    struct replacement replacement;
    struct metrics_report report;
    int err = replacement_begin_here(&replacement, path);

    if (err)
        return refuse_file(export, path, err);
    err = print(export, &report);
    if (err == -ENOMEM)
        replacement_abandon(&replacement);
    else
        err = replacement_end(&replacement);
    return err ? refuse_file(export, path, err) : check_whole(export, &report);
}

static int write_file(struct export *export)
{
    char *path;
    int status;

    if (asprintf(&path, "%s/" FILE_NAME, export->directory) < 0)
        return out_of_memory(export);
    status = replace_file(export, path);
    free(path);
    return status;
}

/* ---- what it costs -------------------------------------------------------------------------- */

struct cost {
    const char *name;
    enum metrics_preset preset;
    bool is_thin;
};

static const struct cost costs[] = {
    {"minimal", METRICS_MINIMAL, false},
    {"default", METRICS_DEFAULT, false},
    {"full --thin", METRICS_FULL, true},
    {"full", METRICS_FULL, false},
};

/* A mean, which is a whole number where all are alike. */
static void put_mean(struct table *table, size_t sum, size_t n)
{
    if (!n)
        table_cell(table, "-");
    else if (sum % n)
        table_cell(table, "%.1f", (double)sum / (double)n);
    else
        table_cell(table, "%zu", sum / n);
}

static void put_cost(struct table *table, const struct cost *cost,
                     const struct metrics_report *report, unsigned long n_vms)
{
    size_t of_vms = report->n_series - report->of_vcpus - report->of_itself;

    table_cell(table, "%s", cost->name);
    put_mean(table, report->of_vcpus, report->n_vcpus);
    put_mean(table, of_vms, report->n_vms);
    table_cell(table, "%zu", report->n_series);
    table_cell(table, "%zu", report->n_bytes);
    table_cell(table, "%.0f",
               (double)(report->of_vcpus + of_vms) / (double)report->n_vms * (double)n_vms +
                   (double)report->of_itself);
}

static int measure(struct export *export, const struct cost *cost,
                   struct metrics_report *ret_report)
{
    const struct choice choice = {&export->look, cost->preset};
    const struct metrics_form form = {
        .format = METRICS_OPENMETRICS,
        .is_thin = cost->is_thin,
        .duration_ns = clock_now_ns() - export->begin_ns,
        .wants = wants_column,
        .opaque = &choice,
    };

    return metrics_write(export->exposition.metrics, &form, NULL, ret_report);
}

static int put_costs(struct export *export, struct table *table, unsigned long n_vms)
{
    struct metrics_report report;

    for (size_t i = 0; i < COUNT(costs); i++) {
        if (measure(export, &costs[i], &report))
            return out_of_memory(export);
        if (!report.n_vms) {
            look_say_what_is_seen(&export->look);
            return EXIT_NO_MATCH;
        }
        put_cost(table, &costs[i], &report, n_vms);
    }
    printf("VMs: %zu, vCPUs: %zu. Series, and bytes of one exposition:\n\n", report.n_vms,
           report.n_vcpus);
    return EXIT_SUCCESS;
}

static int explain_cost(struct export *export)
{
    unsigned long n_vms = export->n_vms ? export->n_vms : COST_VMS_DEFAULT;
    char of_many[32];
    const struct table_column columns[] = {
        {"PRESET", false}, {"PER VCPU", true}, {"PER VM", true},
        {"HERE", true},    {"BYTES", true},    {of_many, true},
    };
    struct table table = {.columns = columns, .n_columns = COUNT(columns)};
    int status;

    snprintf(of_many, sizeof(of_many), "%lu VMS", n_vms);
    status = put_costs(export, &table, n_vms);
    if (status == EXIT_SUCCESS)
        table_print(&table, true);
    table_clear(&table);
    return status;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int check_options(const struct export *export)
{
    const char *command = export->look.options.command;

    if (export->directory && !*export->directory)
        return cli_usage_error(command, "--textfile: the path is missing");
    if (export->directory && export->format == METRICS_OPENMETRICS)
        return cli_usage_error(command, "--textfile and -o openmetrics exclude each other");
    if (export->n_vms && !export->explains)
        return cli_usage_error(command, "--for needs --explain-cost");
    return 0;
}

static int export_all(void *self)
{
    struct export *export = self;
    const struct choice choice = choice_of(export);
    int status = check_options(export), written;

    if (status)
        return status;
    export->look.options.opens_files = export->directory;
    export->exposition =
        (struct exposition){.look = &export->look, .wants = wants, .opaque = &choice};
    status = exposition_take(&export->exposition);
    if (!export->exposition.metrics)
        return status;
    if (export->explains)
        written = explain_cost(export);
    else
        written = export->directory ? write_file(export) : print_all(export);
    exposition_free(&export->exposition);
    return status ? status : written;
}

static int run(struct cli_args *args)
{
    struct export export = {.format = NOT_GIVEN, .preset = NOT_GIVEN, .begin_ns = clock_now_ns()};

    return look_run(args, &export, export_all);
}

const struct verb verb_export = {
    .name = "export",
    .summary = "write statistics for Prometheus",
    .operands = "[SOCKET...]",
    .operand_words = CLI_FILES,
    .operands_at = offsetof(struct export, look.options.sockets),
    .about = "Writes one exposition of the statistics of VMs: OpenMetrics, or Prometheus's text "
             "format.",
    .tables = {look_socket_options, look_vm_options, look_stat_options, own_options},
    .notes =
        "A VM that can't be asked is in it as vitals_source_up 0; the others are there.\n\n"
        "Exit status: 0, 1 for an error, a VM that could not be asked or series that were left "
        "out, 2 for wrong usage, 3 if nothing matches. The exposition is written in each case "
        "but 2.",
    .run = run,
};
