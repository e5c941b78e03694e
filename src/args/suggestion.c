/* SPDX-License-Identifier: MIT */
#include "args/suggestion.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "args/cli.h"

#define TYPOS_MAX 3

/* A third of the letters may be wrong. A part of a name is near, too: "wait" for "halt_wait_ns". */
static bool is_near(const char *meant, const char *name, size_t typos)
{
    size_t len = strlen(meant);

    return typos <= 1 || (typos <= TYPOS_MAX && typos <= len / 3) ||
           (len >= 3 && strstr(name, meant));
}

void suggestion_consider(struct suggestion *suggestion, const char *name)
{
    size_t typos;

    if (strlen(name) > CLI_WORD_MAX || strlen(suggestion->meant) > CLI_WORD_MAX)
        return;
    typos = cli_count_typos(name, suggestion->meant);
    if (is_near(suggestion->meant, name, typos) &&
        (!suggestion->name || typos < suggestion->typos)) {
        suggestion->name = name;
        suggestion->typos = typos;
    }
}

void suggestion_print(const struct suggestion *suggestion, const char *command, const char *what,
                      const char *hint)
{
    fprintf(stderr, "%s: no %s matches '%s'", command, what, suggestion->meant);
    if (suggestion->name)
        fprintf(stderr, "; did you mean '%s'?\n", suggestion->name);
    else
        fprintf(stderr, "\n  %s\n", hint);
}
