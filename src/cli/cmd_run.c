/* SPDX-License-Identifier: MIT */
/* `vitals run`: becomes a VMM, with the shim in it and a process beside it that shows its VMs. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "args/cli.h"
#include "base/count.h"
#include "base/text.h"
#include "host/kernel_version.h"
#include "host/run_path.h"
#include "run/keeper.h"
#include "run/program.h"

#define SHIM "vitals-run.so"

/* As other programs that execute one: env(1), nice(1). */
enum { EXIT_CANNOT = 126, EXIT_NOT_FOUND = 127 };

struct run_options {
    const char *name, *run_directory, *socket_directory;
    struct cli_texts command;
};

/* Paths that are made of the environment's. */
struct paths {
    char shim[PATH_MAX], program[PATH_MAX], user[PATH_MAX], daemon[PATH_MAX], own[PATH_MAX];
};

/* ---- where ---------------------------------------------------------------------------------- */

/* Where it was built, it is in the directory of the library. */
static bool find_shim(char path[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - sizeof("src/" SHIM));
    char *slash;

    path[len < 0 ? 0 : len] = '\0';
    slash = strrchr(path, '/');
    if (slash) {
        strcpy(slash + 1, "src/" SHIM);
        if (access(path, R_OK) == 0)
            return true;
    }
    snprintf(path, PATH_MAX, "%s", VITALS_RUN_SHIM);
    return access(path, R_OK) == 0;
}

/* The process beside the VMM has another working directory. */
static void make_absolute(const char *path, char ret_path[PATH_MAX])
{
    char here[PATH_MAX];

    if (path[0] != '/' && getcwd(here, sizeof(here)))
        snprintf(ret_path, PATH_MAX, "%.*s/%s", (int)strnlen(here, PATH_MAX / 2), here, path);
    else
        snprintf(ret_path, PATH_MAX, "%s", path);
}

/* An option names one daemon; else it is the user's own, or that of the host. */
static void find_daemons(const struct run_options *options, struct paths *paths,
                         struct run_place *place)
{
    const char *given = options->run_directory, *named = getenv("VITALS_RUN_DIR");
    bool is_named = given || (named && *named);
    size_t n = 0;

    if (!is_named && paths->user[0])
        place->daemons[n++] = paths->user;
    make_absolute(given ? given : host_run_directory(), paths->daemon);
    place->daemons[n] = paths->daemon;
}

/* The directory that the system gives the user, or that of the intake, which is of this run alone. */
static void find_own(const struct run_options *options, const struct intake *intake,
                     struct paths *paths)
{
    const char *given = options->socket_directory;

    if (!given)
        given = paths->user[0] ? paths->user : intake->directory;
    make_absolute(given, paths->own);
}

static bool has_daemon(const struct run_place *place)
{
    for (size_t i = 0; i < COUNT(place->daemons); i++)
        if (place->daemons[i] && registration_is_possible(place->daemons[i]))
            return true;
    return false;
}

/* ---- the command ---------------------------------------------------------------------------- */

/* Before others that are preloaded: they see what is left of the call. */
static int set_environment(const char *shim, const char *socket)
{
    const char *others = getenv("LD_PRELOAD");
    char *all;
    int err = 0;

    if (asprintf(&all, "%s%s%s", shim, others && *others ? ":" : "", others ? others : "") < 0)
        return -ENOMEM;
    if (setenv("LD_PRELOAD", all, true) < 0 || setenv(RUN_VARIABLE, socket, true) < 0)
        err = -errno;
    free(all);
    return err;
}

/* The VM matters more than its statistics: whatever is said here, it is started. */
static void warn(const struct cli_args *args, const struct paths *paths, bool has_daemon)
{
    const char *why = program_why_not(paths->program);

    if (why)
        fprintf(stderr,
                "%s: %s %s, so its VMs are not seen\n"
                "  The daemon of a host, or root, sees them all the same.\n",
                args->command, paths->program, why);
    else if (!has_daemon)
        fprintf(stderr, "%s: no daemon takes VMs here: they get sockets in %s\n", args->command,
                paths->own);
}

static int fail(const struct cli_args *args, int status, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", args->command, what, why);
    return status;
}

static char **words_of(const struct cli_texts *command)
{
    char **words = calloc(command->n + 1, sizeof(*words));

    for (size_t i = 0; words && i < command->n; i++)
        words[i] = (char *)(uintptr_t)command->all[i];
    return words;
}

static int execute(const struct cli_args *args, const struct run_options *options,
                   const char *program)
{
    char **words = words_of(&options->command);
    int err;

    if (!words)
        return fail(args, EXIT_CANNOT, program, strerror(ENOMEM));
    execvp(words[0], words);
    err = errno;
    free(words);
    return fail(args, err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT, program, strerror(err));
}

/*
 * The process beside the VMM reads files that may outlive the VM. False: the kernel can't be trusted with
 * that. One whose version does not tell whether it has been repaired is the user's risk.
 */
static bool check_kernel(const struct cli_args *args)
{
    struct kernel_version kernel;
    struct utsname names;

    if (uname(&names) < 0 || !kernel_version_parse(names.release, names.version, &kernel) ||
        kernel_version_is_repaired(&kernel))
        return true;
    fprintf(stderr, "%s: %s %s crash where a statistics file outlives its VM%s\n", args->command,
            kernel.name, kernel.hides_repairs ? "may" : "can",
            kernel.hides_repairs ? "" : ", so its VMs are not seen");
    return kernel.hides_repairs;
}

static int run_with_shim(const struct cli_args *args, const struct run_options *options,
                         struct paths *paths)
{
    struct run_place place = {.name = options->name};
    struct intake intake;
    struct error_text error;
    int err;

    if (intake_open(&intake, &error))
        return fail(args, EXIT_CANNOT, "its socket", error.text);
    find_daemons(options, paths, &place);
    find_own(options, &intake, paths);
    place.own = paths->own;
    warn(args, paths, has_daemon(&place));
    err = keeper_start(&place, &intake, &error);
    if (err) {
        intake_close(&intake);
        return fail(args, EXIT_CANNOT, "the process beside it", error.text);
    }
    if (set_environment(paths->shim, intake.path) < 0)
        return fail(args, EXIT_CANNOT, "the environment", strerror(ENOMEM));
    return execute(args, options, paths->program);
}

/* ---- the verb ------------------------------------------------------------------------------- */

static bool is_good_name(const char *name)
{
    return !name || (*name && strlen(name) < IDENTITY_NAME_MAX && text_is_plain(name) &&
                     !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
}

static int check(const struct cli_args *args, const struct run_options *options)
{
    if (!options->command.n)
        return cli_usage_error(args->command, "the command is missing");
    if (!is_good_name(options->name))
        return cli_usage_error(args->command,
                               "--name: '%s' is not 1 to %d bytes of text without '/'",
                               options->name, IDENTITY_NAME_MAX - 1);
    return 0;
}

static int start(const struct cli_args *args, const struct run_options *options)
{
    const char *user = getenv("XDG_RUNTIME_DIR"), *name = options->command.all[0];
    struct paths paths = {0};
    int err = program_find(name, paths.program);

    if (err)
        return fail(args, EXIT_NOT_FOUND, name, strerror(-err));
    if (!find_shim(paths.shim))
        return fail(args, EXIT_CANNOT, paths.shim, strerror(errno));
    if (!check_kernel(args))
        return execute(args, options, paths.program);
    if (user && user[0] == '/')
        snprintf(paths.user, sizeof(paths.user), "%s/vitals", user);
    return run_with_shim(args, options, &paths);
}

static int run(struct cli_args *args)
{
    struct run_options options = {0};

    if (cli_parse(args, &options)) {
        args->status = check(args, &options);
        if (args->status == 0)
            args->status = start(args, &options);
    }
    cli_free(args->verb, &options);
    return args->status;
}

#define AT(member) offsetof(struct run_options, member)

static const struct cli_option options_table[] = {
    {.name = "name",
     .kind = CLI_TEXT,
     .at = AT(name),
     .argument = "NAME",
     .help = "what its VM is called (default: as its command line says)"},
    {.name = "run-dir",
     .kind = CLI_TEXT,
     .at = AT(run_directory),
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "the directory of the daemon that takes its VMs (default: VITALS_RUN_DIR; else "
             "$XDG_RUNTIME_DIR/vitals, then /run/vitals)"},
    {.name = "socket-dir",
     .kind = CLI_TEXT,
     .at = AT(socket_directory),
     .argument = "DIR",
     .words = CLI_DIRECTORIES,
     .help = "where its VMs get sockets of their own if there is no daemon (default: "
             "$XDG_RUNTIME_DIR/vitals)"},
    {0},
};

const struct verb verb_run = {
    .name = "run",
    .summary = "run a VMM as it is, and show its VMs without any privilege",
    .operands = "-- COMMAND...",
    .operand_words = CLI_FILES,
    .operands_at = AT(command),
    .operands_are_command = true,
    .about =
        "Executes a VMM that knows nothing of vitals, with a small library in it that opens "
        "the statistics files of its VMs as it makes them. A process beside it registers them "
        "with the daemon of this user or of the host, as 'vitals serve' runs it, or gives each "
        "a socket of its own if there is none: DIR/NAME-PID.sock.",
    .tables = {options_table},
    .notes =
        "The VMM must be linked dynamically, and gain no rights when it is started. The daemon "
        "of a host, run by root, sees VMs without any of this.\n"
        "\n"
        "Exit status: that of the command; 126 or 127 if it could not be started, 2 for wrong "
        "usage.",
    .run = run,
};
