/* SPDX-License-Identifier: MIT */
/* `vitals serve`: finds the daemon, which is a program of its own, and becomes it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args/cli.h"
#include "serve/options.h"

#define DAEMON "vitals-serve"

/* Where it was built, both stand side by side. False: this program can't be found. */
static bool find_beside(char path[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - sizeof(DAEMON));
    char *slash;

    if (len < 0)
        return false;
    path[len] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        strcpy(slash + 1, DAEMON);
    return slash;
}

static int execute(struct cli_args *args)
{
    char beside[PATH_MAX], name[] = DAEMON;

    args->argv[0] = name;
    if (find_beside(beside))
        execv(beside, args->argv);
    execv(VITALS_DAEMON, args->argv);
    fprintf(stderr, "%s: %s: %s\n", args->command, VITALS_DAEMON, strerror(errno));
    if (errno == ENOENT)
        fprintf(stderr,
                "  The daemon is not installed: it may be a package of its own, or not built "
                "here for want of libsystemd or libmicrohttpd.\n");
    return EXIT_FAILURE;
}

static int run(struct cli_args *args)
{
    struct serve_options options = {0};
    bool executes = cli_parse(args, &options);

    cli_free(args->verb, &options);
    return executes ? execute(args) : args->status;
}

const struct verb verb_serve = {
    .name = "serve",
    .summary = "give each VM of this host a read-only socket",
    .about = "The daemon of this host: gives each VM, of any VMM, sockets of its own that can be "
             "asked for its statistics and for nothing else. DIR/vms/NAME/qmp.sock speaks dialect "
             "grouped, qemu.sock dialect flat, as QEMU 7.1 and later do. It runs in the foreground "
             "until a signal ends it.",
    .tables = {serve_option_table},
    .notes = "It is started by root, or with CAP_BPF, CAP_PERFMON and /dev/kvm, and keeps none of "
             "it. Where there is no group, the sockets are for the daemon's own user alone. The "
             "owner of a VM may use its sockets if that is a person by /etc/login.defs.\n"
             "\n"
             "Exit status: 0 if a signal ended it, 1 if something went wrong, 2 for wrong usage.",
    .run = run,
};
