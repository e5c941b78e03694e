/* SPDX-License-Identifier: MIT */
/*
 * Completion for bash, zsh and fish. What a shell loads is a few lines of its own, which ask
 * `vitals completion words -- WORD...` what the last word can become. So there is one place that
 * knows it, and the names of VMs and of their statistics are those of now.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "args/shell_words.h"

#define SHELLS "bash zsh fish"

/* ---- shells --------------------------------------------------------------------------------- */

/*
 * The answer begins with what there is to complete: words, each with a tab and a text behind it, or
 * files or directories, which each shell finds and quotes as for other programs. bash takes ':' and
 * '=' for ends of words: so it hands on the whole line, and gets what stands behind the last of them.
 */
static const char bash_script[] =
    "# bash completion of vitals: made by `vitals completion bash`\n"
    "_vitals()\n"
    "{\n"
    "    local line=${COMP_LINE:0:COMP_POINT} word answer each\n"
    "    COMPREPLY=()\n"
    "    mapfile -t answer < <(\"${COMP_WORDS[0]}\" completion line -- \"$line\" 2>/dev/null)\n"
    "    case ${answer[0]} in\n"
    "    files) compopt -o default; return ;;\n"
    "    directories) compopt -o dirnames; return ;;\n"
    "    esac\n"
    "    word=${line##*[[:space:]]}\n"
    "    [[ $word == --*=* ]] && word=${word#*=}\n"
    "    word=${word%\"${word##*[:=]}\"}\n"
    "    for each in \"${answer[@]:1}\"; do\n"
    "        each=${each%%$'\\t'*}\n"
    "        each=${each#\"$word\"}\n"
    "        [[ $each == *[!A-Za-z0-9_@%+=:,./-]* ]] && printf -v each %q \"$each\"\n"
    "        COMPREPLY+=(\"$each\")\n"
    "    done\n"
    "}\n"
    "complete -F _vitals vitals\n";

static const char zsh_script[] =
    "#compdef vitals\n"
    "# zsh completion of vitals: made by `vitals completion zsh`\n"
    "_vitals()\n"
    "{\n"
    "    local -a answer names texts\n"
    "    local each\n"
    "    answer=(\"${(@f)$(\"${(Q)words[1]}\" completion words -- \"${(@Q)words[2,CURRENT-1]}\" "
    "\"${(Q)PREFIX}\" 2>/dev/null)}\")\n"
    "    [[ $PREFIX == --*=* ]] && compset -P 1 '*='\n"
    "    case $answer[1] in\n"
    "    files) _files; return ;;\n"
    "    directories) _files -/; return ;;\n"
    "    esac\n"
    "    for each in \"${(@)answer[2,-1]}\"; do\n"
    "        names+=(\"${each%%$'\\t'*}\")\n"
    "        texts+=(\"${each/$'\\t'/  -- }\")\n"
    "    done\n"
    "    compadd -l -d texts -a names\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _vitals ]; then _vitals \"$@\"; else compdef _vitals vitals; fi\n";

static const char fish_script[] =
    "# fish completion of vitals: made by `vitals completion fish`\n"
    "function __vitals_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l word (commandline -ct)\n"
    "    set -l answer ($words[1] completion words -- $words[2..] (string unescape -- $word; or "
    "echo $word) 2>/dev/null)\n"
    "    set -l before (string match -r -- '^--[^=]*=' $word); or set before ''\n"
    "    set -l rest (string replace -r -- '^--[^=]*=' '' $word)\n"
    "    switch $answer[1]\n"
    "        case files\n"
    "            printf '%s\\n' $before(__fish_complete_path $rest)\n"
    "        case directories\n"
    "            printf '%s\\n' $before(__fish_complete_directories $rest '')\n"
    "        case '*'\n"
    "            printf '%s\\n' $before$answer[2..]\n"
    "    end\n"
    "end\n"
    "complete -c vitals -f -a '(__vitals_complete)'\n";

/* ---- what there is -------------------------------------------------------------------------- */

struct completion {
    const struct verb *const *verbs;
    size_t n_verbs;
    const struct cli_naming *naming;
    const struct verb *verb; /* NULL: the word may become one */
    char *const *words;      /* behind the name of the program; the last is to be completed */
    size_t n_words;
    const char *value; /* what has been typed of the name, of the value, or of its last part */
    int kept;          /* bytes of the value before that */
    const char *all;   /* the value */
};

/* The begin of a text is enough. */
static void offer(const struct completion *completion, const char *word, const char *text)
{
    if (strncmp(word, completion->value, strlen(completion->value)) != 0)
        return;
    printf("%.*s%s", completion->kept, completion->all, word);
    if (text)
        printf("\t%.*s", (int)strcspn(text, "\n;:("), text);
    putchar('\n');
}

static void offer_name(void *opaque, const char *name)
{
    offer(opaque, name, NULL);
}

static void offer_choices(const struct completion *completion, const char *choices)
{
    char word[CLI_WORD_MAX + 1];

    for (size_t len; *choices; choices += len + strspn(choices + len, " ")) {
        len = strcspn(choices, " ");
        snprintf(word, sizeof(word), "%.*s", (int)len, choices);
        offer(completion, word, NULL);
    }
}

/* Before the verb it is not known which one it will be: the first that has such names will do. */
static const struct verb *verb_with(const struct completion *completion, enum cli_words words)
{
    for (size_t i = 0; i < completion->n_verbs && !completion->verb; i++) {
        const struct verb *verb = completion->verbs[i];

        CLI_FOR_EACH_OPTION(verb, option)
            if (option->words == words)
                return verb;
    }
    return completion->verb;
}

static void offer_names(struct completion *completion, enum cli_words words)
{
    const struct cli_typed typed = {verb_with(completion, words), completion->words,
                                    completion->n_words - 1};

    if (typed.verb)
        completion->naming->offer(&typed, words, offer_name, completion);
}

static void complete_with(struct completion *completion, enum cli_words words, const char *choices)
{
    if (!choices && (words == CLI_FILES || words == CLI_DIRECTORIES)) {
        puts(words == CLI_FILES ? "files" : "directories");
        return;
    }
    puts("words");
    if (choices)
        offer_choices(completion, choices);
    else if (words != CLI_ANYTHING)
        offer_names(completion, words);
}

static void complete_value(struct completion *completion, const struct cli_option *option,
                           const char *value)
{
    const char *comma = option->kind == CLI_LIST ? strrchr(value, ',') : NULL;

    completion->all = value;
    completion->value = comma ? comma + 1 : value;
    completion->kept = (int)(completion->value - value);
    complete_with(completion, option->words, option->choices);
}

static void offer_option(const struct completion *completion, const struct cli_option *option)
{
    char word[CLI_WORD_MAX + 1];

    snprintf(word, sizeof(word), "--%s", option->name);
    offer(completion, word, option->help);
}

static bool has_option(const struct verb *verb, const char *name)
{
    CLI_FOR_EACH_OPTION(verb, option)
        if (!strcmp(option->name, name))
            return true;
    return false;
}

/* Before the verb, options of one name come once. */
static bool is_offered(const struct completion *completion, size_t n_verbs, const char *name)
{
    for (size_t i = 0; i < n_verbs && !completion->verb; i++)
        if (has_option(completion->verbs[i], name))
            return true;
    return false;
}

static void offer_options_of(const struct completion *completion, size_t i)
{
    const struct verb *verb = completion->verbs[i];

    CLI_FOR_EACH_OPTION(verb, option)
        if (!is_offered(completion, i, option->name))
            offer_option(completion, option);
}

static void complete_option(const struct completion *completion)
{
    puts("words");
    for (size_t i = 0; i < completion->n_verbs; i++)
        if (!completion->verb || completion->verb == completion->verbs[i])
            offer_options_of(completion, i);
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        offer_option(completion, option);
}

static void complete_verb(const struct completion *completion)
{
    puts("words");
    for (size_t i = 0; i < completion->n_verbs; i++)
        offer(completion, completion->verbs[i]->name, completion->verbs[i]->summary);
    offer(completion, "help", "say what a verb takes");
}

/* ---- the word ------------------------------------------------------------------------------- */

static const struct cli_option *find_option(const struct completion *completion, const char *word,
                                            const char **ret_value)
{
    const struct cli_option *found = NULL;

    if (completion->verb)
        return cli_find_option(completion->verb, word, ret_value);
    for (size_t i = 0; i < completion->n_verbs && !found; i++)
        found = cli_find_option(completion->verbs[i], word, ret_value);
    return found;
}

/* The option whose value the last word is; NULL: of none. @ret_is_operand: "--" came before. */
static const struct cli_option *find_pending(const struct completion *completion,
                                             bool *ret_is_operand)
{
    *ret_is_operand = false;
    for (size_t i = 0; i + 1 < completion->n_words; i++) {
        const struct cli_option *option;
        const char *value;

        if (!strcmp(completion->words[i], "--")) {
            *ret_is_operand = true;
            return NULL;
        }
        option = find_option(completion, completion->words[i], &value);
        if (option && option->argument && !value && ++i + 1 == completion->n_words)
            return option;
    }
    return NULL;
}

static void complete_operand(struct completion *completion, bool is_help)
{
    const struct verb *verb = completion->verb;

    if (!verb || is_help)
        complete_verb(completion);
    else
        complete_with(completion, verb->operand_words, verb->operand_choices);
}

static void complete(struct completion *completion, bool is_help)
{
    const char *word = completion->words[completion->n_words - 1], *value = NULL;
    bool is_operand;
    const struct cli_option *option = find_pending(completion, &is_operand);

    completion->value = completion->all = word;
    if (option) {
        complete_value(completion, option, word);
        return;
    }
    if (is_operand || word[0] != '-') {
        complete_operand(completion, is_help);
        return;
    }
    option = word[1] == '-' && strchr(word, '=') ? find_option(completion, word, &value) : NULL;
    if (option && value)
        complete_value(completion, option, value);
    else
        complete_option(completion);
}

/* @words: that of the program first. */
static void complete_words(char *const *words, size_t n, const struct cli_naming *naming)
{
    struct completion completion = {.verbs = naming->verbs,
                                    .n_verbs = naming->n_verbs,
                                    .naming = naming,
                                    .words = words + 1,
                                    .n_words = n - 1};
    const struct cli_option *last;
    size_t at = (size_t)cli_find_verb((int)n - 1, words, naming->verbs, naming->n_verbs, &last);
    bool is_help = at + 1 < n && !strcmp(words[at], "help");

    for (size_t i = 0; at + 1 < n && i < naming->n_verbs; i++)
        if (!strcmp(words[at], naming->verbs[i]->name))
            completion.verb = naming->verbs[i];
    complete(&completion, is_help);
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int complete_line(const char *command, const char *line, const struct cli_naming *naming)
{
    struct shell_words words;

    if (!shell_words_split(line, &words)) {
        fprintf(stderr, "%s: out of memory\n", command);
        return EXIT_FAILURE;
    }
    if (words.n >= 2)
        complete_words(words.all, words.n, naming);
    shell_words_free(&words);
    return EXIT_SUCCESS;
}

static int print_script(const struct cli_args *args, const char *shell)
{
    if (!strcmp(shell, "bash"))
        fputs(bash_script, stdout);
    else if (!strcmp(shell, "zsh"))
        fputs(zsh_script, stdout);
    else if (!strcmp(shell, "fish"))
        fputs(fish_script, stdout);
    else
        return cli_usage_error(args->command, "unknown shell '%s'; there is: " SHELLS, shell);
    return EXIT_SUCCESS;
}

static int print(const struct cli_args *args, const struct cli_texts *operands,
                 const struct cli_naming *naming)
{
    const char *first = operands->n ? operands->all[0] : "";

    if (operands->n >= 2 && !strcmp(first, "words"))
        complete_words((char *const *)operands->all, operands->n, naming);
    else if (operands->n == 2 && !strcmp(first, "line"))
        return complete_line(args->command, operands->all[1], naming);
    else if (operands->n != 1)
        return cli_usage_error(args->command, "which shell? There is: " SHELLS);
    else
        return print_script(args, first);
    return EXIT_SUCCESS;
}

int cli_print_completion(struct cli_args *args, const struct cli_naming *naming)
{
    struct cli_texts operands = {0};

    if (cli_parse(args, &operands))
        args->status = print(args, &operands, naming);
    cli_free(args->verb, &operands);
    return args->status;
}
