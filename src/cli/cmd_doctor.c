/* SPDX-License-Identifier: MIT */
/* `vitals doctor`: what works here, and why not. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "doctor/doctor.h"
#include "look/look.h"
#include "base/text.h"
#include "base/json_write.h"

#define WIDTH 100

/* ---- output --------------------------------------------------------------------------------- */

static const char *const status_names[] = {
    [FINDING_OK] = "ok",
    [FINDING_WARNING] = "warning",
    [FINDING_PROBLEM] = "problem",
    [FINDING_ABSENT] = "not there",
};

static void print_table(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->n_findings; i++) {
        const struct finding *finding = &doctor->findings[i];
        int indent = printf("%-9s  %-14s  ", status_names[finding->status], finding->check);

        cli_wrap(finding->text, (size_t)indent, WIDTH);
        if (!finding->hint[0])
            continue;
        printf("%*s", indent, "");
        cli_wrap(finding->hint, (size_t)indent, WIDTH);
    }
}

static void put_member(struct buf *out, const char *name, const char *text, const char *end)
{
    buf_printf(out, "\"%s\": ", name);
    if (*text)
        json_put_string(out, text);
    else
        buf_puts(out, "null");
    buf_puts(out, end);
}

static bool has_problem(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->n_findings; i++)
        if (doctor->findings[i].status == FINDING_PROBLEM)
            return true;
    return false;
}

static void print_json(const struct doctor *doctor)
{
    struct buf out = {0};

    buf_printf(&out, "{\"schema_version\": 1, \"healthy\": %s, \"checks\": [",
               has_problem(doctor) ? "false" : "true");
    for (size_t i = 0; i < doctor->n_findings; i++) {
        const struct finding *finding = &doctor->findings[i];

        buf_puts(&out, i ? ", {" : "{");
        put_member(&out, "check", finding->check, ", ");
        put_member(&out, "status", status_names[finding->status], ", ");
        put_member(&out, "found", finding->text, ", ");
        put_member(&out, "hint", finding->hint, "}");
    }
    buf_puts(&out, "]}");
    csv_end(&out);
    buf_free(&out);
}

/* ---- the verb ------------------------------------------------------------------------------- */

enum { OPT_ROOT = LOOK_OPT_OWN, OPT_OUTPUT, OPT_JSON };

static const struct cli_option own_options[] = {
    {.name = "root",
     .key = OPT_ROOT,
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "look for the files of the system (/dev, /proc, /sys, /run, /var) below DIR, for "
             "example in a container's or a test's tree"},
    {.name = "output",
     .letter = 'o',
     .key = OPT_OUTPUT,
     .argument = "FORMAT",
     .choices = "table json",
     .help = "table or json (default: table)"},
    {.name = "json", .key = OPT_JSON, .help = "the same as -o json"},
    {0},
};

struct options {
    const char *root;
    bool is_json;
};

static int parse_output(struct options *options, const char *command, const char *text)
{
    options->is_json = !strcmp(text, "json");
    if (options->is_json || !strcmp(text, "table"))
        return 0;
    return cli_usage_error(command, "-o: unknown format '%s'; there is: table json", text);
}

static int parse(struct look *look, struct options *options, struct cli_args *args)
{
    int key, status = 0;

    while (status == 0 && (key = cli_next(args)) != 0) {
        if (key < 0)
            return args->status;
        if (key == OPT_ROOT)
            options->root = args->text;
        else if (key == OPT_JSON)
            options->is_json = true;
        else if (key == OPT_OUTPUT)
            status = parse_output(options, args->command, args->text);
        else
            status = look_parse_option(look, key, args->text);
    }
    if (status == 0 && strlen(options->root) > DOCTOR_ROOT_MAX)
        return cli_usage_error(args->command, "--root: longer than %d bytes", DOCTOR_ROOT_MAX);
    return status ? status : cli_no_operands(args);
}

static int examine(const struct look *look, const struct options *options)
{
    const char *named = getenv("VITALS_SOCKET");
    struct doctor doctor = {
        .command = look->options.command,
        .root = options->root,
        .timeout_ms = look->options.timeout_ms,
        .sockets = look->options.sockets,
        .n_sockets = look->options.n_sockets,
    };
    int status;

    if (!doctor.n_sockets && named && *named) {
        doctor.sockets = &named;
        doctor.n_sockets = 1;
    }
    doctor_check_host(&doctor);
    doctor_check_sockets(&doctor);
    if (options->is_json)
        print_json(&doctor);
    else
        print_table(&doctor);
    status = has_problem(&doctor) ? EXIT_FAILURE : EXIT_SUCCESS;
    free(doctor.findings);
    return status;
}

static int run(struct cli_args *args)
{
    struct options options = {.root = ""};
    struct look look;
    int status;

    signal(SIGPIPE, SIG_DFL); /* a reader that has seen enough ends us, quietly */
    if (!look_init(&look, args))
        return EXIT_FAILURE;
    status = parse(&look, &options, args);
    if (status == 0 && !args->is_done)
        status = examine(&look, &options);
    look_free(&look);
    return status;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "check what works here, and say why not",
    .about = "Checks /dev/kvm, the kernel and its statistics, the user's rights, and the sockets: "
             "those of --socket or VITALS_SOCKET are asked; of those in the usual places of "
             "vitals, Proxmox and libvirt only the permissions are checked, because QEMU serves "
             "one client at a time. Each check is ok, a warning, a problem, or its object is not "
             "there.",
    .tables = {look_socket_options, own_options},
    .notes = "-o json prints one object: {\"schema_version\": 1, \"healthy\": BOOL, \"checks\": "
             "[...]}. Each check has check, status, found and hint, which is null where there is "
             "nothing to do.\n"
             "\n"
             "Exit status: 0 if there is no problem, 1 if there is one, 2 for wrong usage.",
    .run = run,
};
