/* SPDX-License-Identifier: MIT */
#include "look/look.h"

#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct look_options, member)

/* ---- tables --------------------------------------------------------------------------------- */

const struct cli_option look_socket_options[] = {
    {.name = "socket",
     .kind = CLI_TEXTS,
     .at = AT(sockets),
     .argument = "PATH",
     .words = CLI_FILES,
     .help = "QMP socket of the VM: of vitals, or of QEMU 7.1 or later; can be given again; a "
             "directory or a pattern stands for the QMP sockets in it (default: $VITALS_SOCKET, "
             "parted by colons)"},
    {.name = "host",
     .kind = CLI_FLAG,
     .at = AT(is_host),
     .help = "all VMs of this host, of any VMM, read from the kernel; needs root, or CAP_BPF and "
             "CAP_PERFMON (default: without --socket and $VITALS_SOCKET)"},
    {.name = "timeout",
     .kind = CLI_SECONDS,
     .at = AT(timeout),
     .argument = "S",
     .help = "how long to wait for the VM, each time (default: 5)"},
    {0},
};

const struct cli_option look_vm_options[] = {
    {.name = "vm",
     .kind = CLI_TEXTS,
     .at = AT(vms),
     .argument = "NAME",
     .words = CLI_VMS,
     .help = "only VMs of this name or UUID, or whose names match this glob; can be given again"},
    {0},
};

const struct cli_option look_stat_options[] = {
    {.name = "target",
     .kind = CLI_TEXT,
     .at = AT(target),
     .argument = "TARGET",
     .choices = "vm vcpu all",
     .is_open = true,
     .help = "vm, vcpu, another that the VM has, or all (default: all)"},
    {.name = "provider",
     .kind = CLI_TEXT,
     .at = AT(provider),
     .argument = "NAME",
     .words = CLI_PROVIDERS,
     .help = "only statistics of this provider"},
    {.name = "stat",
     .kind = CLI_LIST,
     .at = AT(globs),
     .argument = "GLOB",
     .words = CLI_STATISTICS,
     .help = "only statistics whose names match: GLOB,...; can be given again"},
    {0},
};

const struct cli_option look_object_options[] = {
    {.name = "vcpu",
     .kind = CLI_LIST,
     .at = AT(vcpus),
     .argument = "N|PATH",
     .words = CLI_VCPUS,
     .help = "only this vCPU, or these: 0-3,7; can be given again"},
    {.name = "object",
     .kind = CLI_TEXTS,
     .at = AT(objects),
     .argument = "PATH",
     .words = CLI_OBJECTS,
     .help = "only this object of a target beside vm and vcpu; can be given again"},
    {0},
};

const struct cli_option look_row_options[] = {
    {.name = "total",
     .at = AT(is_total),
     .help = "sums: of the vCPUs of each VM, and where there are several VMs, of all of them"},
    {.name = "sort",
     .kind = CLI_CHOICE,
     .at = AT(order),
     .argument = "ORDER",
     .choices = "given name value",
     .help = "by name, or by value: the largest first, counts before times before bytes (default: "
             "given, by VM)"},
    {.name = "top",
     .kind = CLI_COUNT,
     .at = AT(top),
     .argument = "N",
     .help = "only the first N; without --sort, the N largest counts, times and so on"},
    {0},
};

const struct cli_option look_turn_options[] = {
    {.name = "interval",
     .letter = 'i',
     .kind = CLI_SECONDS,
     .at = AT(interval),
     .argument = "S",
     .help = "seconds from one output to the next, or 500ms, 1m (default: 1)"},
    {.name = "count",
     .letter = 'n',
     .kind = CLI_COUNT,
     .at = AT(count),
     .argument = "N",
     .help = "end after N outputs (default: 1; with -i: go on)"},
    {.name = "hold",
     .at = AT(holds),
     .help = "keep the connection to QEMU from one output to the next; without it, QEMU is let go "
             "where the interval is 2 s or more"},
    {0},
};

const struct cli_option look_output_options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_CHOICE,
     .at = AT(format),
     .argument = "FORMAT",
     .choices = "table json csv",
     .help = "table, json or csv (default: table)"},
    {.name = "json",
     .kind = CLI_CONSTANT,
     .at = AT(format),
     .constant = OUTPUT_JSON,
     .help = "the same as -o json"},
    {.name = "no-legend", .at = AT(no_legend), .help = "table and csv: no line of titles"},
    {0},
};

void look_arrange(const struct look_options *options, struct row_list *rows,
                  bool (*is_shown)(const struct row *row))
{
    enum row_order order = options->order;

    if (options->top && order == ROW_ORDER_GIVEN)
        order = ROW_ORDER_VALUE;
    if (options->is_total)
        row_list_add_up(rows);
    if (is_shown)
        row_list_choose(rows, is_shown);
    row_list_sort(rows, order);
    if (options->top)
        row_list_cut(rows, order, options->top);
}

/* ---- after all of them ---------------------------------------------------------------------- */

unsigned look_timeout_ms(const struct look_options *options)
{
    return options->timeout > 0 ? (unsigned)(options->timeout * 1000) : CLIENT_TIMEOUT_MS;
}

static int check_objects(const struct look_options *options)
{
    if (!options->objects.n)
        return 0;
    if (options->vcpus.n)
        return cli_usage_error(options->command, "--object and --vcpu exclude each other");
    if (options->target && (!strcmp(options->target, "vm") || !strcmp(options->target, "vcpu")))
        return cli_usage_error(options->command, "--object and --target %s exclude each other",
                               options->target);
    return 0;
}

/* An empty path is that of a shell's variable which is not set. */
int look_complete_options(struct look_options *options)
{
    const char *path = getenv("VITALS_SOCKET");

    options->default_socket = path && *path && !options->sockets.n ? path : NULL;
    for (size_t i = 0; i < options->sockets.n; i++)
        if (!*options->sockets.all[i])
            return cli_usage_error(options->command, "--socket: the path is missing");
    if (check_objects(options))
        return EXIT_USAGE;
    if (options->vcpus.n && options->target && strcmp(options->target, "vcpu") != 0 &&
        strcmp(options->target, "all") != 0)
        return cli_usage_error(options->command, "--vcpu and --target %s exclude each other",
                               options->target);
    if (options->vcpus.n)
        options->target = "vcpu";
    if (options->target && strcmp(options->target, "all") == 0)
        options->target = NULL;
    return 0;
}
