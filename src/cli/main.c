/* SPDX-License-Identifier: MIT */
/* `vitals VERB`: finds the verb and runs it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args/cli.h"
#include "args/suggestion.h"
#include "vitals/vitals.h"
#include "base/count.h"
#include "look/names.h"
#include "show/output.h"

#define COMMAND_MAX 64

enum { SUMMARY_COLUMN = 14 };

/* clang-format off */
/* In the order of the help. */
#define VERBS(VERB)                                                                                \
    VERB(completion)                                                                               \
    VERB(demo)                                                                                     \
    VERB(describe)                                                                                 \
    VERB(diff)                                                                                     \
    VERB(doctor)                                                                                   \
    VERB(export)                                                                                   \
    VERB(hist)                                                                                     \
    VERB(list)                                                                                     \
    VERB(run)                                                                                      \
    VERB(schemas)                                                                                  \
    VERB(serve)                                                                                    \
    VERB(snap)                                                                                     \
    VERB(stats)                                                                                    \
    VERB(top)
/* clang-format on */

#define DECLARE(name)    extern const struct verb verb_##name;
#define ADDRESS_OF(name) &verb_##name,

VERBS(DECLARE)
static const struct verb *const verbs[] = {VERBS(ADDRESS_OF)};

static int run_completion(struct cli_args *args);

const struct verb verb_completion = {
    .name = "completion",
    .summary = "print the completion for a shell",
    .operands = "bash|zsh|fish",
    .operand_choices = "bash zsh fish",
    .about =
        "Prints what makes the shell complete verbs, options, and what stands behind them: files, "
        "and the names of VMs, vCPUs, providers and statistics, of the sockets that are named or "
        "of this host.",
    .notes = "bash: source <(vitals completion bash)\n"
             "zsh:  source <(vitals completion zsh)\n"
             "fish: vitals completion fish | source",
    .run = run_completion,
};

static int run_completion(struct cli_args *args)
{
    const struct cli_naming naming = {verbs, COUNT(verbs), look_offer_names};

    return cli_print_completion(args, &naming);
}

static int print_help(void)
{
    cli_wrap("Usage: vitals VERB [OPTION]...\n"
             "Publishes the statistics of virtual machines over QMP.\n",
             0);
    for (size_t i = 0; i < COUNT(verbs); i++)
        cli_wrap_behind((size_t)printf("  %s", verbs[i]->name), verbs[i]->summary, SUMMARY_COLUMN);
    putchar('\n');
    cli_wrap(
        "vitals VERB --help (or: vitals help VERB) says what the verb takes; its options may also "
        "stand before it. vitals --version prints the version; -h and -V are the same.",
        0);
    return EXIT_SUCCESS;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (strcmp(name, verbs[i]->name) == 0)
            return verbs[i];
    }
    return NULL;
}

static int refuse_verb(const char *name)
{
    struct suggestion similar = {.meant = name};

    for (size_t i = 0; i < COUNT(verbs); i++)
        suggestion_consider(&similar, verbs[i]->name);
    if (similar.name)
        return cli_usage_error("vitals", "unknown verb '%s'; did you mean '%s'?", name,
                               similar.name);
    return cli_usage_error("vitals", "unknown verb '%s'", name);
}

/* getopt_long() and the verb's own messages begin with argv[0], in whose place there is something. */
static int run_verb(const char *name, int argc, char **argv)
{
    const struct verb *verb = find_verb(name);
    char command[COMMAND_MAX];

    if (!verb)
        return refuse_verb(name);
    snprintf(command, sizeof(command), "vitals %s", verb->name);
    argv[0] = command;
    return verb->run(
        &(struct cli_args){.verb = verb, .command = command, .argc = argc, .argv = argv});
}

static int run_help(const char *name)
{
    char option[] = "--help";
    char *argv[] = {NULL, option, NULL};

    return run_verb(name, 2, argv);
}

/* @last is the last of the options. */
static int run_without_verb(int argc, char **argv, const struct cli_option *last)
{
    if (last == &cli_common_options[0])
        return print_help();
    if (last == &cli_common_options[1])
        return cli_print_version();
    if (!last && argc > 1)
        return cli_usage_error("vitals", "unknown option '%s'", argv[argc - 1]);
    return cli_usage_error("vitals", "the verb is missing");
}

/* What stands before the verb is given to it first. */
static int run(int argc, char **argv)
{
    const struct cli_option *last;
    int at = cli_find_verb(argc, argv, verbs, COUNT(verbs), &last);
    char *name = argv[at];

    if (at == argc)
        return run_without_verb(argc, argv, last);
    if (strcmp(name, "help") == 0)
        return at + 1 < argc && argv[at + 1][0] != '-' ? run_help(argv[at + 1]) : print_help();
    memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof(*argv));
    return run_verb(name, argc - 1, argv + 1);
}

/*
 * A file that is opened where standard output is closed would become it, and what is meant for a
 * person would be written to a VM. What takes its place can't be used: reading and writing fail, as
 * they do now.
 */
static void occupy_closed_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_FAILURE);
}

/* What was printed may still fail to reach its file: a full disk is an error, too. */
int main(int argc, char **argv)
{
    int status;

    occupy_closed_files();
    status = run(argc, argv);
    return output_flush() ? status : EXIT_FAILURE;
}
