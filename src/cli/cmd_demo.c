/* SPDX-License-Identifier: MIT */
/* `vitals demo`: the options of the program that is in demo/demo.c. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args/cli.h"
#include "demo/demo.h"

#define VCPUS_DEFAULT 5
#define SECONDS_MAX   1e9

enum option_key {
    OPT_VCPUS = 1,
    OPT_GUEST,
    OPT_QMP,
    OPT_NAME,
    OPT_UUID,
    OPT_SECONDS,
    OPT_PAUSE_AFTER,
    OPT_RECORD,
    OPT_RECORDING,
};

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)

static const struct cli_option options_table[] = {
    {.name = "vcpus",
     .key = OPT_VCPUS,
     .argument = "N",
     .help = "number of vCPUs, 1 to " TEXT(
         DEMO_RUNNING_VCPUS_MAX) "; with --guest none "
                                 "to " TEXT(DEMO_VCPUS_MAX) " (default: " TEXT(VCPUS_DEFAULT) ")"},
    {.name = "guest",
     .key = OPT_GUEST,
     .argument = "KIND",
     .choices = "work spin halted none",
     .help = "what the guest does (default: work)\n"
             "work    halts, exits, interrupts and page faults, with pauses\n"
             "spin    computes without end: one host CPU for each vCPU\n"
             "halted  sleeps without end\n"
             "none    vCPUs are created and never run"},
    {.name = "qmp",
     .key = OPT_QMP,
     .argument = "PATH[,dialect=grouped|flat][,mode=OCTAL]",
     .words = CLI_FILES,
     .help = "unix socket to serve on; can be given " TEXT(
         DEMO_SOCKETS_MAX) " times (default: "
                           "vitals-demo-PID.sock in $XDG_RUNTIME_DIR or /tmp, mode 0600)"},
    {.name = "name", .key = OPT_NAME, .argument = "NAME", .help = "name of the VM (default: demo)"},
    {.name = "uuid", .key = OPT_UUID, .argument = "UUID", .help = "UUID of the VM (default: none)"},
    {.name = "seconds", .key = OPT_SECONDS, .argument = "S", .help = "end after S seconds"},
    {.name = "pause-after",
     .key = OPT_PAUSE_AFTER,
     .argument = "S",
     .help = "pause the guest after S seconds"},
    {.name = "record",
     .key = OPT_RECORD,
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "write the statistics files of the VM to DIR, once a second"},
    {.name = "recording",
     .key = OPT_RECORDING,
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "run no guest, and show what --record wrote, at the same pace: needs no /dev/kvm"},
    {0},
};

static const struct {
    const char *name;
    unsigned vcpus_max;
} guests[] = {
    [DEMO_GUEST_WORK] = {"work", DEMO_RUNNING_VCPUS_MAX},
    [DEMO_GUEST_SPIN] = {"spin", DEMO_RUNNING_VCPUS_MAX},
    [DEMO_GUEST_HALTED] = {"halted", DEMO_RUNNING_VCPUS_MAX},
    [DEMO_GUEST_NONE] = {"none", DEMO_VCPUS_MAX},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int parse_vcpus(const char *command, const char *text, unsigned *ret_n)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > DEMO_VCPUS_MAX)
        return cli_usage_error(command, "--vcpus: '%s' is no number from 1 to %d", text,
                               DEMO_VCPUS_MAX);
    *ret_n = (unsigned)n;
    return 0;
}

static int parse_guest(const char *command, const char *text, struct demo_options *options)
{
    for (size_t i = 0; i < COUNT(guests); i++) {
        if (strcmp(text, guests[i].name) == 0) {
            options->guest = (enum demo_guest)i;
            options->guest_name = guests[i].name;
            return 0;
        }
    }
    return cli_usage_error(command, "--guest: unknown guest '%s'; there is: work spin halted none",
                           text);
}

static int parse_seconds(const char *command, const char *option, const char *text,
                         double *ret_seconds)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds > 0) || seconds > SECONDS_MAX)
        return cli_usage_error(command, "--%s: '%s' is no number of seconds above 0", option, text);
    *ret_seconds = seconds;
    return 0;
}

static int add_socket(const char *command, char *text, struct demo_options *options)
{
    char error[CLI_ERROR_MAX];

    if (options->n_sockets == DEMO_SOCKETS_MAX)
        return cli_usage_error(command, "--qmp: no more than %d sockets", DEMO_SOCKETS_MAX);
    if (cli_parse_qmp(text, &options->sockets[options->n_sockets], error) < 0)
        return cli_usage_error(command, "--qmp: %s", error);
    options->n_sockets++;
    return 0;
}

static int parse_option(const char *command, int key, char *text, struct demo_options *options)
{
    switch (key) {
    case OPT_VCPUS:
        return parse_vcpus(command, text, &options->n_vcpus);
    case OPT_GUEST:
        return parse_guest(command, text, options);
    case OPT_QMP:
        return add_socket(command, text, options);
    case OPT_NAME:
        options->name = text;
        return 0;
    case OPT_UUID:
        options->uuid = text;
        return 0;
    case OPT_SECONDS:
        return parse_seconds(command, "seconds", text, &options->seconds);
    case OPT_PAUSE_AFTER:
        return parse_seconds(command, "pause-after", text, &options->pause_after);
    case OPT_RECORD:
        options->record = text;
        return 0;
    case OPT_RECORDING:
        options->recording = text;
        return 0;
    default:
        return cli_try_help(command);
    }
}

/* What depends on more than one option. The default of an option that was not given is set here. */
static int complete(const char *command, struct demo_options *options)
{
    if (options->recording && (options->n_vcpus || options->guest_name || options->record))
        return cli_usage_error(command, "--recording runs no guest, so --vcpus, --guest and "
                                        "--record can't be given with it");
    if (!options->n_vcpus)
        options->n_vcpus = VCPUS_DEFAULT;
    if (!options->guest_name)
        options->guest_name = guests[options->guest].name;
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
    struct demo_options options = {.name = "demo", .guest = DEMO_GUEST_WORK};
    char path[PATH_MAX];
    int key, status;

    while ((key = cli_next(args)) > 0)
        if ((status = parse_option(args->command, key, args->text, &options)) != 0)
            return status;
    if (key < 0)
        return args->status;
    if ((status = cli_no_operands(args)) != 0 || (status = complete(args->command, &options)) != 0)
        return status;
    if (options.n_sockets == 0)
        add_default_socket(&options, path);
    return demo_run(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
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
