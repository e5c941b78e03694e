/* SPDX-License-Identifier: MIT */
/* Which words of a command line are options, before a verb reads them. */
#include <string.h>

#include "args/cli.h"

const struct cli_option cli_common_options[] = {
    {.name = "help", .letter = 'h', .help = "print this"},
    {.name = "version", .letter = 'V', .help = "print the version"},
    {0},
};

/* As getopt_long() takes it: a name may be cut where it stays clear which one is meant. */
static bool is_named(const struct cli_option *option, const char *word, size_t len)
{
    return len > 0 && !strncmp(option->name, word, len);
}

static const struct cli_option *prefer(const struct cli_option *found,
                                       const struct cli_option *option, size_t len)
{
    return found && strlen(option->name) != len ? found : option;
}

/* "socket=x" of --socket=x. */
static const struct cli_option *find_name(const struct verb *verb, const char *word,
                                          const char **ret_value)
{
    size_t len = strcspn(word, "=");
    const struct cli_option *found = NULL;

    CLI_FOR_EACH_OPTION(verb, option)
        if (is_named(option, word, len))
            found = prefer(found, option, len);
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        if (is_named(option, word, len))
            found = prefer(found, option, len);
    *ret_value = word[len] ? word + len + 1 : NULL;
    return found;
}

static const struct cli_option *find_letter(const struct verb *verb, char letter)
{
    CLI_FOR_EACH_OPTION(verb, option)
        if (option->letter == letter)
            return option;
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        if (option->letter == letter)
            return option;
    return NULL;
}

/* "zi1" of -zi1: the first that takes the rest as its value, or else the last. */
static const struct cli_option *find_letters(const struct verb *verb, const char *word,
                                             const char **ret_value)
{
    const struct cli_option *found = NULL;

    *ret_value = NULL;
    for (; *word; word++) {
        found = find_letter(verb, *word);
        if (!found)
            return NULL;
        if (found->argument && word[1])
            *ret_value = word + 1;
        if (found->argument)
            break;
    }
    return found;
}

const struct cli_option *cli_find_option(const struct verb *verb, const char *word,
                                         const char **ret_value)
{
    *ret_value = NULL;
    if (word[0] != '-' || !word[1])
        return NULL;
    return word[1] == '-' ? find_name(verb, word + 2, ret_value)
                          : find_letters(verb, word + 1, ret_value);
}

/* Options of one name take the same in all verbs. */
static const struct cli_option *find_in_any(const struct verb *const *verbs, size_t n_verbs,
                                            const char *word, const char **ret_value)
{
    const struct cli_option *found = NULL;

    for (size_t i = 0; i < n_verbs && !found; i++)
        found = cli_find_option(verbs[i], word, ret_value);
    return found;
}

int cli_find_verb(int argc, char *const *argv, const struct verb *const *verbs, size_t n_verbs,
                  const struct cli_option **ret_last)
{
    const char *value;

    *ret_last = NULL;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || !argv[i][1])
            return i;
        *ret_last = find_in_any(verbs, n_verbs, argv[i], &value);
        if (*ret_last && (*ret_last)->argument && !value)
            i++;
    }
    return argc;
}
