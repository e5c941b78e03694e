/* SPDX-License-Identifier: MIT */
/* `vitals snap`: all values of now in a file, for `vitals diff`. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "look/look.h"
#include "base/replacement.h"
#include "show/row_output.h"
#include "look/sampler.h"

enum { OPT_FILE = LOOK_OPT_OWN };

static const struct cli_option own_options[] = {
    {.name = "file",
     .letter = 'f',
     .key = OPT_FILE,
     .argument = "FILE",
     .words = CLI_FILES,
     .help = "where to write it; a file of this name is replaced once all is written (default: "
             "standard output)"},
    {0},
};

struct snap {
    struct look look;
    struct row_output output;
    const char *file;
};

static void show(void *opaque, const struct row *row)
{
    row_output_add(opaque, row);
}

static void print_rows(struct snap *snap, struct sampler *sampler)
{
    snap->output.format = OUTPUT_JSON;
    row_output_begin(&snap->output, sampler->time);
    sampler_each(sampler, false, show, &snap->output);
    row_output_end(&snap->output);
}

/* Half a snapshot never has the file's name. */
static int write_file(struct snap *snap, struct sampler *sampler)
{
    struct replacement replacement;
    int err = replacement_begin(&replacement, snap->file);

    if (!err) {
        print_rows(snap, sampler);
        err = replacement_end(&replacement);
    }
    if (!err)
        return EXIT_SUCCESS;
    fprintf(stderr, "%s: %s: %s\n  -f makes a file in a directory that this user may write to.\n",
            snap->look.options.command, snap->file, strerror(-err));
    return EXIT_FAILURE;
}

/* A file that lacks a VM is none; what goes on to a reader says what there is. */
static int print_snapshot(struct snap *snap, struct sampler *sampler)
{
    if (!snap->file)
        print_rows(snap, sampler);
    else if (!snap->look.has_failed)
        return write_file(snap, sampler);
    return snap->look.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int sample(struct snap *snap)
{
    struct sampler sampler;
    int status = EXIT_FAILURE;

    if (!sampler_init(&sampler, &snap->look))
        return EXIT_FAILURE;
    if (sampler_sample(&sampler) > 0)
        status = print_snapshot(snap, &sampler);
    sampler_free(&sampler);
    return status;
}

static int parse(struct snap *snap, struct cli_args *args)
{
    int key, status;

    while ((key = cli_next(args)) > 0) {
        if (key == OPT_FILE)
            snap->file = args->text;
        else if ((status = look_parse_option(&snap->look, key, args->text)) != 0)
            return status;
    }
    return key < 0 ? args->status : cli_no_operands(args);
}

static int run(struct cli_args *args)
{
    struct snap snap = {0};
    int status;

    signal(SIGPIPE, SIG_DFL); /* a reader that has seen enough ends us, quietly */
    if (!look_init(&snap.look, args))
        return EXIT_FAILURE;
    status = parse(&snap, args);
    if (status == 0 && !args->is_done)
        status = look_open(&snap.look);
    if (status == 0 && !args->is_done)
        status = sample(&snap);
    row_output_free(&snap.output);
    look_free(&snap.look);
    return status;
}

const struct verb verb_snap = {
    .name = "snap",
    .summary = "keep all values of now, for diff",
    .about = "Writes all values of now as JSON: what 'vitals stats -o json' prints, in one line.",
    .tables = {look_socket_options, look_stat_options, look_vcpu_options, own_options},
    .notes = "Example:\n"
             "  vitals snap -f before.json\n"
             "  sleep 60\n"
             "  vitals snap -f after.json\n"
             "  vitals diff before.json after.json\n"
             "\n"
             "Exit status: 0, 1 for an error, 2 for wrong usage, 3 if nothing matches. If a VM "
             "can't be asked, FILE is not written.",
    .run = run,
};
