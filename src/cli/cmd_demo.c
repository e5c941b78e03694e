/* SPDX-License-Identifier: MIT */
/* `vitals demo`: the options of the program that is in demo/demo.c. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "demo/demo.h"

#define VCPUS_DEFAULT 5
#define SECONDS_MAX   1e9

static int print_help(void)
{
    int n = printf(
        "Usage: vitals demo [OPTION]...\n"
        "Runs a small VM whose guest makes the kernel's statistics move, and serves them over QMP.\n"
        "\n"
        "  --vcpus N        number of vCPUs, 1 to %d; with --guest none to %d (default: %d)\n"
        "  --guest KIND     what the guest does (default: work)\n"
        "                     work    halts, exits, interrupts and page faults, with pauses\n"
        "                     spin    computes without end: one host CPU for each vCPU\n"
        "                     halted  sleeps without end\n"
        "                     none    vCPUs are created and never run\n"
        "  --qmp PATH[,dialect=grouped|flat][,mode=OCTAL]\n"
        "                   unix socket to serve on; can be given %d times (default:\n"
        "                     vitals-demo-PID.sock in $XDG_RUNTIME_DIR or /tmp, mode 0600)\n"
        "  --name NAME      name of the VM (default: demo)\n"
        "  --uuid UUID      UUID of the VM (default: none)\n"
        "  --seconds S      end after S seconds\n"
        "  --pause-after S  pause the guest after S seconds\n"
        "  --record DIR     write the statistics files of the VM to DIR, once a second\n"
        "  --recording DIR  run no guest, and show what --record wrote, at the same pace:\n"
        "                     needs no /dev/kvm\n"
        "  --help           print this\n"
        "\n"
        "SIGUSR1 pauses the guest, or lets it go on. SIGINT, SIGTERM and SIGHUP end the program.\n"
        "\n"
        "Example:\n"
        "  vitals demo --qmp /tmp/vitals.sock &\n"
        "  socat READLINE UNIX-CONNECT:/tmp/vitals.sock\n"
        "  {\"execute\": \"qmp_capabilities\"}\n"
        "  {\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vm\"}}\n",
        DEMO_RUNNING_VCPUS_MAX, DEMO_VCPUS_MAX, VCPUS_DEFAULT, DEMO_SOCKETS_MAX);

    return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

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
    OPT_HELP,
};

static const struct option long_options[] = {
    {"vcpus", required_argument, NULL, OPT_VCPUS},
    {"guest", required_argument, NULL, OPT_GUEST},
    {"qmp", required_argument, NULL, OPT_QMP},
    {"name", required_argument, NULL, OPT_NAME},
    {"uuid", required_argument, NULL, OPT_UUID},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"pause-after", required_argument, NULL, OPT_PAUSE_AFTER},
    {"record", required_argument, NULL, OPT_RECORD},
    {"recording", required_argument, NULL, OPT_RECORDING},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
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

static int parse_option(const char *command, int key, struct demo_options *options)
{
    switch (key) {
    case OPT_VCPUS:
        return parse_vcpus(command, optarg, &options->n_vcpus);
    case OPT_GUEST:
        return parse_guest(command, optarg, options);
    case OPT_QMP:
        return add_socket(command, optarg, options);
    case OPT_NAME:
        options->name = optarg;
        return 0;
    case OPT_UUID:
        options->uuid = optarg;
        return 0;
    case OPT_SECONDS:
        return parse_seconds(command, "seconds", optarg, &options->seconds);
    case OPT_PAUSE_AFTER:
        return parse_seconds(command, "pause-after", optarg, &options->pause_after);
    case OPT_RECORD:
        options->record = optarg;
        return 0;
    case OPT_RECORDING:
        options->recording = optarg;
        return 0;
    default:
        return cli_try_help(command); /* getopt_long() has said what is wrong */
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

int cmd_demo(int argc, char **argv)
{
    struct demo_options options = {.name = "demo", .guest = DEMO_GUEST_WORK};
    char path[PATH_MAX];
    int key, status;

    while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (key == OPT_HELP)
            return print_help();
        if ((status = parse_option(argv[0], key, &options)) != 0)
            return status;
    }
    if (optind < argc)
        return cli_usage_error(argv[0], "unexpected argument '%s'", argv[optind]);
    if ((status = complete(argv[0], &options)) != 0)
        return status;
    if (options.n_sockets == 0)
        add_default_socket(&options, path);
    return demo_run(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
