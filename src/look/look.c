/* SPDX-License-Identifier: MIT */
#include "look/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool look_init(struct look *look, const struct cli_args *args)
{
    size_t n = (size_t)args->argc + 1;

    *look = (struct look){.options = {.command = args->command, .timeout_ms = CLIENT_TIMEOUT_MS}};
    look->options.sockets = calloc(n, sizeof(char *));
    look->options.vcpus = calloc(n, sizeof(char *));
    look->options.globs = calloc(n, sizeof(char *));
    if (look->options.sockets && look->options.vcpus && look->options.globs)
        return true;
    look_free(look);
    fprintf(stderr, "%s: out of memory\n", args->command);
    return false;
}

void look_free(struct look *look)
{
    for (size_t i = 0; i < look->n_vms; i++) {
        client_free(look->vms[i].client);
        free(look->vms[i].wanted);
        free(look->vms[i].paths);
    }
    for (size_t i = 0; i < look->n_paths; i++)
        free(look->paths[i]);
    free(look->vms);
    free(look->paths);
    free(look->options.sockets);
    free(look->options.vcpus);
    free(look->options.globs);
}

bool look_wants_target(const struct look *look, const char *target)
{
    return !look->options.target || !strcmp(look->options.target, target);
}

void look_complain(struct look *look, const struct client_error *error)
{
    fprintf(stderr, "%s: %s\n", look->options.command, error->text);
    if (error->hint[0])
        fprintf(stderr, "  %s\n", error->hint);
    look->has_failed = true;
}

int look_fail(struct look *look, const char *hint, const char *format, ...)
{
    struct client_error error = {0};
    va_list args;

    snprintf(error.hint, sizeof(error.hint), "%s", hint ? hint : "");
    va_start(args, format);
    vsnprintf(error.text, sizeof(error.text), format, args);
    va_end(args);
    look_complain(look, &error);
    return EXIT_FAILURE;
}
