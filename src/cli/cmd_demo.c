/* SPDX-License-Identifier: MIT */
/* `vitals demo`: the options of the program that is in demo/demo.c. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args/cli.h"
#include "demo/demo.h"
#include "base/count.h"
#include "show/output.h"

#define VCPUS_DEFAULT 5
#define SECONDS_MAX   1e9

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)

static const struct {
    const char *name;
    unsigned vcpus_max;
} guests[] = {
    [DEMO_GUEST_WORK] = {"work", DEMO_RUNNING_VCPUS_MAX},
    [DEMO_GUEST_SPIN] = {"spin", DEMO_RUNNING_VCPUS_MAX},
    [DEMO_GUEST_HALTED] = {"halted", DEMO_RUNNING_VCPUS_MAX},
    [DEMO_GUEST_NONE] = {"none", DEMO_VCPUS_MAX},
};

static int parse_vcpus(const char *command, char *text, void *value)
{
    unsigned *n_vcpus = value;
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > DEMO_VCPUS_MAX)
        return cli_usage_error(command, "--vcpus: '%s' is no number from 1 to %d", text,
                               DEMO_VCPUS_MAX);
    *n_vcpus = (unsigned)n;
    return 0;
}

static int add_socket(const char *command, char *text, void *value)
{
    struct demo_options *options = value;
    char error[CLI_ERROR_MAX];

    if (options->n_sockets == DEMO_SOCKETS_MAX)
        return cli_usage_error(command, "--qmp: no more than %d sockets", DEMO_SOCKETS_MAX);
    if (cli_parse_qmp(text, &options->sockets[options->n_sockets], error) < 0)
        return cli_usage_error(command, "--qmp: %s", error);
    options->n_sockets++;
    return 0;
}

#define AT(member) offsetof(struct demo_options, member)

static const struct cli_option options_table[] = {
    {.name = "vcpus",
     .kind = CLI_PARSED,
     .parse = parse_vcpus,
     .at = AT(n_vcpus),
     .argument = "N",
     .help = "number of vCPUs, 1 to " TEXT(
         DEMO_RUNNING_VCPUS_MAX) "; with --guest none "
                                 "to " TEXT(DEMO_VCPUS_MAX) " (default: " TEXT(VCPUS_DEFAULT) ")"},
    {.name = "guest",
     .kind = CLI_TEXT,
     .at = AT(guest_name),
     .argument = "KIND",
     .choices = "work spin halted none",
     .help = "what the guest does (default: work)\n"
             "work    halts, exits, interrupts and page faults, with pauses\n"
             "spin    computes without end: one host CPU for each vCPU\n"
             "halted  sleeps without end\n"
             "none    vCPUs are created and never run"},
    {.name = "qmp",
     .kind = CLI_PARSED,
     .parse = add_socket,
     .at = 0,
     .argument = "PATH[,KEY=VALUE]...",
     .words = CLI_FILES,
     .help = "unix socket to serve on; can be given " TEXT(
         DEMO_SOCKETS_MAX) " times (default: "
                           "vitals-demo-PID.sock in $XDG_RUNTIME_DIR or /tmp)\n"
                           "dialect=grouped|flat  form of replies (default: grouped)\n"
                           "mode=OCTAL  permissions of the socket (default: 0600)\n"
                           "providers=NAME[:NAME]...  show only these (default: all)"},
    {.name = "name",
     .kind = CLI_TEXT,
     .at = AT(name),
     .argument = "NAME",
     .help = "name of the VM (default: demo)"},
    {.name = "uuid",
     .kind = CLI_TEXT,
     .at = AT(uuid),
     .argument = "UUID",
     .help = "UUID of the VM (default: none)"},
    {.name = "sched",
     .kind = CLI_FLAG,
     .at = AT(sched),
     .help = "also what the host gives to the VM: CPU time, steal, memory (provider 'sched')"},
    {.name = "seconds",
     .kind = CLI_SECONDS,
     .at = AT(seconds),
     .max = SECONDS_MAX,
     .argument = "S",
     .help = "end after S seconds"},
    {.name = "pause-after",
     .kind = CLI_SECONDS,
     .at = AT(pause_after),
     .max = SECONDS_MAX,
     .argument = "S",
     .help = "pause the guest after S seconds"},
    {.name = "record",
     .kind = CLI_TEXT,
     .at = AT(record),
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "write the statistics files of the VM to DIR, once a second"},
    {.name = "recording",
     .kind = CLI_TEXT,
     .at = AT(recording),
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "run no guest, and show what --record wrote, at the same pace: needs no /dev/kvm"},
    {0},
};

/* What depends on more than one option. The default of an option that was not given is set here. */
static int complete(const char *command, struct demo_options *options)
{
    if (options->recording && (options->n_vcpus || options->guest_name || options->record))
        return cli_usage_error(command, "--recording runs no guest, so --vcpus, --guest and "
                                        "--record can't be given with it");
    if (!options->n_vcpus)
        options->n_vcpus = VCPUS_DEFAULT;
    if (!options->guest_name)
        options->guest_name = guests[DEMO_GUEST_WORK].name;
    while (strcmp(options->guest_name, guests[options->guest].name) != 0)
        options->guest++;
    if (options->n_vcpus > guests[options->guest].vcpus_max)
        return cli_usage_error(command, "--vcpus: %u is too many: guest '%s' has at most %u",
                               options->n_vcpus, options->guest_name,
                               guests[options->guest].vcpus_max);
    return 0;
}

static void add_default_socket(struct demo_options *options, char path[PATH_MAX])
{
    const char *directory = getenv("XDG_RUNTIME_DIR");

    if (!directory || directory[0] != '/')
        directory = "/tmp";
    snprintf(path, PATH_MAX, "%s/vitals-demo-%ld.sock", directory, (long)getpid());
    options->sockets[0] = (struct vitals_listen_options){VITALS_LISTEN_OPTIONS_INIT, .path = path};
    options->n_sockets = 1;
}

static int run(struct cli_args *args)
{
    struct demo_options options = {.name = "demo"};
    char path[PATH_MAX];
    int status;

    if (!cli_parse(args, &options))
        return args->status;
    if ((status = complete(args->command, &options)) != 0)
        return status;
    if (options.n_sockets == 0)
        add_default_socket(&options, path);
    status = demo_run(&options);
    if (status == 0)
        return EXIT_SUCCESS;
    errno = -status; /* if that was the one line of output */
    output_flush();
    return EXIT_FAILURE;
}

const struct verb verb_demo = {
    .name = "demo",
    .summary = "run a small VM and serve its statistics over QMP",
    .about = "Runs a small VM whose guest makes the kernel's statistics move, and serves them over "
             "QMP.",
    .tables = {options_table},
    .notes = "SIGUSR1 pauses the guest, or lets it go on. SIGINT, SIGTERM and SIGHUP end the "
             "program.\n"
             "\n"
             "Example:\n"
             "  vitals demo --qmp /tmp/vitals.sock &\n"
             "  socat READLINE UNIX-CONNECT:/tmp/vitals.sock\n"
             "  {\"execute\": \"qmp_capabilities\"}\n"
             "  {\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vm\"}}",
    .run = run,
};
