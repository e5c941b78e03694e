/* SPDX-License-Identifier: MIT */
/* Completion for bash and zsh, from the table of verbs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "kvm/meanings.h"

/* ---- words ---------------------------------------------------------------------------------- */

/* A statistic of the VM and one of vCPUs can have the same name. */
static bool is_named_before(size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (!strcmp(explanations[j].name, explanations[i].name))
            return true;
    return false;
}

/* The kernel's names of histograms end so. */
static bool is_histogram(const char *name)
{
    size_t len = strlen(name);

    return len > 5 && !strcmp(name + len - 5, "_hist");
}

static bool are_listed(enum cli_words words, const char *choices)
{
    return choices || words == CLI_STATISTICS || words == CLI_HISTOGRAMS;
}

static void print_list(enum cli_words words, const char *choices)
{
    if (choices) {
        fputs(choices, stdout);
        return;
    }
    for (size_t i = 0; i < n_explanations; i++)
        if ((words == CLI_STATISTICS || is_histogram(explanations[i].name)) && !is_named_before(i))
            printf("%s ", explanations[i].name);
}

/* ---- bash ----------------------------------------------------------------------------------- */

static void print_bash_reply(enum cli_words words, const char *choices)
{
    printf("COMPREPLY=(");
    if (are_listed(words, choices)) {
        printf("$(compgen -W '");
        print_list(words, choices);
        printf("' -- \"$word\")");
    } else if (words == CLI_FILES || words == CLI_DIRECTORIES) {
        printf("$(compgen -%c -- \"$word\")", words == CLI_FILES ? 'f' : 'd');
    }
    printf(")");
}

static void print_bash_argument(const struct verb *verb, const struct cli_option *option)
{
    printf("    '%s --%s'", verb->name, option->name);
    if (option->letter)
        printf(" | '%s -%c'", verb->name, option->letter);
    printf(") ");
    print_bash_reply(option->words, option->choices);
    puts("; return ;;");
}

static void print_bash_options(const struct verb *verb)
{
    printf("    '%s -'*) words='", verb->name);
    CLI_FOR_EACH_OPTION(verb, option)
        printf("--%s ", option->name);
    puts("--help --version' ;;");
}

static void print_bash_operands(const struct verb *verb)
{
    printf("    '%s '*) ", verb->name);
    print_bash_reply(verb->operand_words, verb->operand_choices);
    puts("; return ;;");
}

static void print_bash(const struct verb *const *verbs, size_t n_verbs)
{
    puts("# bash completion of vitals: made by `vitals completion bash`\n"
         "_vitals()\n"
         "{\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
         "    if [ \"$COMP_CWORD\" = 1 ] || [ \"$before\" = help ]; then");
    printf("        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < n_verbs; i++)
        printf("%s ", verbs[i]->name);
    puts("help --help --version' -- \"$word\"))\n"
         "        return\n"
         "    fi\n"
         "    case \"${COMP_WORDS[1]} $before\" in");
    for (size_t i = 0; i < n_verbs; i++)
        CLI_FOR_EACH_OPTION(verbs[i], option)
            if (option->argument)
                print_bash_argument(verbs[i], option);
    puts("    esac\n"
         "    case \"${COMP_WORDS[1]} $word\" in");
    for (size_t i = 0; i < n_verbs; i++) {
        print_bash_options(verbs[i]);
        print_bash_operands(verbs[i]);
    }
    puts("    esac\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "}\n"
         "complete -o filenames -F _vitals vitals");
}

/* ---- zsh ------------------------------------------------------------------------------------ */

/* A text inside '...[...]': no quotes, brackets or colons; the first line will do. */
static void print_zsh_text(const char *text)
{
    for (; *text && *text != '\n'; text++)
        if (!strchr("'[]:\\", *text))
            putchar(*text);
}

/* The part of a specification that says what there is. */
static void print_zsh_action(enum cli_words words, const char *choices)
{
    if (are_listed(words, choices)) {
        printf("(");
        print_list(words, choices);
        printf(")");
    } else {
        printf("%s", words == CLI_FILES ? "_files" : words == CLI_DIRECTORIES ? "_files -/" : " ");
    }
}

static void print_zsh_option(const struct cli_option *option)
{
    printf("            '*--%s%s[", option->name, option->argument ? "=" : "");
    print_zsh_text(option->help);
    printf("]");
    if (option->argument) {
        printf(":%s:", option->argument);
        print_zsh_action(option->words, option->choices);
    }
    puts("' \\");
}

static void print_zsh_verb(const struct verb *verb)
{
    printf("    %s)\n        _arguments \\\n", verb->name);
    CLI_FOR_EACH_OPTION(verb, option)
        print_zsh_option(option);
    printf("            '--help[print help]' '--version[print the version]'");
    if (verb->operands) {
        printf(" '*:%s:", verb->operands);
        print_zsh_action(verb->operand_words, verb->operand_choices);
        printf("'");
    }
    puts(" ;;");
}

static void print_zsh(const struct verb *const *verbs, size_t n_verbs)
{
    puts("#compdef vitals\n"
         "# zsh completion of vitals: made by `vitals completion zsh`\n"
         "_vitals()\n"
         "{\n"
         "    local -a verbs\n"
         "    if (( CURRENT == 2 )); then\n"
         "        verbs=(");
    for (size_t i = 0; i < n_verbs; i++) {
        printf("            '%s:", verbs[i]->name);
        print_zsh_text(verbs[i]->summary);
        puts("'");
    }
    puts("        )\n"
         "        _describe 'verb' verbs\n"
         "        return\n"
         "    fi\n"
         "    shift words\n"
         "    (( CURRENT-- ))\n"
         "    case \"$words[1]\" in");
    for (size_t i = 0; i < n_verbs; i++)
        print_zsh_verb(verbs[i]);
    puts(
        "    esac\n"
        "}\n"
        "if [ \"$funcstack[1]\" = _vitals ]; then _vitals \"$@\"; else compdef _vitals vitals; fi");
}

static int print(const struct cli_args *args, const struct cli_texts *shells,
                 const struct verb *const *verbs, size_t n_verbs)
{
    if (shells->n != 1)
        return cli_usage_error(args->command, "which shell? There is: bash zsh");
    if (strcmp(shells->all[0], "bash") == 0)
        print_bash(verbs, n_verbs);
    else if (strcmp(shells->all[0], "zsh") == 0)
        print_zsh(verbs, n_verbs);
    else
        return cli_usage_error(args->command, "unknown shell '%s'; there is: bash zsh",
                               shells->all[0]);
    return EXIT_SUCCESS;
}

int cli_print_completion(struct cli_args *args, const struct verb *const *verbs, size_t n_verbs)
{
    struct cli_texts shells = {0};

    if (cli_parse(args, &shells))
        args->status = print(args, &shells, verbs, n_verbs);
    cli_free(args->verb, &shells);
    return args->status;
}
