/* SPDX-License-Identifier: MIT */
/* The options and operands of a verb: found, and explained, from the verb's tables. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "args/suggestion.h"
#include "base/wrap.h"
#include "vitals/vitals.h"

enum {
    OPTIONS_MAX = 64,
    KEY_FIRST = 256, /* of the options, in their order; below are letters */
    USAGE_INDENT = 7,
    HELP_INDENT = 24,
    ROOM_MIN = 24,
    NARROW_INDENT = 10,
};

/* ---- help ----------------------------------------------------------------------------------- */

void cli_wrap(const char *text, size_t indent)
{
    struct buf out = {0};

    wrap_put(&out, text, indent, wrap_width());
    fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
}

void cli_wrap_behind(size_t head, const char *text, size_t column)
{
    size_t indent = wrap_width() >= column + ROOM_MIN ? column : NARROW_INDENT;

    printf(head + 1 > indent ? "\n%*s" : "%*s", (int)(head + 1 > indent ? indent : indent - head),
           "");
    cli_wrap(text, indent);
}

static void print_option(const struct cli_option *option)
{
    char head[64];
    int n =
        snprintf(head, sizeof(head), "  %c%c%s--%s%s%s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
                 option->argument ? " " : "", option->argument ? option->argument : "");

    printf("%s", head);
    cli_wrap_behind((size_t)n, option->help, HELP_INDENT);
}

int cli_print_help(const struct verb *verb)
{
    char usage[128];

    snprintf(usage, sizeof(usage), "vitals %s [OPTION]...%s%s", verb->name,
             verb->operands ? " " : "", verb->operands ? verb->operands : "");
    cli_wrap_behind((size_t)printf("Usage:"), usage, USAGE_INDENT);
    cli_wrap(verb->about, 0);
    putchar('\n');
    CLI_FOR_EACH_OPTION(verb, option)
        print_option(option);
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        print_option(option);
    if (verb->notes) {
        putchar('\n');
        cli_wrap(verb->notes, 0);
    }
    return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cli_print_version(void)
{
    printf("vitals %s\n", vitals_version());
    return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- arguments ------------------------------------------------------------------------------ */

struct getopt_tables {
    const struct cli_option *options[OPTIONS_MAX];
    struct option longs[OPTIONS_MAX + 1];
    char shorts[1 + 2 * OPTIONS_MAX + 1];
    size_t n;
};

static void add_option(struct getopt_tables *tables, const struct cli_option *option)
{
    size_t len = strlen(tables->shorts);

    if (tables->n == OPTIONS_MAX)
        return;
    tables->options[tables->n] = option;
    tables->longs[tables->n] =
        (struct option){option->name, option->argument ? required_argument : no_argument, NULL,
                        KEY_FIRST + (int)tables->n};
    tables->n++;
    if (option->letter)
        snprintf(tables->shorts + len, sizeof(tables->shorts) - len, "%c%s", option->letter,
                 option->argument ? ":" : "");
}

static void make_tables(const struct verb *verb, struct getopt_tables *ret_tables)
{
    *ret_tables = (struct getopt_tables){.shorts = ""};
    if (verb->operands_are_command)
        strcpy(ret_tables->shorts, "+");
    CLI_FOR_EACH_OPTION(verb, option)
        add_option(ret_tables, option);
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        add_option(ret_tables, option);
}

/* getopt_long() returns the letter where a short option was given. NULL: it is none. */
static const struct cli_option *option_of(const struct getopt_tables *tables, int key)
{
    if (key >= KEY_FIRST)
        return tables->options[key - KEY_FIRST];
    for (size_t i = 0; i < tables->n; i++)
        if (tables->options[i]->letter == key)
            return tables->options[i];
    return NULL;
}

/* What was typed as an option: "intervall" of "--intervall=1", and of "-intervall". */
static void mistyped_word(const struct cli_args *args, char word[CLI_WORD_MAX + 1])
{
    const char *text = args->argv[optind - 1];

    word[0] = '\0';
    if (optopt == 0) {
        text += strlen("--");
    } else { /* a letter; where more follow, getopt_long() is still at this argument */
        text = args->argv[optind];
        if (!text || text[0] != '-' || text[1] == '-' || !strchr(text, optopt))
            return;
        text += strlen("-");
    }
    snprintf(word, CLI_WORD_MAX + 1, "%.*s", (int)strcspn(text, "="), text);
}

/* getopt_long() has said what is wrong. It does not say what is right. */
static int refuse_option(const struct cli_args *args)
{
    char word[CLI_WORD_MAX + 1];
    struct suggestion suggestion = {.meant = word};
    const struct verb *verb = args->verb;

    mistyped_word(args, word);
    CLI_FOR_EACH_OPTION(verb, option)
        if (word[0])
            suggestion_consider(&suggestion, option->name);
    if (suggestion.name)
        fprintf(stderr, "  Did you mean '--%s'?\n", suggestion.name);
    return cli_try_help(args->command);
}

static int take_operand(const struct cli_args *args, char *text, void *values)
{
    const struct verb *verb = args->verb;

    if (verb->operands)
        return cli_add_text(args->command, (void *)((char *)values + verb->operands_at), text);
    return cli_usage_error(args->command, "unexpected argument '%s'", text);
}

/* The status of the first that is wrong, or -1: there is none. */
static int parse(struct cli_args *args, void *values)
{
    struct getopt_tables tables;
    const struct cli_option *option;
    int key, status = 0;

    make_tables(args->verb, &tables);
    while (status == 0 &&
           (key = getopt_long(args->argc, args->argv, tables.shorts, tables.longs, NULL)) != -1) {
        option = option_of(&tables, key);
        if (!option)
            return refuse_option(args);
        if (option == &cli_common_options[0])
            return cli_print_help(args->verb);
        if (option == &cli_common_options[1])
            return cli_print_version();
        status = cli_take_value(args->command, option, optarg, values);
    }
    for (int i = optind; status == 0 && i < args->argc; i++)
        status = take_operand(args, args->argv[i], values);
    return status ? status : -1;
}

bool cli_parse(struct cli_args *args, void *values)
{
    args->status = parse(args, values);
    return args->status < 0;
}
