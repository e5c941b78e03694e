/* SPDX-License-Identifier: MIT */
/* `vitals doctor`: what works here, and why not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "doctor/doctor.h"
#include "look/look.h"
#include "base/count.h"
#include "show/record.h"

enum { TEXT_COLUMN = 27 };

/* ---- output --------------------------------------------------------------------------------- */

static const char *const status_names[] = {
    [FINDING_OK] = "ok",
    [FINDING_WARNING] = "warning",
    [FINDING_PROBLEM] = "problem",
    [FINDING_ABSENT] = "not there",
};
ASSERT_COUNT(status_names, FINDING_STATUSES);

static void print_table(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->n_findings; i++) {
        const struct finding *finding = &doctor->findings[i];
        int head = printf("%-9s  %s", status_names[finding->status], finding->check);

        cli_wrap_behind((size_t)head, finding->text, TEXT_COLUMN);
        if (finding->hint[0])
            cli_wrap_behind(0, finding->hint, TEXT_COLUMN);
    }
}

static bool has_problem(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->n_findings; i++)
        if (doctor->findings[i].status == FINDING_PROBLEM)
            return true;
    return false;
}

static void put_finding(struct record_writer *to, const struct finding *finding)
{
    record_text(to, "check", NULL, finding->check);
    record_text(to, "status", NULL, status_names[finding->status]);
    record_text(to, "found", NULL, *finding->text ? finding->text : NULL);
    record_text(to, "hint", NULL, *finding->hint ? finding->hint : NULL);
}

static void print_json(const struct doctor *doctor)
{
    struct record_writer to = {.format = OUTPUT_JSON};

    record_open(&to);
    record_bool(&to, "healthy", NULL, !has_problem(doctor));
    record_list(&to, "checks");
    for (size_t i = 0; i < doctor->n_findings; i++) {
        record_begin(&to);
        put_finding(&to, &doctor->findings[i]);
        record_end(&to);
    }
    record_close(&to);
    record_free(&to);
}

/* ---- the verb ------------------------------------------------------------------------------- */

struct examination {
    struct look look; /* its options: the doctor asks by itself */
    const char *root;
};

static const struct cli_option own_options[] = {
    {.name = "root",
     .kind = CLI_TEXT,
     .at = offsetof(struct examination, root),
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "look for the files of the system (/dev, /proc, /sys, /run, /var) below DIR, for "
             "example in a container's or a test's tree"},
    {.name = "output",
     .letter = 'o',
     .kind = CLI_CHOICE,
     .at = offsetof(struct examination, look.options.format),
     .argument = "FORMAT",
     .choices = "table json",
     .help = "table or json (default: table)"},
    {.name = "json",
     .kind = CLI_CONSTANT,
     .at = offsetof(struct examination, look.options.format),
     .constant = OUTPUT_JSON,
     .help = "the same as -o json"},
    {0},
};

static int check_all(const struct examination *examination, const char *const *sockets,
                     size_t n_sockets)
{
    const struct look_options *options = &examination->look.options;
    struct doctor doctor = {
        .command = options->command,
        .root = examination->root,
        .timeout_ms = look_timeout_ms(options),
        .sockets = sockets,
        .n_sockets = n_sockets,
    };
    int status;

    doctor_check_host(&doctor);
    doctor_check_sockets(&doctor);
    if (options->format == OUTPUT_JSON)
        print_json(&doctor);
    else
        print_table(&doctor);
    status = has_problem(&doctor) ? EXIT_FAILURE : EXIT_SUCCESS;
    free(doctor.findings);
    return status;
}

static int examine(void *self)
{
    const struct examination *examination = self;
    const struct look_options *options = &examination->look.options;
    struct socket_words words;
    int status;

    if (strlen(examination->root) > DOCTOR_ROOT_MAX)
        return cli_usage_error(options->command, "--root: longer than %d bytes", DOCTOR_ROOT_MAX);
    if (!options->default_socket)
        return check_all(examination, options->sockets.all, options->sockets.n);
    if (!socket_words_split(options->default_socket, &words)) {
        fprintf(stderr, "%s: out of memory\n", options->command);
        return EXIT_FAILURE;
    }
    status = check_all(examination, words.all, words.n);
    socket_words_free(&words);
    return status;
}

static int run(struct cli_args *args)
{
    return look_run(args, &(struct examination){.root = ""}, examine);
}

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "check what works here, and say why not",
    .operands = "[SOCKET...]",
    .operand_words = CLI_FILES,
    .operands_at = offsetof(struct examination, look.options.sockets),
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
