/* SPDX-License-Identifier: MIT */
#include "look/private.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"

void look_free(struct look *look)
{
    for (size_t i = 0; i < look->n_vms; i++) {
        client_free(look->vms[i].client);
        free(look->vms[i].wanted);
        free(look->vms[i].paths);
    }
    for (size_t i = 0; i < look->n_paths; i++)
        free(look->paths[i]);
    host_close(look->host);
    free(look->daemon);
    host_list_free(&look->daemon_vms);
    if (look->place)
        look->place->ops->free(look->place);
    fleet_free(look->fleet);
    socket_list_free(&look->sockets);
    free(look->vms);
    free(look->are_parts);
    free(look->lost);
    free(look->paths);
}

int look_run(struct cli_args *args, void *self, int (*then)(void *self))
{
    struct look *look = self;
    int status;

    signal(SIGPIPE, SIG_DFL); /* a reader that has seen enough ends us, quietly */
    look->options.command = args->command;
    if (cli_parse(args, self)) {
        status = look_complete_options(&look->options);
        args->status = status ? status : then(self);
    }
    look_free(look);
    cli_free(args->verb, self);
    return args->status;
}

struct record_writer look_record_writer(const struct look *look)
{
    return (struct record_writer){.format = look->options.format,
                                  .has_legend = !look->options.no_legend};
}

bool look_wants_target(const struct look *look, const char *target)
{
    const char *wanted = look->options.target;

    if (look->options.objects.n && (!strcmp(target, "vm") || !strcmp(target, "vcpu")))
        return false;
    if (!wanted)
        return true;
    if (!strcmp(target, CLIENT_OTHER_TARGETS))
        return strcmp(wanted, "vm") && strcmp(wanted, "vcpu");
    return !strcmp(wanted, target);
}

bool look_wants_object(const struct look *look, const char *target, const char *path)
{
    const struct cli_texts *objects = &look->options.objects;

    for (size_t i = 0; i < objects->n; i++)
        if (path && !strcmp(objects->all[i], path))
            return look_wants_target(look, target);
    return !objects->n;
}

void look_say(const struct look *look, const struct client_error *error)
{
    if (look->is_quiet)
        return;
    fprintf(stderr, "%s: %s\n", look->options.command, error->text);
    if (error->hint[0])
        fprintf(stderr, "  %s\n", error->hint);
}

void look_complain(struct look *look, const struct client_error *error)
{
    look_say(look, error);
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
