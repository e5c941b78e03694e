/* SPDX-License-Identifier: MIT */
#include "look/look_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/privileges.h"
#include "look/daemon.h"
#include "look/private.h"
#include "look/progress.h"

const char *look_reason(const struct client_error *error, const char *path)
{
    size_t len = strlen(path);

    return strncmp(error->text, path, len) == 0 && strncmp(error->text + len, ": ", 2) == 0
               ? error->text + len + 2
               : error->text;
}

/* ---- whether what is wanted is there -------------------------------------------------------- */

/* The clients stay the watch's. */
static void forget_vms(struct look *look)
{
    for (size_t i = 0; i < look->n_vms; i++) {
        free(look->vms[i].wanted);
        free(look->vms[i].paths);
    }
    free(look->vms);
    look->vms = NULL;
    look->n_vms = 0;
}

static void add_vm(void *opaque, const char *key, struct client *client)
{
    struct look *look = opaque;
    struct look_vm *grown = reallocarray(look->vms, look->n_vms + 1, sizeof(*grown));

    if (!grown)
        return;
    look->vms = grown;
    grown[look->n_vms++] = (struct look_vm){.socket = key, .client = client};
}

static int check_vms(struct look *look)
{
    int status = look_match_vms(look);

    if (status == 0)
        status = look_check_any(look);
    if (status == 0)
        status = look_match_objects(look);
    return status ? status : look_match_stats(look);
}

/* Nothing has answered. */
static int complain_about_all(struct look *look, struct watch *watch)
{
    for (size_t i = 0; i < watch_count(watch); i++) {
        struct watch_result result;

        if (!watch_take(watch, i, &result))
            continue;
        if (result.is_lost)
            look_complain(look, &result.error);
        watch_result_free(&result);
    }
    return EXIT_FAILURE;
}

/* Which is no failure of any. */
static bool has_no_vms(const struct look *look, struct watch *watch)
{
    return look->host || (look->daemon && !watch_count(watch));
}

/* As long as some have not answered, it may be theirs what is not found. */
static int check_answers(struct look *look, struct watch *watch)
{
    struct pollfd pollfd = {.fd = watch_fd(watch), .events = POLLIN};
    bool has_heard_all = false;
    int status = EXIT_NO_MATCH;

    for (;;) {
        has_heard_all = watch_has_heard_all(watch);
        if (has_heard_all ||
            !look->place->ops->is_at_hand) /* else one thread asks, and is not done */
            watch_visit(watch, add_vm, look);
        look->is_quiet = !has_heard_all;
        if (look->n_vms || (has_heard_all && has_no_vms(look, watch)))
            status = check_vms(look);
        else if (has_heard_all)
            status = complain_about_all(look, watch);
        look->is_quiet = false;
        forget_vms(look);
        if (status == 0 || has_heard_all)
            return status;
        poll(&pollfd, 1, -1);
        watch_clear(watch);
    }
}

/* ---- the begin ------------------------------------------------------------------------------ */

static int find_place(struct look *look)
{
    int status;

    if (look_is_at_host(look))
        return look_make_host_place(look);
    privileges_drop(&(struct privileges){.opens_files = true}); /* what can't be given up stays */
    status = look_find_sockets(look);
    if (status)
        return status;
    look->place = look->fleet ? daemon_make_place(look) : look_make_socket_place(look);
    return look->place ? 0 : look_fail(look, NULL, "out of memory");
}

static int start(struct look *look, double interval, struct watch **ret_watch)
{
    const struct watch_options options = {
        .place = look->place,
        .wants_vm = look_wants_target(look, "vm"),
        .wants_vcpus = look_wants_target(look, "vcpu"),
        .wants_others = look_wants_target(look, CLIENT_OTHER_TARGETS),
        .objects = look->options.objects.n ? look->options.objects.all : NULL,
        .n_objects = look->options.objects.n,
        .shows_help = look->shows_help,
        .holds = look->options.holds,
        .interval = interval,
        .wish = look_wish,
        .opaque = look,
    };
    int err = watch_start(&options, ret_watch);

    return err ? look_fail(look, NULL, "the VMs can't be watched: %s", strerror(-err)) : 0;
}

int look_watch(struct look *look, double interval, struct watch **ret_watch)
{
    struct progress *progress;
    struct watch *watch;
    int status = find_place(look);

    if (status == 0)
        status = start(look, interval, &watch);
    if (status)
        return status;
    progress = progress_begin_vms(look->options.command, look->n_sockets);
    status = check_answers(look, watch);
    progress_end(progress);
    if (look->place->ops->tell)
        look->place->ops->tell(look->place);
    if (status) {
        watch_stop(watch);
        return status;
    }
    watch_set(watch, interval, false);
    *ret_watch = watch;
    return 0;
}
