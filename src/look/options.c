/* SPDX-License-Identifier: MIT */
#include "look/look.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1e6

/* ---- tables --------------------------------------------------------------------------------- */

const struct cli_option look_socket_options[] = {
    {.name = "socket",
     .key = LOOK_OPT_SOCKET,
     .argument = "PATH",
     .words = CLI_FILES,
     .help = "QMP socket of the VM: of vitals, or of QEMU 7.1 or later; can be given again; a "
             "directory stands for all sockets in it (default: $VITALS_SOCKET)"},
    {.name = "timeout",
     .key = LOOK_OPT_TIMEOUT,
     .argument = "S",
     .help = "how long to wait for the VM, each time (default: 5)"},
    {0},
};

const struct cli_option look_stat_options[] = {
    {.name = "target",
     .key = LOOK_OPT_TARGET,
     .argument = "TARGET",
     .choices = "vm vcpu all",
     .help = "vm, vcpu or all (default: all)"},
    {.name = "provider",
     .key = LOOK_OPT_PROVIDER,
     .argument = "NAME",
     .help = "only statistics of this provider"},
    {.name = "stat",
     .key = LOOK_OPT_STAT,
     .argument = "GLOB",
     .help = "only statistics whose names match; can be given again"},
    {0},
};

const struct cli_option look_vcpu_options[] = {
    {.name = "vcpu",
     .key = LOOK_OPT_VCPU,
     .argument = "N|PATH",
     .help = "only this vCPU; can be given again"},
    {0},
};

const struct cli_option look_output_options[] = {
    {.name = "output",
     .letter = 'o',
     .key = LOOK_OPT_OUTPUT,
     .argument = "FORMAT",
     .choices = "table json csv",
     .help = "table, json or csv (default: table)"},
    {.name = "json", .key = LOOK_OPT_JSON, .help = "the same as -o json"},
    {.name = "no-legend", .key = LOOK_OPT_NO_LEGEND, .help = "table and csv: no line of titles"},
    {0},
};

/* ---- parsing -------------------------------------------------------------------------------- */

static int parse_target(struct look_options *options, const char *text)
{
    if (strcmp(text, "vm") != 0 && strcmp(text, "vcpu") != 0 && strcmp(text, "all") != 0)
        return cli_usage_error(options->command,
                               "--target: unknown target '%s'; there is: vm vcpu all", text);
    options->target = strcmp(text, "all") != 0 ? text : NULL;
    return 0;
}

int look_parse_seconds(const char *command, const char *option, const char *text,
                       double *ret_seconds)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0.001) || seconds > SECONDS_MAX)
        return cli_usage_error(command, "%s: '%s' is no number of seconds from 0.001 to %g", option,
                               text, SECONDS_MAX);
    *ret_seconds = seconds;
    return 0;
}

int look_parse_count(const char *command, const char *option, const char *text,
                     unsigned long *ret_count)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || count < 1 || count == ULONG_MAX)
        return cli_usage_error(command, "%s: '%s' is no number from 1 on", option, text);
    *ret_count = count;
    return 0;
}

static int parse_timeout(struct look_options *options, const char *text)
{
    double seconds;
    int status = look_parse_seconds(options->command, "--timeout", text, &seconds);

    if (status == 0)
        options->timeout_ms = (unsigned)(seconds * 1000);
    return status;
}

int look_parse_option(struct look *look, int key, const char *text)
{
    struct look_options *options = &look->options;

    switch (key) {
    case LOOK_OPT_SOCKET:
        if (!*text) /* as that of a shell's variable which is not set */
            return cli_usage_error(options->command, "--socket: the path is missing");
        options->sockets[options->n_sockets++] = text;
        return 0;
    case LOOK_OPT_TARGET:
        return parse_target(options, text);
    case LOOK_OPT_VCPU:
        options->vcpus[options->n_vcpus++] = text;
        return 0;
    case LOOK_OPT_PROVIDER:
        options->provider = text;
        return 0;
    case LOOK_OPT_STAT:
        options->globs[options->n_globs++] = text;
        return 0;
    case LOOK_OPT_NO_LEGEND:
        options->no_legend = true;
        return 0;
    case LOOK_OPT_JSON:
        options->format = OUTPUT_JSON;
        return 0;
    case LOOK_OPT_TIMEOUT:
        return parse_timeout(options, text);
    case LOOK_OPT_OUTPUT:
        if (output_format_parse(text, &options->format) < 0)
            return cli_usage_error(options->command,
                                   "-o: unknown format '%s'; there is: table json csv", text);
        return 0;
    default:
        return cli_try_help(options->command);
    }
}
