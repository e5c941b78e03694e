/* SPDX-License-Identifier: MIT */
/* The options of a verb: read, and explained, from the verb's tables. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "args/suggestion.h"

enum {
    OPTIONS_MAX = 64,
    KEY_HELP = 1000, /* above all keys of verbs */
    HELP_WIDTH = 96,
    HELP_INDENT = 24,
};

static const struct cli_option help_option = {
    .name = "help", .key = KEY_HELP, .help = "print this"};

int cli_try_help(const char *command)
{
    fprintf(stderr, "Try '%s --help'.\n", command);
    return EXIT_USAGE;
}

int cli_usage_error(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return cli_try_help(command);
}

/* ---- help ----------------------------------------------------------------------------------- */

static size_t word_length(const char *text)
{
    return strcspn(text, " \n");
}

void cli_wrap(const char *text, size_t indent, size_t width)
{
    size_t column = indent;

    while (*text) {
        size_t spaces = strspn(text, " "), len = word_length(text + spaces);

        if (column > indent && column + spaces + len > width) {
            printf("\n%*s", (int)indent, "");
            column = indent;
            spaces = 0;
            text += strspn(text, " ");
        }
        printf("%.*s", (int)(spaces + len), text);
        column += spaces + len;
        text += spaces + len;
        if (*text == '\n') {
            printf("\n%*s", text[1] && text[1] != '\n' ? (int)indent : 0, "");
            column = indent;
            text++;
        }
    }
    putchar('\n');
}

static void print_option(const struct cli_option *option)
{
    char head[64];
    int n =
        snprintf(head, sizeof(head), "  %c%c%s--%s%s%s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
                 option->argument ? " " : "", option->argument ? option->argument : "");

    printf("%s", head);
    printf(n + 2 > HELP_INDENT ? "\n%*s" : "%*s",
           n + 2 > HELP_INDENT ? HELP_INDENT : HELP_INDENT - n, "");
    cli_wrap(option->help, HELP_INDENT, HELP_WIDTH);
}

int cli_print_help(const struct verb *verb)
{
    printf("Usage: vitals %s [OPTION]...%s%s\n", verb->name, verb->operands ? " " : "",
           verb->operands ? verb->operands : "");
    cli_wrap(verb->about, 0, HELP_WIDTH);
    putchar('\n');
    for (size_t i = 0; i < CLI_TABLES_MAX && verb->tables[i]; i++)
        for (const struct cli_option *option = verb->tables[i]; option->name; option++)
            print_option(option);
    print_option(&help_option);
    if (verb->notes) {
        putchar('\n');
        cli_wrap(verb->notes, 0, HELP_WIDTH);
    }
    return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- arguments ------------------------------------------------------------------------------ */

struct getopt_tables {
    struct option longs[OPTIONS_MAX + 1];
    char shorts[2 * OPTIONS_MAX + 1];
    size_t n;
};

static void add_option(struct getopt_tables *tables, const struct cli_option *option)
{
    size_t len = strlen(tables->shorts);

    if (tables->n == OPTIONS_MAX)
        return;
    tables->longs[tables->n++] = (struct option){
        option->name, option->argument ? required_argument : no_argument, NULL, option->key};
    if (option->letter)
        snprintf(tables->shorts + len, sizeof(tables->shorts) - len, "%c%s", option->letter,
                 option->argument ? ":" : "");
}

static void make_tables(const struct verb *verb, struct getopt_tables *ret_tables)
{
    *ret_tables = (struct getopt_tables){0};
    for (size_t i = 0; i < CLI_TABLES_MAX && verb->tables[i]; i++)
        for (const struct cli_option *option = verb->tables[i]; option->name; option++)
            add_option(ret_tables, option);
    add_option(ret_tables, &help_option);
}

/* getopt_long() returns the letter where a short option was given. */
static int key_of(const struct verb *verb, int letter)
{
    for (size_t i = 0; i < CLI_TABLES_MAX && verb->tables[i]; i++)
        for (const struct cli_option *option = verb->tables[i]; option->name; option++)
            if (option->letter && option->letter == letter)
                return option->key;
    return letter;
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
    for (size_t i = 0; word[0] && i < CLI_TABLES_MAX && verb->tables[i]; i++)
        for (const struct cli_option *option = verb->tables[i]; option->name; option++)
            suggestion_consider(&suggestion, option->name);
    if (suggestion.name)
        fprintf(stderr, "  Did you mean '--%s'?\n", suggestion.name);
    return cli_try_help(args->command);
}

int cli_next(struct cli_args *args)
{
    struct getopt_tables tables;
    int key;

    make_tables(args->verb, &tables);
    key = getopt_long(args->argc, args->argv, tables.shorts, tables.longs, NULL);
    args->text = optarg;
    args->operands = args->argv + optind;
    args->n_operands = (size_t)(args->argc - optind);
    if (key == -1)
        return 0;
    args->is_done = key == KEY_HELP;
    if (args->is_done)
        args->status = cli_print_help(args->verb);
    else if (key == '?')
        args->status = refuse_option(args);
    else
        return key_of(args->verb, key);
    return -1;
}

static bool has_option(const struct verb *verb, const char *name)
{
    for (size_t i = 0; i < CLI_TABLES_MAX && verb->tables[i]; i++)
        for (const struct cli_option *option = verb->tables[i]; option->name; option++)
            if (!strcmp(option->name, name))
                return true;
    return false;
}

int cli_no_operands(const struct cli_args *args)
{
    if (args->n_operands == 0)
        return 0;
    return cli_usage_error(args->command, "unexpected argument '%s'%s", args->operands[0],
                           strchr(args->operands[0], '/') && has_option(args->verb, "socket")
                               ? "; --socket names a VM's socket"
                               : "");
}
