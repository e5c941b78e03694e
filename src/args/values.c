/* SPDX-License-Identifier: MIT */
/* The values of options: checked, and put where the table says. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args/cli.h"
#include "base/count.h"

enum { OPTION_NAME_MAX = 32 };

/* "-i", or "--target" without a letter. */
static const char *name_of(const struct cli_option *option, char text[OPTION_NAME_MAX])
{
    if (option->letter)
        snprintf(text, OPTION_NAME_MAX, "-%c", option->letter);
    else
        snprintf(text, OPTION_NAME_MAX, "--%s", option->name);
    return text;
}

int cli_add_text(const char *command, struct cli_texts *texts, const char *text)
{
    const char **grown = reallocarray(texts->all, texts->n + 1, sizeof(*grown));

    if (!grown) {
        fprintf(stderr, "%s: out of memory\n", command);
        return EXIT_FAILURE;
    }
    texts->all = grown;
    texts->all[texts->n++] = text;
    return 0;
}

/* Cuts @text at its commas. */
static int add_list(const char *command, struct cli_texts *texts, char *text)
{
    int status = 0;

    for (char *rest = text; status == 0 && rest;) {
        char *word = strsep(&rest, ",");

        status = cli_add_text(command, texts, word);
    }
    return status;
}

static void free_texts(struct cli_texts *texts)
{
    free(texts->all);
    *texts = (struct cli_texts){0};
}

void cli_free(const struct verb *verb, void *values)
{
    if (verb->operands)
        free_texts((void *)((char *)values + verb->operands_at));
    CLI_FOR_EACH_OPTION(verb, option) {
        if (option->kind == CLI_TEXTS || option->kind == CLI_LIST)
            free_texts((void *)((char *)values + option->at));
    }
}

/* ---- choices -------------------------------------------------------------------------------- */

/* Which of the words it is, or -1. */
static int find_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);

    for (int i = 0; *choices; i++) {
        size_t word = strcspn(choices, " ");

        if (word == len && !strncmp(choices, text, len))
            return i;
        choices += word + strspn(choices + word, " ");
    }
    return -1;
}

/* "FORMAT" is an unknown format. */
static int refuse_choice(const char *command, const struct cli_option *option, const char *text)
{
    char name[OPTION_NAME_MAX], what[OPTION_NAME_MAX] = "";

    for (size_t i = 0; i + 1 < sizeof(what) && option->argument[i]; i++)
        what[i] = (char)tolower((unsigned char)option->argument[i]);
    return cli_usage_error(command, "%s: unknown %s '%s'; there is: %s", name_of(option, name),
                           what, text, option->choices);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static int take_count(const char *command, const struct cli_option *option, const char *text,
                      unsigned long *ret_count)
{
    char *end, name[OPTION_NAME_MAX];
    unsigned long count = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || count < 1 || count == ULONG_MAX)
        return cli_usage_error(command, "%s: '%s' is no number from 1 on", name_of(option, name),
                               text);
    *ret_count = count;
    return 0;
}

/* How many seconds a unit has; 0: there is none of this name. */
static double seconds_of_unit(const char *name)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}};

    for (size_t i = 0; i < COUNT(units); i++)
        if (!strcmp(units[i].name, name))
            return units[i].seconds;
    return 0;
}

static int take_seconds(const char *command, const struct cli_option *option, const char *text,
                        double *ret_seconds)
{
    double min = option->min > 0 ? option->min : CLI_SECONDS_MIN;
    double max = option->max > 0 ? option->max : CLI_SECONDS_MAX;
    char *end, name[OPTION_NAME_MAX];
    double seconds = strtod(text, &end);

    seconds *= end == text ? 0 : seconds_of_unit(end);
    if (!(seconds >= min) || seconds > max)
        return cli_usage_error(command, "%s: '%s' is no number of seconds from %g to %g",
                               name_of(option, name), text, min, max);
    *ret_seconds = seconds;
    return 0;
}

/* ---- all kinds ------------------------------------------------------------------------------ */

int cli_take_value(const char *command, const struct cli_option *option, char *text, void *values)
{
    void *value = (char *)values + option->at;
    int choice = option->choices && !option->is_open ? find_choice(option->choices, text) : 0;

    if (choice < 0)
        return refuse_choice(command, option, text);
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)value = true;
        return 0;
    case CLI_CONSTANT:
        *(int *)value = option->constant;
        return 0;
    case CLI_CHOICE:
        *(int *)value = choice;
        return 0;
    case CLI_TEXT:
        *(const char **)value = text;
        return 0;
    case CLI_TEXTS:
        return cli_add_text(command, value, text);
    case CLI_LIST:
        return add_list(command, value, text);
    case CLI_COUNT:
        return take_count(command, option, text, value);
    case CLI_SECONDS:
        return take_seconds(command, option, text, value);
    case CLI_PARSED:
        return option->parse(command, text, value);
    }
    return 0;
}
