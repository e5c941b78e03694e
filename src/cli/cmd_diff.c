/* SPDX-License-Identifier: MIT */
/* `vitals diff`: what happened between two snapshots. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "base/count.h"
#include "look/look.h"
#include "look/progress.h"
#include "show/row_output.h"
#include "look/snapshot_life.h"
#include "look/snapshot_vms.h"
#include "stats/histogram.h"
#include "show/histogram_text.h"

struct diff {
    struct look look; /* its options: no VM is asked */
    struct cli_texts paths;
    struct row_output output;
    struct row_list rows;
    bool is_all, is_rates;
    struct snapshot_file before, after;
    uint64_t *deltas; /* of the rows */
    size_t n_matched, n_only_before, n_only_after, n_resets;
};

static const struct cli_option own_options[] = {
    {.name = "all", .at = offsetof(struct diff, is_all), .help = "also what has not changed"},
    {.name = "rates",
     .at = offsetof(struct diff, is_rates),
     .help = "table: per second, not in all"},
    {0},
};

/* ---- matching ------------------------------------------------------------------------------- */

static bool is_vcpu(const char *text, const struct row *row)
{
    const struct client_vcpu vcpu = {.path = row->path, .index = row->vcpu};

    return row->path && look_is_vcpu(text, &vcpu);
}

static bool is_any_vcpu(const struct look_options *options, const struct row *row)
{
    for (size_t i = 0; i < options->vcpus.n; i++)
        if (is_vcpu(options->vcpus.all[i], row))
            return true;
    return !options->vcpus.n;
}

static const char *uuid_of(const struct row *row)
{
    return row->origin ? row->origin->uuid : NULL;
}

static bool is_wanted(const struct diff *diff, const struct snapshot_file *snapshot, size_t i)
{
    return look_wants_vm(&diff->look, snapshot->rows[i].vm, uuid_of(&snapshot->rows[i])) &&
           look_wants_stat(&diff->look, &snapshot->stats[i]) &&
           is_any_vcpu(&diff->look.options, &snapshot->rows[i]) &&
           look_wants_object(&diff->look, snapshot->rows[i].target, snapshot->rows[i].path);
}

static bool has_object(const struct diff *diff, const struct snapshot_file *snapshot,
                       const char *path)
{
    for (size_t i = 0; i < snapshot->n_rows; i++)
        if (snapshot->rows[i].path && !strcmp(snapshot->rows[i].path, path) &&
            look_wants_target(&diff->look, snapshot->rows[i].target))
            return true;
    return false;
}

static int check_object(struct diff *diff, const char *path)
{
    if (has_object(diff, &diff->before, path) || has_object(diff, &diff->after, path))
        return 0;
    return look_refuse_object(&diff->look, path);
}

static bool has_vcpu(const struct snapshot_file *snapshot, const char *text)
{
    for (size_t i = 0; i < snapshot->n_rows; i++)
        if (is_vcpu(text, &snapshot->rows[i]))
            return true;
    return false;
}

static size_t add_numbers(const struct snapshot_file *snapshot, int64_t *numbers)
{
    size_t n = 0;

    for (size_t i = 0; i < snapshot->n_rows; i++)
        if (snapshot->rows[i].vcpu >= 0)
            numbers[n++] = snapshot->rows[i].vcpu;
    return n;
}

static int check_vcpu(struct diff *diff, const char *text)
{
    size_t n = diff->before.n_rows + diff->after.n_rows;
    int64_t *numbers;
    int status;

    if (has_vcpu(&diff->before, text) || has_vcpu(&diff->after, text))
        return 0;
    numbers = calloc(n + 1, sizeof(*numbers));
    if (!numbers) {
        fprintf(stderr, "%s: out of memory\n", diff->look.options.command);
        return EXIT_FAILURE;
    }
    n = add_numbers(&diff->before, numbers);
    n += add_numbers(&diff->after, numbers + n);
    status = look_refuse_vcpu(&diff->look, text, numbers, n);
    free(numbers);
    return status;
}

static size_t add_names(const struct snapshot_file *snapshot, const char **names)
{
    size_t n = 0;

    for (size_t i = 0; i < snapshot->n_rows; i++) {
        names[n++] = snapshot->rows[i].vm;
        if (uuid_of(&snapshot->rows[i]))
            names[n++] = uuid_of(&snapshot->rows[i]);
    }
    return n;
}

static int check_vms(struct diff *diff)
{
    const struct snapshot_file *both[] = {&diff->before, &diff->after};
    size_t n = 0, n_max = 2 * (diff->before.n_rows + diff->after.n_rows);
    const char **names = calloc(n_max + 1, sizeof(*names));
    int status;

    if (!names) {
        fprintf(stderr, "%s: out of memory\n", diff->look.options.command);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < COUNT(both); i++)
        n += add_names(both[i], names + n);
    status = look_check_vms(&diff->look, names, n);
    free(names);
    return status;
}

/* What is in one of both is enough: that it is in one only is said later. */
static int check_options(struct diff *diff)
{
    const struct look_stats lists[] = {{diff->before.stats, diff->before.n_rows},
                                       {diff->after.stats, diff->after.n_rows}};
    const struct look_options *options = &diff->look.options;
    int status = check_vms(diff);

    for (size_t i = 0; status == 0 && i < options->vcpus.n; i++)
        status = check_vcpu(diff, options->vcpus.all[i]);
    for (size_t i = 0; status == 0 && i < options->objects.n; i++)
        status = check_object(diff, options->objects.all[i]);
    return status ? status : look_check_stats(&diff->look, lists, 2);
}

/* ---- output --------------------------------------------------------------------------------- */

static void quantity(char text[QUANTITY_MAX], const struct row *row, uint64_t value)
{
    if (histogram_is(row->stat) || (!row->stat->unit && !row->stat->exponent))
        snprintf(text, QUANTITY_MAX, "%llu", (unsigned long long)value);
    else
        quantity_text(text, row->stat, (double)value);
}

static void change_text(char text[ROW_TEXT_MAX], const struct row *row)
{
    char now[QUANTITY_MAX], before[QUANTITY_MAX];

    if (row->is_reset && !row->vm) { /* of some of the VMs: what came to all is not known */
        snprintf(text, ROW_TEXT_MAX, "reset");
    } else if (row->deltas || row->is_reset) {
        quantity(now, row, histogram_count(row->deltas ? row->deltas : row->totals, row->n));
        snprintf(text, ROW_TEXT_MAX, "%s%s", row->is_reset ? "reset, " : "", now);
    } else {
        quantity(before, row, row->before[0]);
        quantity(now, row, row->totals[0]);
        snprintf(text, ROW_TEXT_MAX, "%s -> %s", before, now);
    }
}

static void rate_text(char text[ROW_TEXT_MAX], const struct row *row)
{
    if (row->deltas)
        row_number(text, row);
    else
        change_text(text, row);
}

static bool has_changed(const struct row *row)
{
    if (row->is_reset)
        return histogram_count(row->totals, row->n) > 0;
    return memcmp(row->totals, row->before, row->n * sizeof(uint64_t)) != 0;
}

static void print_rows(struct diff *diff)
{
    look_arrange(&diff->look.options, &diff->rows, diff->is_all ? NULL : has_changed);
    for (size_t i = 0; i < diff->rows.n; i++)
        row_output_add(&diff->output, &diff->rows.rows[i]);
}

static uint64_t *make_deltas(struct diff *diff)
{
    size_t n = 0;

    for (size_t i = 0; i < diff->after.n_rows; i++)
        n += diff->after.rows[i].n;
    diff->deltas = calloc(n + 1, sizeof(*diff->deltas));
    return diff->deltas;
}

/* False: no memory. */
static bool add_rows(struct diff *diff)
{
    uint64_t *deltas = make_deltas(diff);
    bool *resets = snapshot_find_resets(&diff->before, &diff->after);
    struct row row;

    if (!deltas || !resets) {
        free(resets);
        return false;
    }
    for (size_t i = 0; i < diff->after.n_rows; i++) {
        if (!is_wanted(diff, &diff->after, i))
            continue;
        if (snapshot_subtract(&diff->before, &diff->after, i, resets[i], deltas, &row)) {
            diff->n_matched++;
            diff->n_resets += row.is_reset;
            row_list_add(&diff->rows, &row);
            deltas += row.n;
        } else {
            diff->n_only_after++;
        }
    }
    for (size_t i = 0; i < diff->before.n_rows; i++)
        if (is_wanted(diff, &diff->before, i) &&
            !snapshot_find(&diff->after, &diff->before.rows[i], diff->before.is_alone[i], i))
            diff->n_only_before++;
    free(resets);
    return true;
}

static void say_what_is_of_the_host(const struct diff *diff)
{
    const char *const *paths = diff->paths.all;

    switch (snapshot_compare_hosts(&diff->before, &diff->after)) {
    case SNAPSHOT_ONE_BOOT:
        break;
    case SNAPSHOT_TWO_BOOTS:
        fprintf(stderr, "%s: the host started again between %s and %s\n",
                diff->look.options.command, paths[0], paths[1]);
        break;
    case SNAPSHOT_TWO_HOSTS:
        fprintf(stderr, "%s: %s is of another host than %s\n", diff->look.options.command, paths[1],
                paths[0]);
        break;
    }
}

static void say_what_is_left_out(const struct diff *diff)
{
    const char *const *paths = diff->paths.all;
    const char *command = diff->look.options.command;

    if (diff->n_only_before)
        fprintf(stderr, "%s: %zu statistics are only in %s\n", command, diff->n_only_before,
                paths[0]);
    if (diff->n_only_after)
        fprintf(stderr, "%s: %zu statistics are only in %s\n", command, diff->n_only_after,
                paths[1]);
    if (diff->n_resets)
        fprintf(stderr,
                "%s: %zu statistics began anew: they were reset, or the VM or vCPU started again\n",
                command, diff->n_resets);
    say_what_is_of_the_host(diff);
}

static void put_vms(void *after, struct record_writer *to)
{
    snapshot_put_vms(to, after);
}

static int print_diff(struct diff *diff)
{
    const char *const *paths = diff->paths.all;
    const struct look_options *options = &diff->look.options;

    diff->output = (struct row_output){
        .to = look_record_writer(&diff->look),
        .has_vm = true,
        .is_rates = true,
        .has_before = true,
        .has_objects = options->is_total,
        .has_clock = true,
        .is_exact = snapshot_seconds(&diff->before, &diff->after) < 10,
        .since = diff->before.time,
        .seconds = snapshot_seconds(&diff->before, &diff->after),
        .put_head = put_vms,
        .opaque = &diff->after,
        .value_title = "CHANGE",
        .value_text = diff->is_rates ? rate_text : change_text,
    };
    if (!add_rows(diff)) {
        fprintf(stderr, "%s: out of memory\n", options->command);
        return EXIT_FAILURE;
    }
    if (diff->n_matched) {
        row_output_begin(&diff->output, diff->after.time);
        print_rows(diff);
        row_output_end(&diff->output);
        say_what_is_left_out(diff);
        return EXIT_SUCCESS;
    }
    fprintf(stderr,
            "%s: no statistic of %s is in %s\n"
            "  They must be of the same VM, by its name; by its socket, too, where several have "
            "the name.\n",
            options->command, paths[1], paths[0]);
    return EXIT_NO_MATCH;
}

/* ---- running -------------------------------------------------------------------------------- */

/* A pipe may have nobody yet who writes. */
static int read_one(const struct diff *diff, size_t i, struct snapshot_file *ret_snapshot,
                    char error[SNAPSHOT_ERROR_MAX])
{
    const char *path = diff->paths.all[i];
    struct progress *progress = progress_begin(diff->look.options.command, "waiting for %s", path);
    int err = snapshot_read(path, ret_snapshot, error);

    progress_end(progress);
    return err;
}

static int read_both(struct diff *diff)
{
    const char *const *paths = diff->paths.all;
    const char *command = diff->look.options.command;
    char error[SNAPSHOT_ERROR_MAX];

    if (read_one(diff, 0, &diff->before, error) < 0 || read_one(diff, 1, &diff->after, error) < 0) {
        fprintf(stderr, "%s: %s\n", command, error);
        return EXIT_FAILURE;
    }
    if (snapshot_is_later(&diff->after, &diff->before))
        return 0;
    fprintf(stderr,
            "%s: %s is not older than %s\n"
            "  The older one comes first. A millisecond must be between them.\n",
            command, paths[0], paths[1]);
    return EXIT_FAILURE;
}

static int compare(void *self)
{
    struct diff *diff = self;
    int status;

    if (diff->paths.n != 2)
        return cli_usage_error(diff->look.options.command,
                               "which two snapshots? 'vitals snap' writes them");
    status = read_both(diff);
    if (status == 0)
        status = check_options(diff);
    return status ? status : print_diff(diff);
}

static int run(struct cli_args *args)
{
    struct diff diff = {0};
    int status = look_run(args, &diff, compare);

    snapshot_free(&diff.before);
    snapshot_free(&diff.after);
    row_output_free(&diff.output);
    row_list_free(&diff.rows);
    free(diff.deltas);
    return status;
}

const struct verb verb_diff = {
    .name = "diff",
    .summary = "what happened between two snapshots",
    .operands = "BEFORE AFTER",
    .operand_words = CLI_FILES,
    .operands_at = offsetof(struct diff, paths),
    .about = "Shows what happened between two snapshots of 'vitals snap': what is cumulative, and "
             "histograms, as what came; other values as they were and are. - is standard input.",
    .tables = {look_vm_options, look_stat_options, look_object_options, own_options,
               look_row_options, look_output_options},
    .notes =
        "Where the VM, a vCPU or the host started again, or one count of the VM went down, its "
        "counts are shown as reset, with what they have counted since.\n"
        "\n"
        "-o json and -o csv have the form of 'vitals stats --rates', and also before, the "
        "value in BEFORE. time is that of AFTER.\n"
        "\n"
        "Exit status: 0, 1 for an error, 2 for wrong usage, 3 if the snapshots have nothing "
        "in common, or nothing that matches.",
    .run = run,
};
