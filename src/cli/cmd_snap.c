/* SPDX-License-Identifier: MIT */
/* `vitals snap`: all values of now in a file, for `vitals diff`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "look/life.h"
#include "look/look.h"
#include "base/replacement.h"
#include "show/row_output.h"
#include "look/sampler.h"

struct snap {
    struct look look;
    struct row_output output;
    const char *file;
};

static const struct cli_option own_options[] = {
    {.name = "file",
     .letter = 'f',
     .kind = CLI_TEXT,
     .at = offsetof(struct snap, file),
     .argument = "FILE",
     .words = CLI_FILES,
     .help = "where to write it; a file of this name is replaced once all is written (default: "
             "standard output)"},
    {0},
};

static void show(void *opaque, const struct row *row)
{
    row_output_add(opaque, row);
}

static void put_lives(void *look, struct record_writer *to)
{
    life_put(to, look);
}

static void print_rows(struct snap *snap, struct sampler *sampler)
{
    snap->output.to.format = OUTPUT_JSON;
    snap->output.put_head = put_lives;
    snap->output.opaque = &snap->look;
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

static int open_and_sample(void *self)
{
    struct snap *snap = self;
    int status;

    snap->look.options.opens_files = snap->file;
    status = look_open(&snap->look);
    return status ? status : sample(snap);
}

static int run(struct cli_args *args)
{
    struct snap snap = {0};
    int status = look_run(args, &snap, open_and_sample);

    row_output_free(&snap.output);
    return status;
}

const struct verb verb_snap = {
    .name = "snap",
    .summary = "keep all values of now, for diff",
    .operands = "[SOCKET...]",
    .operand_words = CLI_FILES,
    .operands_at = offsetof(struct snap, look.options.sockets),
    .about = "Writes all values of now as JSON: what 'vitals stats -o json' prints, in one line.",
    .tables = {look_socket_options, look_vm_options, look_stat_options, look_object_options,
               own_options},
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
